# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Untouched packages of rebar3 and mix on hosts with systemd: deployed or taken over, killed, upgraded, rolled back, and killed without their first release.

The tests are in the order of that life. What runs is asked of the host's own programs, and of the node by an emulator beside it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fleet import Fleet, Run

RECAP = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+)", re.MULTILINE)
CHANGED = re.compile(r"^changed: \[(\S+)\] => (\{.*\})$", re.MULTILINE)
# What the second version has changed: a call, and its value in each version.
CHANGE = {
    "tele": ("erlang,function_exported,[tele_app,hello,0]", {"0.1.0": "false", "0.2.0": "true"}),
    "shop": ('list_to_atom("Elixir.Shop"),hello,[]', {"0.1.0": "world", "0.2.0": "moon"}),
}
# The restarts by systemd, the state of the unit, whether it starts at boot, whether it has the emulator, whether there is heart.
RUNS = "0 active enabled 1 1"
PROBE = """
cd {root} && {{ read -r erts vsn <releases/start_erl.data || true; }}
export ROOTDIR=$PWD/. BINDIR=$PWD/erts-$erts/bin EMU=beam PROGNAME=erl HOME=/var/lib/{user}
exec setpriv --reuid={user} --regid={user} --clear-groups \\
    "$BINDIR/erlexec" -boot "$PWD/releases/$vsn/start_clean" -boot_var RELEASE_LIB "$PWD/lib" -noinput -hidden -sname probe -eval '
        [_, Host] = string:split(atom_to_list(node()), "@"), io:format("~0tp", [rpc:call(list_to_atom("{user}@" ++ Host), {call})]), halt().'
"""


