# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""This checkout against another one, such as an earlier commit: an installation on the host, and runs of Ansible that change nothing.

``git worktree add ../earlier COMMIT``, then ``against.py ../earlier``. In pairs, whose order alternates. Printed are medians of this checkout's, and
medians of the pairs' ratios, this one / the other: by the clock, of the controller's CPU, and of the CPU of controller and host together.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from fleet_hosts import Cost, Fleet

from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256

ROOT = Path(__file__).resolve().parents[2]
# A user who owns a tree, for a run as root.
OWNER = 1
INSTALL = """
import sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
_, _, root, package, checksum, owner = sys.argv
install_release(root=root, package=package or None, checksum=checksum, flush=False, uid=int(owner), gid=int(owner), changes=Changes())
"""


class Side(Fleet):
    """Hosts that one checkout has deployed."""

    def __init__(self, directory: Path, checkout: Path, hosts: int) -> None:
        directory.mkdir()
        self.collections = directory / "collections"
        (self.collections / "ansible_collections/erlang").mkdir(parents=True)
        (self.collections / "ansible_collections/erlang/otp").symlink_to(checkout)
        super().__init__(directory, hosts)
        self.numbers = itertools.count()
        self.checksum = f"sha256:{sha256(str(self.package))}"
        self.empty()
        self.deploy()
        host = self.names[0]
        node = {"node": f"{host}x{os.getpid()}@localhost", "cookie": "BENCHMARK", "epmd_port": self.ports["epmd"]}
        self.calls: dict[str, dict[str, t.Any]] = {
            "otp_rpc": {"module": "erlang", "function": "node", **node},
            "otp_release_info": {"root": self.root(host), **node},
            "otp_release_handler": {"root": self.root(host), "release": "1.0", "state": "permanent", **node},
        }
        for module, options in self.calls.items():
            self.write(f"{module}.yml", f"- hosts: {host}\n  gather_facts: false\n  tasks:\n    - erlang.otp.{module}: {json.dumps(options)}\n")

    def environment(self, **settings: str) -> dict[str, str]:
        return super().environment(ANSIBLE_COLLECTIONS_PATH=str(self.collections), **settings)

    def deploy(self) -> Cost:
        return self.run("ansible-playbook", "erlang.otp.deploy", "-e", f"otp_package={self.package}")

    def call(self, module: str) -> Cost:
        return self.run("ansible-playbook", self.directory / f"{module}.yml")

    def install(self, owner: int, *, again: bool) -> Cost:
        """The release below a new root directory, or one that has it, by the host's Python alone."""
        root = self.directory / (f"owner{owner}" if again else f"new{next(self.numbers)}")
        package = "" if again and root.exists() else str(self.package)
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        command = [sys.executable, "-I", "-S", "-c", INSTALL, self.collections, root, package, self.checksum, str(owner)]
        subprocess.run(command, check=True)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        return Cost(wall, 0.0, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def pairs(count: int, ours: t.Callable[[], Cost], theirs: t.Callable[[], Cost]) -> list[float]:
    """Medians of our cost, and of the ratios."""
    ours(), theirs()
    costs = []
    for number in range(count):
        if number % 2:
            costs.append((ours(), theirs()))
        else:
            costs.append((theirs(), ours())[::-1])
    ratios = ([a / b if b else 1.0 for a, b in zip(*pair)] for pair in costs)
    return [*map(statistics.median, zip(*(cost for cost, _other in costs))), *map(statistics.median, zip(*ratios))]


def rows(ours: Side, theirs: Side, repeats: int) -> dict[str, t.Callable[[], list[float]]]:
    """What is measured, and how."""
    found = {}
    for owner in (-1, OWNER) if os.geteuid() == 0 else (-1,):
        for what, again, count in (("first run", False, repeats), ("second run", True, 10 * repeats)):
            one, other = (functools.partial(side.install, owner, again=again) for side in (ours, theirs))
            found[f"host: {what}{', as the owner' if owner == OWNER else ''}"] = functools.partial(pairs, count, one, other)
    found["deploy, converged"] = functools.partial(pairs, repeats, ours.deploy, theirs.deploy)
    for module in ours.calls:
        found[module] = functools.partial(pairs, repeats, functools.partial(ours.call, module), functools.partial(theirs.call, module))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="the other checkout")
    parser.add_argument("--hosts", type=int, default=1, help="how many hosts (default: 1)")
    parser.add_argument("--pairs", type=int, default=10, help="runs of each side (default: 10)")
    parser.add_argument("--only", default="", help="only rows with this text")
    arguments = parser.parse_args()
    print(f"{'load ' + str(os.getloadavg()[0]):44} {'wall s':>8} {'ctrl s':>8} {'all s':>8} {'wall /':>8} {'ctrl /':>8} {'all /':>8}")
    signal.signal(signal.SIGTERM, lambda *dummy: sys.exit("terminated"))
    with tempfile.TemporaryDirectory(prefix="erlang-otp-") as name, contextlib.ExitStack() as stack:
        directory, sides = Path(name), []
        directory.chmod(0o755)
        for side, checkout in (("ours", ROOT), ("theirs", arguments.checkout.resolve())):
            sides.append(Side(directory / side, checkout, arguments.hosts))
            stack.callback(sides[-1].end)
        for what, measure in rows(*sides, arguments.pairs).items():
            if arguments.only in what:
                print(f"{what:44} {' '.join(f'{figure:8.3f}' for figure in measure())}", flush=True)


if __name__ == "__main__":
    main()
