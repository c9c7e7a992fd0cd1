# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is reported, what runs in the end, and what the next run does, when something breaks in the middle of an upgrade.

The tests are in the order of a fleet's life: its hosts run FIRST, get a configuration that does not boot, are upgraded to SECOND with four faults,
to THIRD with three more, and to FOURTH, whose package is uploaded, with two.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import pytest
from fleet import ROOT, UTILS, Fleet, Run

ON_FIRST, ON_SECOND, ON_THIRD = (("FIRST", "FIRST"), ("SECOND", "SECOND"), ("THIRD", "THIRD"))
# FOURTH has the exchange of THIRD.
ON_FOURTH = ("THIRD", "FOURTH")
ONE_BY_ONE = {"otp_serial": 1}


@pytest.fixture(scope="module")
def fleet() -> t.Iterator[Fleet]:
    directory = Path(tempfile.mkdtemp(prefix="faults-"))
    yield Fleet(directory)
    shutil.rmtree(directory)


def gate(host: str) -> dict[str, t.Any]:
    """One that every host passes but this one."""
    there = f"{{{{ 'elsewhere' if inventory_hostname == '{host}' else inventory_hostname }}}}"
    return {"otp_gates": [{"rpc": {"module": "erlang", "function": "node", "expect": f"'exchange@{there}'"}}]}


@contextlib.contextmanager
def called(fleet: Fleet) -> t.Iterator[dict[str, dict[str, float]]]:
    """What a program on another host that calls all of them has seen, when the block has ended."""
    (builder,) = fleet.groups["otp_builders"]
    seen: dict[str, dict[str, float]] = {}
    command = [fleet.engine_program, "exec", "-i", builder, "python3", "-", "/tmp/calling", *fleet.hosts]
    with (UTILS / "files" / "call.py").open() as program, subprocess.Popen(command, stdin=program, stdout=subprocess.PIPE, text=True) as calls:
        fleet.run(builder, "while [ ! -e /tmp/calling ]; do sleep 0.1; done")
        try:
            yield seen
        finally:
            fleet.run(builder, "rm /tmp/calling")
            seen.update(json.loads(calls.communicate()[0].splitlines()[-1]))


def break_line(fleet: Fleet, host: str, release: str, mark: Path) -> Run:
    """The upgrade of a host that leaves the network while its package goes over, and is not back at the end."""
    line = f"-o ProxyCommand='python3 {Path(__file__).parent}/stuck_line.py %h %p {mark}' -o ControlPath={fleet.directory}/stuck"
    playbook = fleet.upgrade(release, host, **{f"ansible_{program}_extra_args": line for program in ("ssh", "sftp", "scp")})
    deadline = time.monotonic() + 600
    while not mark.exists():
        assert time.monotonic() < deadline and playbook.process.poll() is None, playbook.process.communicate()[0]
        time.sleep(0.1)
    fleet.engine("network", "disconnect", fleet.network, host)
    mark.unlink()
    return playbook.end(2)


def test_a_configuration_that_does_not_boot(fleet: Fleet) -> None:
    one, *others = fleet.hosts
    first = {"otp_package": str(fleet.package("FIRST")), **ONE_BY_ONE}
    with called(fleet) as seen:
        run = fleet.start("deploy", otp_restart_on_change=True, otp_erl_flags=["+no_such_flag"], **first).end(2)
        assert run.outcomes() == ["rolled back", "not restarted", "not restarted", "not restarted"], run.output
        assert fleet.look() == [ON_FIRST] * 4 and fleet.run(one, "systemctl is-active exchange") == "active\n"
    assert seen[one]["restarts"] == 1 and seen[one]["failed"] > 0
    assert [seen[host][what] for host in others for what in ("restarts", "failed")] == [0] * 6

    right = fleet.start("deploy", **first).end(0)
    assert right.outcomes() == ["unchanged", "changed", "changed", "changed"], right.output
    with called(fleet) as seen:
        assert fleet.start("restart", **ONE_BY_ONE, **gate("")).end(0).outcomes() == ["done"] * 4
        assert fleet.look() == [ON_FIRST] * 4
    assert [seen[host]["restarts"] for host in fleet.hosts] == [1] * 4