class Packages(Fleet):
    """The service user of a host has the name of its release: tele, shop."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.by_hand = self.groups["by_hand"]
        self.deployed = [host for host in self.hosts if host not in self.by_hand]

    @staticmethod
    def user(host: str) -> str:
        return host.rpartition("-")[2][:-1]

    def each(self, question: t.Callable[[str], t.Any], hosts: t.Sequence[str] = ()) -> dict[str, t.Any]:
        """The answer for each of these hosts, or all, at the same time."""
        hosts = hosts or self.hosts
        with ThreadPoolExecutor(len(hosts)) as pool:
            return dict(zip(hosts, pool.map(question, hosts)))

    def pid(self, host: str) -> str:
        """The processes of the service user that are emulators: one."""
        return self.run(host, f"pgrep -u {self.user(host)} -x beam.smp")

    def call(self, host: str, call: str) -> str:
        """The value of a call of the node."""
        return self.run(host, PROBE.format(root=f"/opt/{self.user(host)}", user=self.user(host), call=call))

    def runs(self, host: str) -> str:
        """The release whose code the node runs, which is the permanent one."""
        user = self.user(host)
        known = re.fullmatch(rf'\[{{"{user}","([0-9.]+)",.*,permanent}}\]', self.call(host, "release_handler,which_releases,[permanent]"))
        call, values = CHANGE[user]
        assert known and self.call(host, call) == values[known[1]], (host, known)
        return known[1]

    def unit(self, host: str) -> str:
        """What systemd says of the unit of the node, and the kernel of its processes, as in RUNS."""
        user = self.user(host)
        states = f"systemctl show --value -p NRestarts -p ActiveState -p UnitFileState {user} | xargs"
        processes = f"grep -cm 1 /{user}.service$ /proc/$(pgrep -u {user} -x beam.smp)/cgroup; pgrep -c -u {user} -x heart"
        return " ".join(self.run(host, f"{states}; {processes} || true").split())

    def actions(self, run: Run) -> dict[str, list[str]]:
        """What is done, or would be, on the hosts where something runs. A directory in the package is one of its files."""
        found = {host: json.loads(result)["actions"] for host, result in CHANGED.findall(run.output) if host in self.by_hand}
        return {host: [action for action in actions if not action.endswith("/log")] for host, actions in found.items()}

    def remove(self, release: str) -> None:
        """Remove the release from all hosts."""
        options = "root={{ otp_root }} node={{ otp_user }} cookie={{ otp_cookie }} state=absent release=" + release
        command = [str(Path(sys.executable).parent / "ansible"), "-i", str(self.inventory), "otp", "-m", "erlang.otp.otp_release_handler", "-a", options]
        subprocess.run(command, check=True, capture_output=True, timeout=900)

    def kill(self, host: str, programs: str) -> None:
        """Kill these programs of the service user, and wait until another emulator has booted."""
        old = self.pid(host)
        self.run(host, f"pkill -KILL -u {self.user(host)} -x '{programs}'")
        deadline = time.monotonic() + 600
        command = f"pid=$(pgrep -u {self.user(host)} -x beam.smp) && [ $pid != {old.strip()} ] && pgrep -u {self.user(host)} -x heart || true"
        while not self.run(host, command) or "{started," not in self.call(host, "init,get_status,[]"):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def changes(run: Run) -> set[str]:
    """How many tasks have changed a host."""
    return {count for host, count in RECAP.findall(run.output)}


@pytest.fixture(scope="module")
def fleet() -> t.Iterator[Packages]:
    directory = Path(tempfile.mkdtemp(prefix="packages-"))
    yield Packages(directory)
    shutil.rmtree(directory)


def test_deployed_and_taken_over(fleet: Packages) -> None:
    pids = fleet.each(fleet.pid, fleet.by_hand)
    (of_unit, of_ssh) = fleet.by_hand
    refused = fleet.start("deploy", of_unit, v="0.1.0", otp_service_manager="auto").end(2)
    assert "The unit shop.service has, and would start it beside bin/start" in refused.output
    foretold = fleet.actions(fleet.start("deploy", options=("--check", "-v"), v="0.1.0").end(0))
    run = fleet.start("deploy", options=("-v",), v="0.1.0").end(0)
    assert fleet.actions(run) == foretold and foretold.keys() == {*fleet.by_hand}
    assert set(fleet.each(fleet.unit, fleet.deployed).values()) == {RUNS}
    # Until its next restart the system that was started by hand is as it was.
    assert fleet.each(fleet.pid, fleet.by_hand) == pids
    assert fleet.each(fleet.unit, fleet.by_hand) == {of_unit: "0 active enabled 1 0", of_ssh: "0 inactive enabled 0 0"}
    assert "the node tele was not started by tele.service, so systemd does not supervise it: restart it" in run.output
    for host in fleet.by_hand:
        assert f"{host}: it runs without heart until its next restart" in run.text


def test_nothing_is_left_to_do(fleet: Packages) -> None:
    assert changes(fleet.start("deploy", v="0.1.0").end(0)) == {"0"}
    rows = fleet.start("status", v="0.1.0").end(0).rows
    for host in fleet.hosts:
        assert rows[host][:3] == ["disagrees" if host in fleet.by_hand else "running", f"{fleet.user(host)} 0.1.0", "0.1.0"]


def test_killed_under_heart(fleet: Packages) -> None:
    fleet.each(lambda host: fleet.kill(host, "beam.smp"), fleet.deployed)
    assert set(fleet.each(fleet.unit, fleet.deployed).values()) == {RUNS}


def test_upgraded_and_back_by_a_restart_without_appup(fleet: Packages) -> None:
    """Those that were taken over have the packages with a relup, and are not restarted."""
    for playbook, to, variables in (("upgrade", "0.2.0", {"otp_upgrade_to": "0.2.0", "otp_serial": 2}), ("rollback", "0.1.0", {"otp_serial": "100%"})):
        pids = fleet.each(fleet.pid)
        run = fleet.start(playbook, v=to, bare=True, otp_allow_restart=True, **variables).end(0)
        assert run.outcomes() == ["done"] * 4 and fleet.each(fleet.runs) == dict.fromkeys(fleet.hosts, to)
        assert {host for host, pid in fleet.each(fleet.pid).items() if pid == pids[host]} == {*fleet.by_hand}
    assert set(fleet.each(fleet.unit, fleet.deployed).values()) == {RUNS}


def test_upgraded_while_they_run(fleet: Packages) -> None:
    """By the relup of a package with the release that the hosts have."""
    pids = fleet.each(fleet.pid)
    run = fleet.start("upgrade", v="0.2.0", otp_upgrade_to="0.2.0", otp_upgrade_method="hot", otp_serial="100%").end(0)
    assert run.outcomes() == ["done"] * 4 and fleet.each(fleet.pid) == pids and fleet.each(fleet.runs) == dict.fromkeys(fleet.hosts, "0.2.0")


def test_taken_over_by_systemd_at_the_next_restart(fleet: Packages) -> None:
    assert fleet.start("restart", *fleet.by_hand, v="0.2.0", otp_serial="100%").end(0).outcomes() == ["done"] * 2
    assert set(fleet.each(fleet.unit).values()) == {RUNS}


def test_killed_without_their_first_release(fleet: Packages) -> None:
    fleet.remove("0.1.0")
    assert set(fleet.each(lambda host: fleet.run(host, "cd /opt/* && ls releases lib | grep -c 0.1.0 || true")).values()) == {"0\n"}
    fleet.each(lambda host: fleet.kill(host, "beam.smp"))
    assert set(fleet.each(fleet.unit).values()) == {RUNS}
    # Heart as well, so systemd starts them.
    fleet.each(lambda host: fleet.kill(host, "beam.smp|heart|run_erl"))
    assert set(fleet.each(fleet.unit).values()) == {"1 active enabled 1 1"} and fleet.each(fleet.runs) == dict.fromkeys(fleet.hosts, "0.2.0")
    assert changes(fleet.start("deploy", v="0.2.0").end(0)) == {"0"}
