# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fleet costs: playbooks/deploy.yml against ``ansible -m ping`` on the same hosts, and against an operator's own playbook.

Whole processes over SSH with warm connections and pipelining, in pairs (A B A B); what is printed are medians of A, and medians of the
pairs' ratios A / B: by the clock, of the controller's CPU, and of the CPU of controller and hosts together. They share this machine: the
clock counts both, and where something else runs on it, the last column is the one to read.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
import typing as t
from pathlib import Path

from fleet_hosts import Cost, Fleet

# As an operator writes it who has no role for it: a task for each thing.
PLAIN = """
- hosts: otp
  vars:
    root: "{directory}/plain/{{{{ inventory_hostname }}}}"
  tasks:
    - ansible.builtin.file:
        path: "{{{{ root }}}}/{{{{ item }}}}"
        state: directory
      loop: [home, log, pipe]
    - ansible.builtin.copy:
        src: {package}
        dest: "{{{{ root }}}}/release.tar.gz"
    - ansible.builtin.unarchive:
        src: "{{{{ root }}}}/release.tar.gz"
        dest: "{{{{ root }}}}"
        remote_src: true
        creates: "{{{{ root }}}}/releases/1.0"
    - ansible.builtin.template:
        src: {directory}/start.j2
        dest: "{{{{ root }}}}/start"
        mode: "0755"
    - ansible.builtin.template:
        src: {directory}/node.j2
        dest: "{{{{ root }}}}/node"
        mode: "0755"
    - ansible.builtin.template:
        src: {directory}/sys.config.j2
        dest: "{{{{ root }}}}/releases/1.0/sys.config"
    - ansible.builtin.copy:
        content: "{{{{ otp_cookie }}}}"
        dest: "{{{{ root }}}}/home/.erlang.cookie"
        mode: "0400"
    - ansible.builtin.command:
        cmd: pgrep -f "^{{{{ root }}}}/erts-"
      register: running
      changed_when: false
      # Status 1: the node does not run yet, so the next task starts it.
      failed_when: running.rc > 1
    - ansible.builtin.command:
        cmd: "{{{{ root }}}}/start"
      when: running.rc != 0
"""
START = """#!/bin/sh
export ERL_EPMD_PORT={{ otp_environment.ERL_EPMD_PORT }} HOME={{ root }}/home ROOTDIR={{ root }} BINDIR={{ root }}/erts-ERTS/bin EMU=beam PROGNAME=erl
exec $BINDIR/run_erl -daemon {{ root }}/pipe/ {{ root }}/log "exec {{ root }}/node"
"""
NODE = """#!/bin/sh
exec $BINDIR/erlexec -boot {{ root }}/releases/1.0/start -config {{ root }}/releases/1.0/sys.config -sname plain{{ otp_node_name }} \\
  {{ otp_erl_flags | join(' ') }}
"""
SYS_CONFIG = "[{kernel,[{logger_level,error}]}].\n"

# The package brought and installed, without a node: against a copy of it, of 8 MB.
SHIP = """
- hosts: otp
  gather_facts: false
  tasks:
    - erlang.otp.otp_target_system:
        root: "{directory}/ours/{{{{ inventory_hostname }}}}"
        package: {package}
        user: "{{{{ otp_user }}}}"
        group: "{{{{ otp_group }}}}"
        home: "{{{{ otp_home }}}}"
        state: present
"""
COPY = """
- hosts: otp
  gather_facts: false
  tasks:
    - ansible.builtin.copy:
        src: {package}
        dest: "{directory}/plain/{{{{ inventory_hostname }}}}.tar.gz"
"""

Run = t.Callable[[], Cost]


