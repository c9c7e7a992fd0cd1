# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a package costs in the memory of the controller: the peak of a process of Ansible for one host, above that of ``ansible -m ping``.

All sides in one run, over SSH with warm connections and pipelining. The packages are none, which the hosts find out once they have them:
so only the way there is measured. A large package is uploaded; one below the limit of the transport is in memory once.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from fleet_hosts import BIN, Fleet

from ansible_collections.erlang.otp.plugins.plugin_utils._transport.packages import STDIN_LIMIT

MIB = 1 << 20


def children(parent: int) -> t.Iterator[int]:
    """The processes of this parent: proc(5), stat. Not every kernel has the file ``children``."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                yield int(path.parent.name)


def peaks(fleet: Fleet, limit: str, *arguments: str) -> list[float]:
    """The peaks in MiB of the processes that a run of ``ansible`` forks: proc(5), VmHWM of status, read until each ends."""
    command = [BIN / "ansible", "-i", fleet.directory / "inventory.yml", "--limit", limit, "otp", *arguments]
    found: dict[int, float] = {}
    with subprocess.Popen(command, env=fleet.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        while running.poll() is None:
            for child in children(running.pid):
                with contextlib.suppress(OSError, StopIteration):
                    lines = Path(f"/proc/{child}/status").read_text().splitlines()
                    found[child] = max(found.get(child, 0), int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024)
            time.sleep(0.005)
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=32, help="how many hosts (default: 32)")
    parser.add_argument("--quick", action="store_true", help="two hosts")
    arguments = parser.parse_args()
    count = 2 if arguments.quick else arguments.hosts
    with tempfile.TemporaryDirectory(prefix="erlang-otp-") as directory:
        fleet = Fleet(Path(directory), count)
        try:
            limit = ",".join(fleet.names)
            ping = max(peaks(fleet, limit, "-m", "ansible.builtin.ping"))
            print(f"{'a fork of, ' + str(count) + ' hosts':40} {'peak MiB':>10} {'- ping':>10} {'goal':>6}")
            print(f"{'ping':40} {ping:10.1f} {0:10.1f} {'':>6}")
            for size, goal in ((0, ""), (STDIN_LIMIT // MIB, ""), (64, "8")):
                package = fleet.directory / f"{size}.tar.gz"
                with package.open("wb") as file:
                    file.truncate(max(1, size * MIB))
                task = f"root={fleet.directory}/ours/new release=1.0 state=unpacked transport=offline package={package}"
                peak = max(peaks(fleet, limit, "-m", "erlang.otp.otp_release_handler", "-a", task))
                print(f"{f'a package of {size} MiB':40} {peak:10.1f} {peak - ping:10.1f} {goal:>6}", flush=True)
        finally:
            fleet.end()


if __name__ == "__main__":
    sys.exit(main())
