# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traps of a restart in an upgrade: first OTP's own answer, then what we make of it.

===================================================  =======================================================================
T6: {ok,...} before the emulator has ended           test_t06_ok_before_the_restart
the temporary release, and where it stays            test_temporary_release, test_temporary_release_that_stays
a rollback that is only logged                       test_rollback_that_is_only_logged
an error, and the node restarts after it             test_error_and_then_a_restart
bin belongs to the release that was removed          test_bin_of_the_first_release
===================================================  =======================================================================
"""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest
from handler_site import IS_SECOND, OK, Releases, System, disagreements, kinds, on_a_new_emulator, refused, with_another_erts
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._node.reconnecting import is_settled
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom

ERROR, CONTINUES = Atom("error"), Atom("continue_after_restart")


@pytest.fixture
def system(releases: Releases) -> t.Iterator[System]:
    with System(releases) as system:
        yield system.start()


def settled_after(system: System, before: Running) -> Running:
    """The node when it has restarted and is up."""

    def found() -> Running | None:
        now = system.observe()
        return now if is_settled(now) and now.incarnation != before.incarnation else None

    return wait_until(found, "the node has restarted and is up")


def written(system: System, name: str) -> str:
    return Path(system.root, "releases", name).read_text()


def test_t06_ok_before_the_restart(system: System) -> None:
    system.take("RESTARTS", "unpacked")
    before = system.observe()
    assert system.install("RESTARTS") == (OK, "FIRST", [])
    # The process that said so was the old one.
    assert settled_after(system, before).pid != before.pid
    system.take("FIRST", "rebooted_old")
    pid = system.pid
    for check_mode in (True, False):
        assert kinds(refused(system, "RESTARTS", check_mode=check_mode)) == ["restart"]
    said = system.take("RESTARTS", "permanent", allow_restart=True, verify=[{**IS_SECOND, "expect": '"2.1"'}])
    assert said["restarted"] and said["after"]["pid"] == system.pid != pid and said["unreachable_seconds"] > 0
    assert system.statuses() == {"RESTARTS": "permanent", "FIRST": "old"} and disagreements(system) == []


def test_temporary_release(system: System) -> None:
    on_a_new_emulator(system, "SECOND")
    before = system.observe()
    assert system.install("SECOND") == (CONTINUES, "FIRST", [])
    assert "__new_emulator__FIRST" in written(system, "RELEASES") and "tmp_current" in written(system, "RELEASES")
    assert written(system, "new_start_erl.data").split()[1] == "__new_emulator__FIRST"
    assert settled_after(system, before).current == "SECOND"
    # It is SECOND that runs; only release_handler knows.
    assert system.call("init", "script_id") == ("COUNTER", "__new_emulator__FIRST") and "permanent" not in written(system, "RELEASES").split("FIRST")[0]
    assert system.take("FIRST", "rebooted_old")["after"]["running"] == "FIRST"
    assert kinds(refused(system, "SECOND", package=False)) == ["restart"]
    said = system.take("SECOND", "permanent", package=False, allow_restart=True, verify=[IS_SECOND])
    assert said["after"]["releases"] == {"SECOND": "permanent", "FIRST": "old"} == system.statuses()
    assert "__new_emulator__" not in written(system, "RELEASES") and disagreements(system) == []


def test_temporary_release_that_stays(releases: Releases) -> None:
    with System(releases, heart=False) as system:
        system.start()
        on_a_new_emulator(system, "CRASHES")
        before = system.observe()
        assert system.install("CRASHES")[0] == ERROR
        assert settled_after(system, before).status_of("__new_emulator__FIRST") == "unpacked"
        assert any("__new_emulator__FIRST" in sentence for sentence in disagreements(system))
        # Neither does it keep the next upgrade off, nor does it outlive it.
        said = system.take("SECOND", "permanent")
        assert "remove the temporary release __new_emulator__FIRST from the node" in said["actions"]
        assert system.statuses() == {"SECOND": "permanent", "CRASHES": "unpacked", "FIRST": "old"} and disagreements(system) == []


def test_rollback_that_is_only_logged(system: System) -> None:
    on_a_new_emulator(system, "CRASHES")
    before = system.observe()
    assert system.install("CRASHES") == (CONTINUES, "FIRST", [])
    # It has restarted twice then, and no caller is told.
    wait_until(lambda: system.observe().status_of("CRASHES") == "unpacked" and settled_after(system, before).current == "FIRST", "the node is back on FIRST")
    error = refused(system, "CRASHES", package=False, allow_restart=True)
    assert error.result["rolled_back"] and error.result["restarted"] and "the node restarted on release FIRST" in str(error)
    assert error.result["after"]["running"] == "FIRST" and system.count() == 1 and disagreements(system) == []
    for check_mode in (True, False):
        assert kinds(refused(system, "CRASHES", package=False, allow_restart=True, check_mode=check_mode)) == ["failed_before"]


def test_error_and_then_a_restart(system: System) -> None:
    """The process stays the same, and forgets."""
    system.take("CRASHES", "unpacked")
    assert [system.count(), system.count()] == [1, 2]
    before = system.observe()
    error, reason = system.install("CRASHES")
    assert error == ERROR and reason[0] == Atom("code_change_failed")
    assert settled_after(system, before).pid == before.pid and system.count() == 1
    failed = refused(system, "CRASHES")
    assert "code_change_failed" in str(failed) and "cannot_change" in str(failed) and "Then it ran release FIRST, restarted as process" in str(failed)
    assert failed.result["rolled_back"] and failed.result["restarted"] and system.count() == 1
    assert system.statuses() == {"CRASHES": "unpacked", "FIRST": "permanent"}
    again = refused(system, "CRASHES")
    assert kinds(again) == ["failed_before"] and "code_change_failed" in str(again)


def erl_runs(system: System) -> bool:
    """Whether bin/erl starts the basic system."""
    command = [f"{system.root}/bin/erl", "-noinput", "-s", "init", "stop"]
    return subprocess.run(command, env={"HOME": str(system.home), "PATH": os.defpath}, capture_output=True, timeout=LIMIT, check=False).returncode == 0


def test_bin_of_the_first_release(system: System) -> None:
    with_another_erts(system, "RESTARTS")
    system.take("RESTARTS", "unpacked", package=False)
    before = system.observe()
    system.install("RESTARTS")
    assert settled_after(system, before).current == "RESTARTS"
    assert system.operate("make_permanent", "RESTARTS") == OK and system.operate("remove_release", "FIRST") == OK
    assert not erl_runs(system)
    # bin follows the permanent release, also when release_handler committed it.
    said = system.take("RESTARTS", "permanent", package=False)
    assert said["changed"] and erl_runs(system) and disagreements(system) == []


def test_bin_follows_before_the_first_release_goes(system: System) -> None:
    with_another_erts(system, "RESTARTS")
    assert system.take("RESTARTS", "permanent", package=False, allow_restart=True)["restarted"]
    assert system.take("FIRST", "absent")["after"]["releases"] == {"RESTARTS": "permanent"}
    assert [path.name for path in Path(system.root).glob("erts-*")] == ["erts-13.9"] and erl_runs(system)
    os.kill(system.pid, 9)
    assert (
        wait_until(lambda: system.observe().status == "started" and system.statuses(), "heart has started the node again") == {"RESTARTS": "permanent"}
        and disagreements(system) == []
    )
