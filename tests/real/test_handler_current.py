# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real embedded nodes: a release that runs before it is committed, and back to the permanent one."""

from __future__ import annotations

import os
import signal
import typing as t
from pathlib import Path

import pytest
from handler_site import IS_SECOND, NEVER, OK, Releases, System, kinds, refused
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator


@pytest.fixture
def system(releases: Releases) -> t.Iterator[System]:
    with System(releases) as system:
        yield system.start()


def test_each_state_by_itself(system: System) -> None:
    assert system.take("SECOND", "unpacked")["after"]["releases"] == {"SECOND": "unpacked", "FIRST": "permanent"}
    assert not system.take("SECOND", "unpacked")["changed"]
    # What release_handler itself makes of it: the release is known, and nothing is left of the way it came to know.
    assert system.operate("check_install_release", "SECOND") == (OK, "FIRST", [])
    assert [name for name in os.listdir(f"{system.root}/releases") + os.listdir(f"{system.root}/releases/SECOND") if "register" in name] == []
    assert system.take("SECOND", "current")["after"]["releases"] == {"SECOND": "current", "FIRST": "permanent"}
    assert not system.take("SECOND", "current")["changed"]
    assert system.take("SECOND", "permanent")["actions"][0].startswith("make release SECOND permanent")


def test_current_is_rebooted_to_permanent(system: System) -> None:
    system.take("SECOND", "current")
    assert system.take("FIRST", "rebooted_old")["after"]["releases"] == {"SECOND": "unpacked", "FIRST": "permanent"}
    with pytest.raises(OtpError, match="only an old release"):
        system.take("SECOND", "rebooted_old")
    # This was on purpose, so SECOND has not failed.
    assert system.take("SECOND", "current")["after"]["running"] == "SECOND"


def test_a_relup_may_take_longer_than_other_calls(system: System) -> None:
    system.take("SECOND", "unpacked")
    relup = Path(system.root, "releases/SECOND/relup")
    slow = relup.read_text().replace("point_of_no_return,", "point_of_no_return,{apply,{timer,sleep,[4000]}},", 1)
    relup.write_text(slow)
    assert "sleep" in slow and system.take("SECOND", "current", package=False, timeout=3.0)["after"]["running"] == "SECOND"


def test_killed_before_the_commit_the_old_release_is_back_and_the_new_one_refused(system: System) -> None:
    system.take("SECOND", "current")
    killed = system.pid
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: find_emulator(system.root) not in (None, killed) and system.observe().status == "started", "heart has started the node again")
    error = refused(system, "SECOND")
    assert f"the emulator ended (process {killed}), and the node is back on release FIRST" in str(error)
    assert error.result["rolled_back"] and kinds(error) == ["failed_before"] and error.result["history"][0]["action"] == "fall_back"
    assert system.statuses() == {"SECOND": "unpacked", "FIRST": "permanent"}
    assert kinds(refused(system, "SECOND", check_mode=True)) == ["failed_before"]
    assert system.take("SECOND", "permanent", force=True)["after"]["permanent"] == "SECOND"
    assert not system.take("SECOND", "permanent")["changed"]


def test_killed_while_it_is_verified(system: System) -> None:
    error = refused(system, "SECOND", verify=[IS_SECOND, {"module": "erlang", "function": "halt"}])
    assert error.result["rolled_back"] and error.result["restarted"] and "the emulator ended" in str(error)
    assert error.result["after"]["running"] == "FIRST" and system.statuses() == {"SECOND": "unpacked", "FIRST": "permanent"}


def test_what_is_not_verified_is_taken_back_without_a_restart(system: System) -> None:
    system.count()
    pid = system.pid
    error = refused(system, "SECOND", verify=[NEVER], verify_timeout=2.0)
    assert 'counter:version/0 returned "2.0", and "9.9" was expected' in str(error) and error.result["rolled_back"]
    assert system.call("counter", "state") == ("1.0", 1) and system.pid == pid
    assert kinds(refused(system, "SECOND")) == ["failed_before"]


def test_what_is_not_verified_may_stay(system: System) -> None:
    error = refused(system, "SECOND", verify=[NEVER], verify_timeout=2.0, rollback=False)
    assert not error.result["rolled_back"] and system.statuses() == {"SECOND": "current", "FIRST": "permanent"}


def test_without_a_way_back_it_is_rebooted(system: System) -> None:
    system.take("SECOND", "unpacked")
    relup = Path(system.root, "releases/SECOND/relup")
    ups = system.call("file", "consult", str(relup))[1][0]
    system.call("file", "write_file", str(relup), system.call("io_lib", "format", "~p.~n", [(ups[0], ups[1], [])]))
    error = refused(system, "SECOND", package=False, verify=[NEVER], verify_timeout=2.0)
    assert "the node was rebooted" in str(error) and error.result["restarted"] and error.result["rolled_back"]
    assert system.statuses() == {"SECOND": "unpacked", "FIRST": "permanent"}


def test_a_node_that_does_not_come_back(system: System) -> None:
    """The message says what is up: here, that nothing is."""
    system.take("RESTARTS", "unpacked")
    start = Path(system.root, "bin/start")
    start.write_text("#!/bin/sh\nexit 1\n")
    error = refused(system, "RESTARTS", allow_restart=True, restart_timeout=15.0)
    assert "has not come back within 15 s" in str(error) and "it is down: bin/start would start the permanent release" in str(error)
    assert error.result["history"][-1]["outcome"] == "failed"
    system.write_scripts()
    assert system.start().statuses()["FIRST"] == "permanent"
    assert kinds(refused(system, "RESTARTS", allow_restart=True)) == ["failed_before"]


def test_what_was_installed_beside_the_node_is_made_known(system: System) -> None:
    """RELEASES, which a running release_handler does not read again, lists the release; the node does not."""
    install_release(root=system.root, package=system.releases.packages["SECOND"], changes=Changes())
    assert system.statuses() == {"FIRST": "permanent"}
    assert system.take("SECOND", "current", package=False)["after"]["releases"] == {"SECOND": "current", "FIRST": "permanent"}


def test_a_wrong_package_and_none(system: System) -> None:
    with pytest.raises(OtpError, match="has no release SECOND: give its package"):
        system.take("SECOND", "current", package=False)
    with pytest.raises(OtpError, match="the package has release SECOND, not THIRD"):
        system.take("THIRD", "unpacked", package_of="SECOND")
    with pytest.raises(OtpError, match="nothing says how to reach it"):
        system.take("SECOND", "current", address=NodeAddress())
    with pytest.raises(OtpError, match=r"There is no way to the node: set otp_node_name"):
        connect(NodeAddress(), timeout=LIMIT)
    # The ways out of all four.
    with connect(system.address, timeout=LIMIT) as node:
        assert node.call("counter", "version", []) == "1.0"
    assert system.take("SECOND", "current")["after"]["running"] == "SECOND"
