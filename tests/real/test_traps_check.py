# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traps of an upgrade that release_handler's check_install_release lets pass: first what OTP makes of it, then that we refuse, and say the way out.

=====================================================  ==========================================================================
T2: there is no relup                                  test_t02_a_release_without_a_relup
T3: a restart, and no heart                            test_t03_a_restart_without_heart
T4: heart, and no program that starts the node         test_t04_heart_without_a_start_program
T5: heart without a command                            test_t05_heart_without_a_command
T7, T11: sys.config is unreadable, or still a source   test_t07_t11_a_configuration_that_is_none
T7: ... and is committed                               test_t07_a_configuration_that_does_not_boot
ERTS is missing                                        test_missing_erts
heart is given a line of shell without quotes          test_a_path_with_a_space, test_a_path_with_a_space_behind_a_link
=====================================================  ==========================================================================
"""

from __future__ import annotations

import os
import shutil
import signal
import typing as t
from pathlib import Path

import pytest
from handler_site import OK, Releases, System, disagreements, kinds, refused, wait_until_down_for_good, with_another_erts
from waiting import wait_until

from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom

ERROR = Atom("error")


@pytest.fixture(scope="module")
def shared(releases: Releases) -> t.Iterator[System]:
    """A node that runs FIRST, for traps that leave it so."""
    with System(releases) as system:
        yield system.start()


@pytest.fixture
def system(releases: Releases) -> t.Iterator[System]:
    with System(releases) as system:
        yield system.start()


def checked(system: System, release: str) -> bool:
    """Whether check_install_release lets it pass."""
    return system.operate("check_install_release", release)[0] == OK


def test_t02_a_release_without_a_relup(shared: System) -> None:
    shared.take("BARE", "unpacked")
    assert checked(shared, "BARE") and "enoent" in str(shared.operate("install_release", "BARE"))
    for check_mode in (True, False):
        error = refused(shared, "BARE", check_mode=check_mode)
        assert kinds(error) == ["no_way"] and "releases/BARE/relup is missing" in str(error) and "with FIRST in otp_upgrade_from" in str(error)


def test_t03_a_restart_without_heart(releases: Releases) -> None:
    with System(releases, heart=False) as system:
        system.start()
        system.take("RESTARTS", "unpacked")
        assert checked(system, "RESTARTS") and [system.count(), system.count()] == [1, 2]
        assert system.operate("install_release", "RESTARTS")[0] == ERROR
        # It was to restart, cannot, and forgets what it knew.
        assert wait_until(lambda: system.observe().status == "started" and system.count(), "the node has started again") == 1
        assert os.path.exists(f"{system.root}/releases/new_start_erl.data")
        for check_mode in (True, False):
            error = refused(system, "RESTARTS", allow_restart=True, check_mode=check_mode)
            assert kinds(error) == ["heart"] and "-heart and HEART_COMMAND" in str(error)
        assert system.count() == 2
        # What needs no restart goes, and is told that nobody would bring the node back.
        said = system.take("SECOND", "permanent")
        assert [problem["kind"] for problem in said["problems"]] == ["heart"] and said["after"]["permanent"] == "SECOND"
        system.take("FIRST", "permanent")
        system.cut()
        system.heart = True
        system.write_scripts()
        assert system.start().take("RESTARTS", "permanent", allow_restart=True)["after"]["permanent"] == "RESTARTS"


def test_t04_heart_without_a_start_program(shared: System, system: System) -> None:
    """And before that, with the name of another system's node."""
    assert kinds(refused(system, "RESTARTS", "unpacked", address=shared.address)) == ["other_root"]
    system.take("RESTARTS", "unpacked")
    start, away = Path(system.root, "bin/start"), Path(system.root, "bin/begin")
    start.rename(away)
    assert checked(system, "RESTARTS") and system.install("RESTARTS")[0] == OK
    wait_until_down_for_good(system)
    away.rename(start)
    system.start()
    start.rename(away)
    # An installation makes one that knows nothing of the node.
    for more in ({"check_mode": True}, {"package": False}, {}):
        error = refused(system, "RESTARTS", allow_restart=True, **more)
        assert kinds(error) == ["start_program"] and "the node would stay down" in str(error) and "start_prg of sasl" in str(error)
    assert system.statuses() == {"RESTARTS": "unpacked", "FIRST": "permanent"}


def test_t05_heart_without_a_command(releases: Releases) -> None:
    """With one, which the role's start script sets, the permanent release comes back: test_handler_current kills a node."""
    with System(releases) as system:
        start = Path(system.root, "bin/start")
        script = start.read_text()
        start.write_text("".join(line for line in script.splitlines(True) if not line.startswith("HEART_COMMAND=")))
        os.kill(system.start().pid, signal.SIGKILL)
        wait_until_down_for_good(system)
        said = system.start().take("SECOND", "permanent")
        (problem,) = said["problems"]
        assert (problem["kind"], problem["fatal"]) == ("heart", False) and "Set HEART_COMMAND" in problem["remedy"]
        for check_mode in (True, False):
            assert kinds(refused(system, "FIRST", "rebooted_old", check_mode=check_mode)) == ["heart"]


