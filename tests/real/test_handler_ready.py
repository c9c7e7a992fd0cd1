# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands around a step to another release: it is configured and judged before, and older ones go afterwards."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from handler_site import Releases, System, kinds, refused

from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node

CONFIGURATION: dict[str, t.Any] = {"sys_config": "[{counter,[{colour,red}]}].\n", "vm_args": None, "variables": {}, "secrets": {}}


@pytest.fixture
def system(releases: Releases) -> t.Iterator[System]:
    with System(releases) as system:
        yield system.start()


def test_ready_is_configured_judged_and_not_gone_to(system: System) -> None:
    sys_config = Path(system.root, "releases/SECOND/sys.config")
    ready = system.take("SECOND", "ready", configuration=CONFIGURATION)
    assert ready["way"] == "upgrade" and ready["after"]["running"] == "FIRST" and system.statuses()["SECOND"] == "unpacked"
    assert sys_config.read_text() == CONFIGURATION["sys_config"] and ready["diff"][1]["after_header"] == str(sys_config)
    sys_config.unlink()
    # In check mode it is about to be written.
    assert kinds(refused(system, "SECOND", "ready", package=False, check_mode=True)) == ["sys_config"]
    assert system.take("SECOND", "ready", check_mode=True, configuration=CONFIGURATION)["way"] == "upgrade" and not sys_config.exists()
    done = system.take("SECOND", "permanent", configuration=CONFIGURATION)
    assert done["after"]["permanent"] == "SECOND" and "red" in sys_config.read_text()
    assert system.take("SECOND", "ready", configuration=CONFIGURATION)["way"] == "none"
    system.take("FIRST", "current", package=False)
    assert system.take("FIRST", "ready", package=False)["way"] == "commit"


def test_a_release_without_a_relup_is_ready_for_a_restart(system: System) -> None:
    system.take("SECOND", "permanent")
    os.unlink(f"{system.root}/releases/SECOND/relup")
    error = refused(system, "FIRST", "ready", package=False)
    assert kinds(error) == ["no_way"] and "set otp_upgrade_method (option method) to restart" in str(error)
    ready = system.take("FIRST", "ready", package=False, method="auto", allow_restart=True)
    assert ready["way"] == "restart" and not ready["changed"] and system.statuses()["SECOND"] == "permanent"


def test_as_many_stay_as_are_to_be_kept(system: System) -> None:
    system.take("RESTARTS", "unpacked")
    system.take("SECOND", "permanent", keep=3)
    assert set(system.statuses()) == {"FIRST", "SECOND", "RESTARTS"}
    foreseen = system.take("SECOND", "ready", keep=1, check_mode=True)
    assert set(system.statuses()) == {"FIRST", "SECOND", "RESTARTS"}
    again = system.take("SECOND", "ready", keep=1)
    # In between is RELEASES, which release_handler has written by then.
    assert [foreseen["actions"][0], foreseen["actions"][-1]] == again["actions"] and foreseen["after"]["releases"] == again["after"]["releases"]
    assert again["after"]["releases"] == system.statuses() == {"SECOND": "permanent", "FIRST": "old"}
    assert not os.path.exists(f"{system.root}/releases/RESTARTS") and again["problems"] == []


def test_what_cannot_be_removed_is_told(system: System) -> None:
    system.take("RESTARTS", "unpacked")
    client = Path(system.root, "clients/c1/releases")
    client.mkdir(parents=True)
    (client / "RELEASES").write_text("torn")
    said = system.take("SECOND", "permanent", keep=2)
    assert system.statuses()["SECOND"] == "permanent"
    assert [problem["kind"] for problem in said["problems"]] == ["not_removed"] and "clients/c1" in said["problems"][0]["cause"], said["problems"]
    assert "RESTARTS" in system.statuses()


def test_a_node_that_is_down(system: System) -> None:
    _node.stop(system.root)
    assert "the node is down" in str(refused(system, "SECOND", "ready", down="fail"))
    skipped = system.take("SECOND", "ready", down="skip")
    assert (skipped["way"], skipped["changed"], skipped["before"]["running"]) == ("none", False, None)
    assert not os.path.exists(f"{system.root}/releases/SECOND")
    ready = system.take("SECOND", "ready")
    assert ready["way"] == "offline" and ready["after"]["permanent"] == "FIRST"
    system.take("RESTARTS", "unpacked")
    done = system.take("SECOND", "permanent", package=False, keep=4)
    foreseen = system.take("SECOND", "permanent", package=False, keep=2, check_mode=True)
    assert foreseen["changed"] and set(done["after"]["releases"]) == {"FIRST", "SECOND", "RESTARTS"}
    done = system.take("SECOND", "permanent", package=False, keep=2)
    assert foreseen["after"] == done["after"]
    assert done["after"] == {"running": None, "permanent": "SECOND", "pid": None, "releases": {"SECOND": "permanent", "FIRST": "old"}}
    # The other way out.
    system.start()
    assert system.take("FIRST", "permanent", package=False, down="fail")["after"]["running"] == "FIRST"