def test_a_bad_release_in_batch_2_of_4(fleet: Fleet) -> None:
    one, two, three, four = fleet.hosts
    run = fleet.upgrade("SECOND", **ONE_BY_ONE, **gate(two)).end(2)
    assert run.outcomes() == ["done", "rolled back", "not reached", "not reached"], run.output
    assert [run.rows[host][:2] for host in (one, two, three)] == [["FIRST", "SECOND"], ["FIRST", "FIRST"], ["FIRST", "FIRST"]]
    assert f"{two}: Install the release: " in run.text and f"erlang:node/0 returned 'exchange@{two}'" in run.text, run.output
    assert fleet.look() == [ON_SECOND, ON_FIRST, ON_FIRST, ON_FIRST]
    # Nothing has been brought to the later ones.
    assert [fleet.run(host, f"ls {ROOT}/releases | grep -c SECOND || true") for host in (three, four)] == ["0\n", "0\n"]

    again = fleet.upgrade("SECOND", **ONE_BY_ONE).end(2)
    assert again.outcomes() == ["not reached", "refused", "not reached", "not reached"], again.output
    assert f"{two}: release SECOND failed on this host" in again.text and "set otp_force" in again.text, again.output
    assert fleet.look() == [ON_SECOND, ON_FIRST, ON_FIRST, ON_FIRST]


def test_the_controller_is_killed_between_install_and_commit(fleet: Fleet) -> None:
    host = fleet.hosts[1]
    playbook = fleet.upgrade("SECOND", host, otp_force=True, fault=["sh", "-c", "sleep 100"], otp_hooks={"gate": str(UTILS / "tasks" / "fault.yml")})
    playbook.wait_for("Cause the fault")
    playbook.kill()
    assert fleet.look(host) == [("SECOND", "FIRST")]
    run = fleet.upgrade("SECOND", host, otp_force=True).end(0)
    assert run.rows[host][:2] == ["SECOND", "SECOND"] and run.outcomes() == ["done"], run.output
    assert fleet.look(host) == [ON_SECOND]


def test_a_host_is_paused(fleet: Fleet) -> None:
    """It gets what was sent to it while it was paused. So the commit, for which the run waits no longer, is made or not."""
    host = fleet.hosts[2]
    run = fleet.upgrade("SECOND", host, **fleet.strike("pause")).end(2)
    assert run.rows[host][:2] == ["FIRST", "?"] and run.outcomes() == ["failed"], run.output
    assert "the host cannot be reached" in run.text and "; and the rollback failed: the host cannot be reached: " in run.text, run.output
    fleet.revive("unpause", host)
    assert fleet.look(host)[0] in [ON_SECOND, ("SECOND", "FIRST")]
    run = fleet.upgrade("SECOND", host).end(0)
    assert run.outcomes()[0] in ("done", "unchanged"), run.output
    assert fleet.look(host) == [ON_SECOND]


def test_a_host_dies_and_comes_back(fleet: Fleet) -> None:
    """What was not committed is not run after a boot, and may be what has killed the host: so it is refused until otp_force."""
    host = fleet.hosts[3]
    # Before the installation, which the next run goes on with; and after it.
    for hook in ("before", "gate"):
        run = fleet.upgrade("SECOND", host, **fleet.strike("kill", hook=hook)).end(2)
        assert run.rows[host][:2] == ["FIRST", "?"] and run.outcomes() == ["failed"], run.output
        fleet.revive("start", host)
        assert fleet.look(host) == [ON_FIRST]
    run = fleet.upgrade("SECOND", host).end(2)
    assert run.outcomes() == ["refused"] and "the emulator ended" in run.text and "set otp_force" in run.text, run.output
    assert fleet.upgrade("SECOND", host, otp_force=True).end(0).outcomes() == ["done"]
    assert fleet.look(host) == [ON_SECOND]


def test_the_network_breaks_while_the_package_goes_over(fleet: Fleet, tmp_path: Path) -> None:
    host = fleet.hosts[2]
    before = fleet.files(host)
    run = break_line(fleet, host, "THIRD", tmp_path / "mark")
    # The report has no release for it, because it did not answer.
    assert run.rows[host][:2] == ["-", "-"] and run.outcomes() == ["refused"], run.output
    assert f"{host}: the host cannot be reached: " in run.text, run.output
    fleet.revive("network", "connect", fleet.network, host)
    assert fleet.look(host) == [ON_SECOND]
    assert fleet.files(host) == before
    assert fleet.upgrade("THIRD", host).end(0).outcomes() == ["done"]
    assert fleet.look(host) == [ON_THIRD]


