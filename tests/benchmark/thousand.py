# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run costs the controller as the fleet grows to a thousand hosts: ``deploy`` that changes nothing, ``deploy`` from nothing, ``status``, ``upgrade``.

One host is real: a node of this machine goes through the runs, and what its modules answered is recorded. The others are emulated
(connection/emulated.py): they give these answers with their own names, after a round trip of 20 ms, and one in a hundred is lost. So the
controller does all of its work, and no host any of its own. Every run must say the right thing of each host.

Printed: seconds by the clock, seconds of CPU, and CPU in ms a host; memory of all processes of the run at its peak (PSS, as shared pages are
there once) in MiB; lines of the report and of all of the output. "growth" is what a host more costs, in CPU, between the two larger sizes,
against the same between the two smaller ones: 1 is linear. It is the only figure that makes the benchmark fail.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import yaml
from fleet_hosts import BIN, Fleet
from memory import children

CONNECTION = Path(__file__).parent / "connection"
REAL = ["host0000", "twin0000"]
# Of the hosts, one in so many is lost: the one in the middle.
LOSS = 100
# What a host more costs may be this many times as much in the larger half.
MOST_GROWTH = 1.5


class Measured(t.NamedTuple):
    """A run: seconds by the clock and of CPU, MiB at the peak, what it said."""

    wall: float
    cpu: float
    memory: float
    output: str


class Thousand(Fleet):
    """The real hosts, and emulated ones."""

    loss = LOSS

    def write_inventory(self) -> None:
        super().write_inventory()
        inventory = yaml.safe_load((self.directory / "inventory.yml").read_text())
        self.names = [f"host{number:04}" for number in range(1, len(self.names) + 1)]
        inventory["otp"]["hosts"] = {name: {"otp_root": self.root(name), "otp_node_name": f"{name}@localhost"} for name in [*REAL, *self.names]}
        inventory["otp"]["vars"] |= {"ansible_connection": "emulated", "otp_run_log": f"{self.directory}/runs"}
        self.write("inventory.yml", yaml.safe_dump(inventory))

    def playbooks(self) -> dict[str, list[str]]:
        """The runs, in the order in which the real host goes through them: what each does, and what is on its command line."""
        package, next_package = (["-e", f"otp_package={path}"] for path in (self.package, self.next_package))
        return {
            "deploy": ["erlang.otp.deploy", *package],
            "deploy, converged": ["erlang.otp.deploy", *package],
            "status": ["erlang.otp.status", "-e", f"otp_status_json={self.directory}/status"],
            "upgrade": ["erlang.otp.upgrade", "-e", "otp_upgrade_to=1.1", "-e", "otp_max_fail_percentage=50", *next_package],
        }

    def is_lost(self, host: str) -> bool:
        return host not in REAL and int(host[4:]) % self.loss == self.loss // 2

    def play(self, name: str, hosts: t.Sequence[str]) -> Measured:
        """One of the runs on these hosts. What it says of them is checked."""
        for old in ("runs", "status"):
            (self.directory / old).unlink(missing_ok=True)
        self.write("limit", "\n".join(hosts))
        settings = {
            "ANSIBLE_CONNECTION_PLUGINS": str(CONNECTION),
            "EMULATED_ANSWERS": str(self.directory / f"{name}.answers"),
            "EMULATED_LATENCY": "0.02",
            "EMULATED_LOSS": str(self.loss),
        }
        command = [BIN / "ansible-playbook", "-i", self.directory / "inventory.yml", "--limit", f"@{self.directory}/limit", *self.playbooks()[name]]
        before, start, peak = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), 0.0
        with open(self.directory / "output", "w+", encoding="utf-8") as output:
            with subprocess.Popen(command, env=self.environment(**settings), stdout=output, stderr=subprocess.STDOUT) as running:
                while running.poll() is None:
                    peak = max(peak, memory_of(running.pid))
                    time.sleep(0.2)
            output.seek(0)
            measured = Measured(time.perf_counter() - start, cpu_since(before), peak, output.read())
        found, due = self.outcomes(name), {host: "lost" if self.is_lost(host) else "well" for host in hosts}
        if found != due or bool(running.returncode) != ("lost" in due.values()):
            wrong = [f"{host}: {outcome}" for host, outcome in found.items() if outcome != due.get(host)]
            sys.exit(f"{name} of {len(hosts)} hosts ended with {running.returncode}: {wrong[:5]}\n{measured.output[-5000:]}")
        return measured

    def outcomes(self, name: str) -> dict[str, str]:
        """What the run has written of each host, its record or its report: well, lost, or what else."""
        if name == "status":
            path, key, well = "status", "state", "running"
        else:
            path, key, well = "runs", "outcome", {"upgrade": "done", "deploy": "changed"}.get(name, "unchanged")
        if not (self.directory / path).exists():
            return {}
        rows = json.loads((self.directory / path).read_text())["hosts"]
        lost = {host["host"] for host in rows if f"connect to host {host['host']} port 22" in str(host)}
        return {host["host"]: "well" if host[key] == well else "lost" if host["host"] in lost else host[key] for host in rows}


def cpu_since(before: resource.struct_rusage) -> float:
    """Seconds of CPU that processes which have ended since have used."""
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def memory_of(process: int) -> float:
    """MiB of a process and those that it has forked: proc(5), Pss of smaps_rollup."""
    total = 0
    for pid in (process, *children(process)):
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return total / 1024


def growth(sizes: t.Sequence[int], costs: t.Sequence[float]) -> float:
    """What a host more costs between the two larger of three sizes, against the same between the two smaller ones."""
    low, high = ((costs[n + 1] - costs[n]) / (sizes[n + 1] - sizes[n]) for n in (0, 1))
    return high / low


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, nargs=3, default=[100, 300, 1000], help="how many hosts (default: 100 300 1000)")
    parser.add_argument("--only", default="", help="only runs with this text in their name")
    parser.add_argument("--quick", action="store_true", help="8 hosts, of which one is lost, and no growth")
    arguments = parser.parse_args()
    sizes = [8] if arguments.quick else arguments.hosts
    print(f"{'load ' + str(os.getloadavg()[0]):32} {'wall s':>8} {'cpu s':>8} {'ms/host':>8} {'MiB':>8} {'lines':>8} {'growth':>8}")
    # So that nothing stays behind then either.
    signal.signal(signal.SIGTERM, lambda *dummy: sys.exit("terminated"))
    failed = []
    with tempfile.TemporaryDirectory(prefix="erlang-otp-") as directory:
        fleet = Thousand(Path(directory), max(sizes))
        if arguments.quick:
            fleet.loss = sizes[0]
        try:
            fleet.empty()
            for name in fleet.playbooks():
                fleet.play(name, REAL)
            fleet.stop_nodes()
            for name in fleet.playbooks():
                costs: list[float] = []
                for size in sizes if arguments.only in name else []:
                    run = fleet.play(name, fleet.names[:size])
                    costs.append(run.cpu)
                    ratio = growth(sizes, costs) if len(costs) == 3 else 0
                    figures = f"{run.wall:8.1f} {run.cpu:8.1f} {run.cpu * 1000 / size:8.0f} {run.memory:8.0f} {run.output.count(chr(10)):8}"
                    print(f"{f'{size} hosts: {name}':32} {figures} {f'{ratio:8.2f}' if ratio else ''}", flush=True)
                    failed += [name] if ratio > MOST_GROWTH else []
        finally:
            fleet.end()
    sys.exit(f"more than linear: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
