# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases that fail in a relup, or at their start: the node ends on the release before, or the message says what is up."""

from __future__ import annotations

import os
import signal
import subprocess
import typing as t
from pathlib import Path

import pytest
from handler_site import COUNTER, NEVER, OK, Releases, System, kinds, refused
from release_workshop import Workshop
from waiting import wait_until

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator

UP = 'code_change(_, {_, Count}, _) -> {ok, {"2.0", Count}}.'
DOWN = 'code_change({down, _}, {_, Count}, _) -> {ok, {"1.0", Count}};\n'
STARTS = {"3.0": "error(cannot_start), ", "3.1": "timer:sleep(infinity), "}


class Failing(Releases):
    """Releases that fail, each in its own way."""

    def __init__(self, directory: Path) -> None:
        self.workshop = Workshop(directory, find_otp(None))
        self.packages = {}
        self.make("FIRST", "1.0")
        self.make("THROWS", "2.0", relup="[]", code_change=DOWN + "code_change(_, _, _) -> throw(no_way).")
        self.make("REFUSES", "2.1", relup="[]", code_change=DOWN + "code_change(_, _, _) -> {error, no_way}.")
        self.make("STAYS", "2.2", relup="[]", code_change="code_change({down, _}, _, _) -> throw(no_way_back);\n" + UP)
        self.make("SECOND", "2.3", relup="[]")
        self.make("RESTARTS", "2.4", relup="[restart_emulator]")
        self.make("CRASHES", "3.0", relup="[restart_emulator]")
        self.make("HANGS", "3.1", relup="[restart_emulator]")

    def application(self, version: str, code_change: str) -> Path:
        """With some versions, one that does not start."""
        directory = super().application(version, code_change)
        if version in STARTS:
            source = directory / "src" / "counter.erl"
            source.write_text(source.read_text().replace("start(_, _) -> ", f"start(_, _) -> {STARTS[version]}", 1))
            subprocess.run(["erlc", "-o", directory / "ebin", source], check=True)
        return directory


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Failing:
    assert "start(_, _) -> " in COUNTER
    return Failing(tmp_path_factory.mktemp("failing"))


@pytest.fixture
def system(failing: Failing) -> t.Iterator[System]:
    with System(failing) as system:
        yield system.start()


def wait_for_another(system: System, pid: int) -> None:
    wait_until(lambda: find_emulator(system.root) not in (None, pid) and system.observe().status == "started", "heart has started the node again")


@pytest.mark.parametrize("release", ["THROWS", "REFUSES"])
def test_a_code_change_that_fails(system: System, release: str) -> None:
    error = refused(system, release)
    assert "code_change_failed" in str(error) and "no_way" in str(error) and "Then it ran release FIRST" in str(error)
    assert error.result["rolled_back"] and system.count() == 1
    assert system.statuses() == {release: "unpacked", "FIRST": "permanent"}
    assert kinds(refused(system, release)) == ["failed_before"]


def test_a_code_change_that_fails_on_the_way_back(system: System) -> None:
    error = refused(system, "STAYS", verify=[NEVER], verify_timeout=2.0)
    assert "the rollback by relup failed as well" in str(error) and "no_way_back" in str(error)
    assert error.result["rolled_back"] and error.result["restarted"] and error.result["after"]["running"] == "FIRST"
    assert system.statuses() == {"STAYS": "unpacked", "FIRST": "permanent"} and system.count() == 1


def test_old_processes_and_a_soft_purge(system: System) -> None:
    """release_handler gives up without having changed anything; with us it is not asked."""
    system.take("SECOND", "unpacked")
    relup = Path(system.root, "releases/SECOND/relup")
    relup.write_text(relup.read_text().replace("brutal_purge", "soft_purge"))
    process = system.call("erlang", "spawn", Atom("counter"), Atom("linger"), [])
    system.take("SECOND", "current", package=False)
    assert system.operate("install_release", "FIRST") == (Atom("error"), (Atom("old_processes"), Atom("counter")))
    error = refused(system, "FIRST", "current", package=False)
    assert kinds(error) == ["old_processes"] and process.text in str(error)
    assert system.statuses() == {"SECOND": "current", "FIRST": "permanent"}
    system.call("erlang", "send", process, Atom("leave"))
    wait_until(lambda: system.operate("install_release", "FIRST")[0] == OK, "no process of old code is left")


def test_an_application_that_crashes_at_its_start(system: System) -> None:
    error = refused(system, "CRASHES", allow_restart=True)
    assert "the node restarted on release FIRST" in str(error)
    assert error.result["restarted"] and error.result["rolled_back"] and system.count() == 1
    assert system.statuses() == {"CRASHES": "unpacked", "FIRST": "permanent"}
    assert kinds(refused(system, "CRASHES", allow_restart=True)) == ["failed_before"]


def test_a_configuration_that_only_a_boot_finds_wrong(system: System) -> None:
    """The check of sys.config does not look for the other files that it names."""
    system.take("RESTARTS", "unpacked")
    Path(system.root, "releases/RESTARTS/sys.config").write_text('["/nowhere/other.config"].\n')
    error = refused(system, "RESTARTS", package=False, allow_restart=True)
    assert "the node restarted on release FIRST" in str(error) and error.result["rolled_back"]
    assert system.statuses() == {"RESTARTS": "unpacked", "FIRST": "permanent"} and system.count() == 1


def test_an_emulator_that_does_not_start(system: System) -> None:
    """heart has ended with the emulator before: nothing is left that starts another. The message says how it can be started."""
    system.take("RESTARTS", "unpacked")
    Path(system.root, "releases/RESTARTS/vm.args").write_text("+nonsense\n")
    error = refused(system, "RESTARTS", package=False, allow_restart=True, restart_timeout=15.0)
    assert "has not come back within 15 s" in str(error) and "bin/start would start the permanent release" in str(error)
    assert error.result["history"][-1]["outcome"] == "failed" and find_emulator(system.root) is None
    assert system.start().statuses()["FIRST"] == "permanent"
    assert kinds(refused(system, "RESTARTS", package=False, allow_restart=True)) == ["failed_before"]


def test_a_boot_that_never_ends(system: System) -> None:
    """The message names the process that is at it. Once that is ended, heart starts the release before."""
    error = refused(system, "HANGS", allow_restart=True, restart_timeout=15.0)
    pid = find_emulator(system.root)
    assert pid and "has not come back within 15 s" in str(error) and f"its emulator is process {pid}" in str(error)
    os.kill(pid, signal.SIGKILL)
    wait_for_another(system, pid)
    assert system.statuses() == {"HANGS": "unpacked", "FIRST": "permanent"} and system.count() == 1
    assert kinds(refused(system, "HANGS", allow_restart=True)) == ["failed_before"]