@pytest.mark.parametrize(("content", "reason"), [("[{counter,[", "is not Erlang terms"), (None, "and must be made from sys.config.src")])
def test_t07_t11_a_configuration_that_is_none(shared: System, content: str | None, reason: str) -> None:
    configure(shared, "FIRST")
    shared.take("SECOND", "unpacked")
    path = Path(shared.root, "releases/SECOND/sys.config")
    path.rename(f"{path}.src") if content is None else path.write_text(content)
    shared.call("application", "set_env", Atom("counter"), Atom("step"), 2)
    assert checked(shared, "SECOND") and shared.operate("install_release", "SECOND")[0] == OK
    assert shared.call("application", "get_env", Atom("counter"), Atom("step")) == Atom("undefined")
    # It runs, and we do not commit it.
    error = refused(shared, "SECOND", package=False)
    assert kinds(error) == ["sys_config"] and reason in str(error) and "otp_release_config" in str(error)
    assert shared.operate("install_release", "FIRST")[0] == OK
    for check_mode in (True, False):
        error = refused(shared, "SECOND", package=False, check_mode=check_mode)
        assert kinds(error) == ["sys_config"] and reason in str(error)
    assert shared.observe().current == "FIRST"
    written = {"sys_config": "[{counter,[{step,2}]}].\n"}
    assert shared.take("SECOND", "permanent", package=False, configuration=written)["after"]["permanent"] == "SECOND"
    shared.take("FIRST", "permanent")
    shared.take("SECOND", "absent")


def test_t07_a_configuration_that_does_not_boot(releases: Releases) -> None:
    with System(releases, heart=False) as system:
        system.start().take("SECOND", "unpacked")
        Path(system.root, "releases/SECOND/sys.config").write_text("[{counter,[")
        assert system.operate("install_release", "SECOND")[0] == OK and system.operate("make_permanent", "SECOND") == OK
        system.cut()
        _node.start(system.node)
        wait_until(lambda: "error in config file" in (system.logs / "erlang.log.1").read_text(), "the node has read its configuration")
        wait_until_down_for_good(system)
        # Offline there is a way back.
        system.take("FIRST", "permanent", transport="offline", package=False)
        assert system.start().statuses() == {"SECOND": "old", "FIRST": "permanent"}


def configure(system: System, release: str) -> None:
    Path(system.root, "releases", release, "sys.config").write_text("[{counter,[{step,1}]}].\n")


def test_missing_erts(system: System) -> None:
    with_another_erts(system, "RESTARTS")
    system.take("RESTARTS", "unpacked", package=False)
    erts = Path(system.root, "erts-13.9")
    shutil.rmtree(erts)
    assert checked(system, "RESTARTS") and system.install("RESTARTS")[0] == OK
    wait_until_down_for_good(system)
    assert "erlexec" in (system.logs / "erlang.log.1").read_text()
    system.start()
    for check_mode in (True, False):
        error = refused(system, "RESTARTS", package=False, allow_restart=True, check_mode=check_mode)
        assert kinds(error) == ["erts"] and "erts-13.9/bin has no beam.smp" in str(error) and "erts: true" in str(error)
    assert disagreements(system)[-1] == "release RESTARTS: erts-13.9 is missing"


def test_a_path_with_a_space(releases: Releases) -> None:
    with System(releases, place="the root") as system:
        system.start().take("RESTARTS", "unpacked")
        assert checked(system, "RESTARTS") and system.install("RESTARTS")[0] == OK
        wait_until_down_for_good(system)
        system.start()
        for check_mode in (True, False):
            error = refused(system, "RESTARTS", allow_restart=True, check_mode=check_mode)
            assert kinds(error) == ["start_line"] and "without quotes" in str(error) and "symbolic link" in str(error)
        assert system.take("SECOND", "permanent")["after"]["permanent"] == "SECOND"
        # Our own line has quotes.
        assert system.take("RESTARTS", "permanent", method="restart")["restarted"] and system.call("counter", "version") == "2.1"


def test_a_path_with_a_space_behind_a_link(releases: Releases, tmp_path: Path) -> None:
    """The way out that the refusal names."""
    link = tmp_path / "plain"
    flags = ["-sasl", "start_prg", f'"{link}/bin/start"', "-sasl", "releases_dir", f'"{link}/releases"']
    with System(releases, place="the root", flags=flags) as system:
        link.symlink_to(system.root)
        said = system.start().take("RESTARTS", "permanent", allow_restart=True)
        assert said["restarted"] and said["problems"] == [] and system.call("counter", "version") == "2.1"
        assert system.take("FIRST", "rebooted_old")["after"]["permanent"] == "FIRST" and disagreements(system) == []
