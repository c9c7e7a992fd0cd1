# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Client nodes through their life: a release for each of them, back, a crash, a master that is down, and a client that leaves.

The tests are in the order of that life. Of each generation of OTP there are read-only clients a and b (b25 of a machine type that runs
OTP 27), a disk-less client d, and their master m; c25 is of a type that is the same machine. All of them run FIRST.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
from fleet import ROOT, UTILS, VERSIONS, Fleet, Playbook

PACKAGE = "{{ inventory_dir }}/.packages/exchange{{ '27' if otp_client_type | default('') == 'newer' else generation }}-SECOND.tar.gz"
OTHER_EMULATOR = {"otp_package": "{{ inventory_dir }}/.packages/exchange27-THIRD.tar.gz", "otp_allow_restart": True}
NEVER = [{"rpc": {"module": "erlang", "function": "node", "expect": "no_such_node"}}]
CHANGED = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+)", re.MULTILINE)
STATUS = re.compile(r'^ +"( *)\S+-([a-z]\d+)  +(\w+)  +(\S+ \w+)  +(\w+)', re.MULTILINE)


class Clients(Fleet):
    """Hosts are named by the end of their names, such as a25."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.beginning = self.hosts[0].rpartition("-")[0]
        self.hosts = [*self.groups["otp_clients"], *self.groups["otp"]]

    def named(self, *ends: str) -> list[str]:
        return [f"{self.beginning}-{end}" for end in ends]

    def start(self, playbook: str, *ends: str, **variables: t.Any) -> Playbook:
        return super().start(playbook, *self.named(*ends), **variables)

    def upgrade(self, release: str, *ends: str, **variables: t.Any) -> Playbook:
        given = {"otp_hosts": "otp_clients", "otp_package": PACKAGE, "otp_upgrade_to": release, "otp_verify_timeout": 10, "otp_serial": "100%"}
        return self.start("upgrade", *ends, **{**given, **variables})

    def changes(self, playbook: str, *ends: str, **variables: t.Any) -> dict[str, int]:
        """How many tasks of a playbook changed each host."""
        output = self.start(playbook, *ends, **variables).end(0).output
        return {host.rpartition("-")[2]: int(count) for host, count in CHANGED.findall(output)}

    def runs(self) -> dict[str, str]:
        """The release of each host, as the exchange itself reports it."""
        found = {}
        for host in self.hosts:
            command = [self.engine_program, "exec", "-i", host, "python3", "-", "127.0.0.1", "version"]
            answer = subprocess.run(command, input=(UTILS / "files" / "dial.py").read_text(), text=True, capture_output=True, timeout=900, check=True).stdout
            found[host.rpartition("-")[2]] = VERSIONS[answer.split()[1]]
        return found

    def on(self, end: str, command: str) -> str:
        return self.run(*self.named(end), command)

    def directories(self, end: str) -> str:
        """The files below clients of a master, with the times of their last change."""
        return self.on(end, f"cd {ROOT}/clients && find . -type f ! -name '.*lock' -printf '%p %s %T@\\n' | sort")


@pytest.fixture(scope="module")
def fleet() -> t.Iterator[Clients]:
    directory = Path(tempfile.mkdtemp(prefix="clients-"))
    yield Clients(directory)
    shutil.rmtree(directory)


def expected(*on_second: str, hosts: t.Iterable[str]) -> dict[str, str]:
    return {host: "SECOND" if host in on_second else "FIRST" for host in hosts}


def test_each_has_a_release_of_its_own(fleet: Clients) -> None:
    """Without a restart: read-only, disk-less, and of a machine type, while the others and the masters stay."""
    everybody = fleet.runs()
    assert set(everybody.values()) == {"FIRST"}
    before = [fleet.on(end, "cat /run/exchange/emulator.pid") for end in ("a25", "b25", "d27")]
    gates = [{"rpc": {"module": "exchange_switch", "function": "calls", "arguments": ['<<"no one">>'], "expect": "0"}}]
    run = fleet.upgrade("SECOND", "a25", "b25", "d27", otp_gates=gates).end(0)
    assert run.outcomes() == ["done"] * 3, run.output
    assert fleet.runs() == expected("a25", "b25", "d27", hosts=everybody)
    assert [fleet.on(end, "cat /run/exchange/emulator.pid") for end in ("a25", "b25", "d27")] == before
    assert sum(fleet.changes("upgrade", "a25", "b25", "d27", otp_hosts="otp_clients", otp_package=PACKAGE, otp_upgrade_to="SECOND").values()) == 0


def test_nothing_is_left_to_be_done(fleet: Clients) -> None:
    changed = {**fleet.changes("deploy"), **fleet.changes("clients")}
    assert len(changed) >= len(fleet.hosts) and set(changed.values()) == {0}, changed


def test_clients_are_below_their_masters(fleet: Clients) -> None:
    run = fleet.start("status").end(0)
    rows = [(end, state, release.split()[1], permanent) for dummy, end, state, release, permanent in STATUS.findall(run.output)]
    assert {end: release for end, _state, release, _permanent in rows} == fleet.runs(), run.output
    assert {state for _end, state, _release, _permanent in rows} == {"running"}, run.output
    assert [(len(indent), end) for indent, end, *dummy in STATUS.findall(run.output)] == [
        (0, "m25"), (2, "a25"), (2, "b25"), (2, "c25"), (2, "d25"), (0, "m27"), (2, "a27"), (2, "b27"), (2, "d27"),
    ]  # fmt: skip


def test_a_disk_less_client_boots_the_release_that_is_permanent(fleet: Clients) -> None:
    fleet.on("d27", "systemctl restart exchange")
    assert fleet.runs()["d27"] == "SECOND"


def test_restarted_with_a_change_by_batches(fleet: Clients) -> None:
    """Under systemd. The one without a disk does not pass its gate, and has its earlier environment then."""
    ends, changed = ("a27", "d27"), {"otp_environment": {"TRIED": "yes"}, "otp_restart_on_change": True}

    def pids() -> list[str]:
        return [fleet.on(end, "cat /run/exchange/emulator.pid") for end in ends]

    def tried() -> list[str]:
        return [fleet.on(end, f"grep -c TRIED {ROOT}/clients/$(hostname | sed 's/^/exchange@/')/bin/environment || true").strip() for end in ends]

    releases, before = fleet.runs(), pids()
    run = fleet.start("clients", "d27", otp_gates=NEVER, otp_verify_timeout=2, **changed).end(2)
    assert run.outcomes() == ["rolled back"], run.output
    assert (tried(), pids()[0], fleet.runs()) == (["0", "0"], before[0], releases) and pids()[1] != before[1]
    before = pids()
    assert fleet.start("clients", *ends, **changed).end(0).outcomes() == ["restarted"] * 2
    assert (tried(), fleet.runs()) == (["1", "1"], releases) and not {*pids()} & {*before}
    assert fleet.start("clients", *ends, otp_restart_on_change=True).end(0).outcomes() == ["restarted"] * 2
    assert (tried(), fleet.runs()) == (["0", "0"], releases)


def test_they_go_back(fleet: Clients) -> None:
    run = fleet.start("rollback", "a25", "d27", otp_hosts="otp_clients", otp_serial="100%").end(0)
    assert run.outcomes() == ["done"] * 2, run.output
    assert fleet.runs() == expected("b25", hosts=fleet.runs())


def test_a_crash_before_the_commit(fleet: Clients) -> None:
    crash = ["sh", "-c", f"{fleet.engine_program} exec $0 sh -c 'kill -KILL $(cat /run/exchange/emulator.pid)'"]
    run = fleet.upgrade("SECOND", "b27", fault=crash, otp_hooks={"gate": str(UTILS / "tasks" / "fault.yml")}).end(2)
    assert run.outcomes() == ["rolled back"], run.output
    assert fleet.runs()["b27"] == "FIRST"
    run = fleet.upgrade("SECOND", "b27").end(2)
    assert run.outcomes() == ["refused"] and "set otp_force" in run.text, run.output


def test_a_master_is_down(fleet: Clients) -> None:
    """Nothing is changed then. A client that starts meanwhile knows nothing of its libraries, until it is asked to do something."""
    fleet.on("m25", "systemctl stop exchange")
    fleet.on("a25", "systemctl restart exchange")
    before = fleet.directories("m25")
    run = fleet.upgrade("SECOND", "a25", "d25").end(2)
    assert run.outcomes() == ["refused"] * 2, run.output
    assert f"exchange@{fleet.named('m25')[0]}" in run.text, run.output
    assert fleet.directories("m25") == before
    fleet.on("m25", "systemctl start exchange")
    run = fleet.upgrade("SECOND", "a25", "d25").end(0)
    assert run.outcomes() == ["done"] * 2, run.output
    assert fleet.runs() == expected("a25", "b25", "d25", hosts=fleet.runs())


def test_another_emulator(fleet: Clients) -> None:
    """From OTP 25 to OTP 27, and back; under systemd, which does not notice. A disk-less client cannot, but may be led elsewhere while it is down."""
    run = fleet.upgrade("THIRD", "d25", **OTHER_EMULATOR).end(2)
    assert run.outcomes() == ["refused"] and "static" in run.text, run.output
    fleet.changes("clients", "d25", otp_state="stopped")
    fleet.changes("clients", "d25", otp_release="FIRST")
    unit = fleet.on("c25", "systemctl show exchange -p InvocationID -p NRestarts")
    for release in ("SECOND", "THIRD"):
        run = fleet.upgrade(release, "c25", **(OTHER_EMULATOR if release == "THIRD" else {})).end(0)
        assert run.outcomes() == ["done"] and fleet.runs()["c25"] == release, run.output
    run = fleet.start("rollback", "c25", otp_hosts="otp_clients", otp_allow_restart=True).end(0)
    assert run.outcomes() == ["done"], run.output
    assert fleet.on("c25", "systemctl show exchange -p InvocationID -p NRestarts") == unit
    assert fleet.runs() == expected("a25", "b25", "c25", hosts=fleet.runs())


def test_one_leaves(fleet: Clients) -> None:
    fleet.on("m27", f"cp -a {ROOT}/clients/exchange@{fleet.named('a27')[0]} {ROOT}/clients/left@{fleet.named('m27')[0]}")
    run = fleet.start("clients", "d27", "b27", otp_client_state="absent").end(0)
    assert f"[WARNING]: {fleet.named('m27')[0]} has directories of clients that the inventory does not have: left@{fleet.named('m27')[0]}." in run.text, (
        run.output
    )
    changed = fleet.changes("clients", "d27", "b27", otp_client_state="absent", otp_clients_prune=True)
    # The first of the clients also removed the other directory.
    assert sorted(changed.values()) == [0, 1], changed
    assert fleet.on("m27", f"ls {ROOT}/clients").split() == [f"exchange@{fleet.named('a27')[0]}"]
    assert fleet.on("d27", f"ls {ROOT}/clients; ls /etc/systemd/system | grep exchange || true") == ""
    # The boot server does not answer it any more, and all others continue.
    left = subprocess.run(
        [fleet.engine_program, "exec", "-i", *fleet.named("d27"), "python3", "-", *fleet.named("m27"), "15.2.7", "/etc/hostname"],
        input=(Path(__file__).parent / "boot.py").read_text(), text=True, capture_output=True, timeout=900, check=True,
    ).stdout  # fmt: skip
    assert left == "nothing\n"
    fleet.hosts = [host for host in fleet.hosts if host not in fleet.named("d27", "b27")]
    assert fleet.runs() == expected("a25", "b25", "c25", hosts=fleet.runs())
