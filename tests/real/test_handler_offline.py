# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Systems that are down: their files changed as release_handler would, which goes on from there."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from handler_site import OK, Releases, System, files_of

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node


@pytest.fixture
def system(releases: Releases) -> t.Iterator[System]:
    with System(releases) as system:
        yield system.start()


def test_offline_is_as_release_handler_leaves_it(releases: Releases, system: System) -> None:
    system.take("SECOND", "permanent")
    with System(releases) as other:
        before = files_of(other.root)
        assert other.take("SECOND", "permanent", check_mode=True, transport="offline")["changed"] and files_of(other.root) == before
        said = other.take("SECOND", "permanent", transport="offline")
        assert said["transport"] == "offline" and said["after"] == {**said["after"], "running": None, "permanent": "SECOND"}
        assert not other.take("SECOND", "permanent", transport="offline")["changed"]
        both = [{path: content for path, content in files_of(each.root).items() if path.startswith("releases/")} for each in (system, other)]
        ours, theirs = both[1], both[0]
        assert ours["releases/RELEASES"].split() == theirs["releases/RELEASES"].split()
        assert ours["releases/start_erl.data"].split() == theirs["releases/start_erl.data"].split()
        assert set(theirs) == set(ours)
        other.start()
        assert other.statuses() == {"SECOND": "permanent", "FIRST": "old"} and other.call("counter", "version") == "2.0"
        # release_handler goes on from there.
        assert other.operate("install_release", "FIRST")[0] == OK and other.operate("make_permanent", "FIRST") == OK
        assert other.operate("remove_release", "SECOND") == OK and other.call("counter", "version") == "1.0"


def test_offline_back_and_gone(releases: Releases) -> None:
    with System(releases) as system:
        system.take("SECOND", "permanent", transport="offline")
        with pytest.raises(OtpError, match="a release is current only while it runs"):
            system.take("SECOND", "current", transport="offline")
        system.take("FIRST", "rebooted_old", transport="offline")
        system.take("SECOND", "absent", transport="offline")
        assert [entry["action"] for entry in map(json.loads, Path(system.root, "releases/history.jsonl").open())] == ["offline", "offline", "remove"]
        assert system.start().statuses() == {"FIRST": "permanent"}
        with pytest.raises(OtpError, match="transport offline is for a stopped node"):
            system.take("SECOND", "permanent", transport="offline")


def test_a_stopped_node_is_found_stopped(system: System) -> None:
    _node.stop(system.root)
    assert system.take("SECOND", "permanent")["transport"] == "offline"
    assert system.start().statuses() == {"SECOND": "permanent", "FIRST": "old"}