class Sides:
    """The runs that are compared, on the first hosts of the fleet."""

    def __init__(self, fleet: Fleet, count: int) -> None:
        self.fleet = fleet
        self.limit = ["--limit", ",".join(fleet.names[:count])]
        known = {"directory": fleet.directory, "package": fleet.package}
        for name, text in (("plain.yml", PLAIN), ("ship.yml", SHIP), ("copy.yml", COPY)):
            fleet.write(name, text.format(**known))
        for name, text in (("start.j2", START), ("node.j2", NODE), ("sys.config.j2", SYS_CONFIG)):
            fleet.write(name, text.replace("erts-ERTS", f"erts-{fleet.erts_version}"))

    def play(self, name: str) -> Cost:
        return self.fleet.run("ansible-playbook", *self.limit, self.fleet.directory / name)

    def ping(self) -> Cost:
        return self.fleet.run("ansible", *self.limit, "otp", "-m", "ansible.builtin.ping")

    def deploy(self) -> Cost:
        return self.fleet.run("ansible-playbook", *self.limit, "erlang.otp.deploy", "-e", f"otp_package={self.fleet.package}")

    def deploy_again(self) -> Cost:
        cost = self.deploy()
        assert "changed=0" in self.fleet.said and "changed=1" not in self.fleet.said, self.fleet.said
        return cost

    def upgrade(self) -> Cost:
        """All nodes at once to the release where they are not: the first time it is brought, then they go back and forth."""
        there = self.fleet.root(self.fleet.names[0])
        goes_up = Path(there, "releases", "start_erl.data").read_text().split()[1] == "1.0"
        what = ["-e", "otp_upgrade_to=1.1", "-e", f"otp_package={self.fleet.next_package}"] if goes_up else ["-e", "otp_upgrade_to=1.0"]
        return self.fleet.run("ansible-playbook", *self.limit, "erlang.otp.upgrade", "-e", "otp_serial=100%", *what)

    def plain(self) -> Cost:
        return self.play("plain.yml")

    def ship(self) -> Cost:
        return self.play("ship.yml")

    def copy(self) -> Cost:
        return self.play("copy.yml")


def pairs(count: int, ours: Run, theirs: Run, before: t.Callable[[], object] = lambda: None) -> list[float]:
    """Medians of our cost, and of the ratios."""
    costs = []
    for _number in range(count):
        before()
        costs.append((ours(), theirs()))
    mine = [statistics.median(column) for column in zip(*(a for a, _b in costs))]
    ratios = [statistics.median(column) for column in zip(*([x / y for x, y in zip(a, b)] for a, b in costs))]
    return [*mine, *ratios]


def measure(fleet: Fleet, count: int, repeats: int, *, only_hot: bool) -> t.Iterator[tuple[str, list[float], str]]:
    """Rows of (what, figures, goal)."""
    sides = Sides(fleet, count)
    fleet.empty()
    # So that the connections are there.
    sides.ping()
    few = max(1, repeats // 2)
    if only_hot:
        sides.deploy()
        yield "hot upgrade / ping", pairs(few, sides.upgrade, sides.ping), "0.60"
        return
    yield "package / copy, new", pairs(few, sides.ship, sides.copy, fleet.empty), "0.25"
    yield "package / copy, unchanged", pairs(few, sides.ship, sides.copy), "0.15"
    yield "first deploy / plain", pairs(few, sides.deploy, sides.plain, fleet.empty), "0.25"
    yield "deploy, converged / plain", pairs(few, sides.deploy_again, sides.plain), "0.05"
    yield "deploy, converged / ping", pairs(repeats, sides.deploy_again, sides.ping), "1.00"
    yield "hot upgrade / ping", pairs(few, sides.upgrade, sides.ping), "0.60"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 8, 32], help="how many hosts (default: 1 8 32)")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each side (default: 5)")
    parser.add_argument("--hot", action="store_true", help="the hot upgrade alone, which at many hosts saves most of the time")
    parser.add_argument("--quick", action="store_true", help="one pair on one host")
    arguments = parser.parse_args()
    sizes, repeats = ([1], 1) if arguments.quick else (arguments.hosts, arguments.pairs)
    print(f"{'load ' + str(os.getloadavg()[0]):44} {'wall s':>8} {'ctrl s':>8} {'all s':>8} {'wall /':>8} {'ctrl /':>8} {'all /':>8} {'goal':>6}")
    # So that nothing stays behind then either.
    signal.signal(signal.SIGTERM, lambda *dummy: sys.exit("terminated"))
    with tempfile.TemporaryDirectory(prefix="erlang-otp-") as directory:
        fleet = Fleet(Path(directory), max(sizes))
        try:
            for size in sizes:
                for what, figures, goal in measure(fleet, size, repeats, only_hot=arguments.hot):
                    print(f"{f'{size} hosts: {what}':44} {' '.join(f'{figure:8.3f}' for figure in figures)} {goal:>6}", flush=True)
        finally:
            fleet.end()


if __name__ == "__main__":
    main()