def test_a_disk_is_full(fleet: Fleet) -> None:
    host = fleet.hosts[0]
    before = fleet.files(host)
    fleet.run(host, "fallocate -l $(($(df --output=avail -B1 /srv | tail -n1) - 18000000)) /srv/ballast")
    run = fleet.upgrade("THIRD", host).end(2)
    assert run.outcomes() == ["refused"], run.output
    assert f"cannot install below {ROOT}" in run.text and "No space left on device. Nothing is half installed." in run.text, run.output
    assert re.search(r"Make room: 17\.\d MiB is free, and the whole package needs \d\d\.\d MiB", run.text), run.output
    assert fleet.look(host) == [ON_SECOND]
    assert fleet.files(host) == before
    fleet.run(host, "rm /srv/ballast")
    assert fleet.upgrade("THIRD", host).end(0).outcomes() == ["done"]
    assert fleet.look(host) == [ON_THIRD]


def test_two_operators_at_once(fleet: Fleet) -> None:
    """Each host is one run's, and the other run is refused there, or comes later and finds it done. The next run does what is left."""
    _one, two, _three, four = fleet.hosts
    playbooks = [fleet.upgrade("THIRD", two, four, otp_serial="100%") for dummy in range(2)]
    outcomes = [outcome for playbook in playbooks for outcome in playbook.end(0, 2).outcomes()]
    assert set(outcomes) <= {"done", "unchanged", "refused", "held back"}, outcomes
    assert set(fleet.upgrade("THIRD", two, four, otp_serial="100%").end(0).outcomes()) <= {"done", "unchanged"}
    assert fleet.look() == [ON_THIRD] * 4


def test_the_network_breaks_while_a_large_package_is_uploaded(fleet: Fleet, tmp_path: Path) -> None:
    """The half of it that is on the host goes when the next one comes."""
    host = fleet.hosts[2]
    before = fleet.files(host)
    run = break_line(fleet, host, "FOURTH", tmp_path / "mark")
    assert run.rows[host][:2] == ["-", "-"] and run.outcomes() == ["refused"], run.output
    assert f"{host}: the host cannot be reached: Failed to connect to the host via ssh: " in run.text, run.output
    fleet.revive("network", "connect", fleet.network, host)
    assert fleet.look(host) == [ON_THIRD]
    left = sorted(set(fleet.files(host)) - set(before))
    assert not [path for path in left if path.startswith(ROOT)], left
    half = left[-1]
    assert half.endswith("/erlang-otp-package.tar.gz") and 0 < int(fleet.run(host, f"stat -c %s {half}")) < fleet.package("FOURTH").stat().st_size, left
    # As if nothing had been written to it since.
    fleet.run(host, f"touch -d '6 minutes ago' {half}")
    assert fleet.upgrade("FOURTH", host).end(0).outcomes() == ["done"]
    assert fleet.look(host) == [ON_FOURTH]
    assert not [path for path in fleet.files(host) if "/ansible-tmp-" in path]


def test_the_temporary_directory_is_full(fleet: Fleet) -> None:
    host = fleet.hosts[3]
    fleet.run(host, "fallocate -l $(($(df --output=avail -B1 /dev/shm | tail -n1) - 18000000)) /dev/shm/ballast")
    before = fleet.files(host)
    run = fleet.upgrade("FOURTH", host, ansible_remote_tmp="/dev/shm/ansible").end(2)
    assert run.outcomes() == ["refused"], run.output
    assert re.search(r"exchange-FOURTH.tar.gz cannot be uploaded to /dev/shm/ansible on the host: 17\.\d MiB is free there, and it needs 2\d\.\d MiB", run.text)
    assert " transfer mechanism failed" not in run.output, run.output
    assert fleet.files(host) == before and fleet.run(host, "ls -A /dev/shm/ansible") == ""
    assert fleet.look(host) == [ON_THIRD]
    fleet.run(host, "rm /dev/shm/ballast")
    assert fleet.upgrade("FOURTH", host, ansible_remote_tmp="/dev/shm/ansible").end(0).outcomes() == ["done"]
    assert fleet.look(host) == [ON_FOURTH]
    assert fleet.run(host, "ls -A /dev/shm/ansible") == ""
