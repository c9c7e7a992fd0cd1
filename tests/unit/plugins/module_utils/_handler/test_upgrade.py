# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request to otp_release_handler.

Rules: check mode predicts and records nothing; a version leads to no other directory; fatal problems end the run before anything is touched; what
failed is refused until force.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._handler import local
from ansible_collections.erlang.otp.plugins.module_utils._handler.local import apply_local
from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import Problem
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError, Request
from ansible_collections.erlang.otp.plugins.module_utils._handler.upgrade import Upgrade, predict
from ansible_collections.erlang.otp.plugins.module_utils._install.outcome import PackageNeeded
from ansible_collections.erlang.otp.plugins.module_utils._tree.history import append, entry_of, read
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree


def state_of(text: str) -> dict:
    """A state from "1 permanent, 2 current"."""
    releases = dict(word.split(" ") for word in text.split(", "))
    by_status = {status: version for version, status in releases.items()}
    permanent = by_status["permanent"]
    return {"running": by_status.get("current", permanent), "permanent": permanent, "pid": 7, "releases": releases}


@pytest.mark.parametrize(
    ("before", "state", "version", "after"),
    [
        ("1 permanent", "unpacked", "2", "1 permanent, 2 unpacked"),
        ("1 permanent", "current", "2", "1 permanent, 2 current"),
        ("1 permanent", "permanent", "2", "1 old, 2 permanent"),
        ("1 permanent, 2 current", "permanent", "2", "1 old, 2 permanent"),
        ("1 permanent, 2 current, 3 unpacked", "current", "3", "1 permanent, 2 old, 3 current"),
        ("1 permanent, 2 current", "current", "1", "1 permanent, 2 old"),
        ("1 permanent, 2 old", "absent", "2", "1 permanent"),
        ("1 permanent, 2 current", "rebooted_old", "1", "1 permanent, 2 unpacked"),
        ("1 old, 2 permanent", "rebooted_old", "1", "1 permanent, 2 old"),
    ],
)
def test_prediction(before: str, state: str, version: str, after: str) -> None:
    expected = dict(state_of(after), pid=None if state == "rebooted_old" else 7)
    assert predict(state_of(before), state, version, {"2": "unpacked"}) == expected


def test_prediction_of_a_node_that_is_down() -> None:
    down = {"running": None, "permanent": "1", "pid": None, "releases": {"1": "permanent", "2": "unpacked"}}
    assert predict(down, "permanent", "2", down["releases"]) == {"running": None, "permanent": "2", "pid": None, "releases": {"1": "old", "2": "permanent"}}


@pytest.mark.parametrize("version", ["", ".", "..", "a/b", "../x"])
def test_a_version_that_leads_elsewhere(tmp_path: Path, version: str) -> None:
    with pytest.raises(OtpError, match="is not a version"):
        Upgrade(Request(root=str(tmp_path), release=version, state="absent"), Changes())


def test_problems_are_noted_and_fatal_ones_end_it(tmp_path: Path) -> None:
    upgrade = Upgrade(Request(root=str(tmp_path), release="2", state="current"), Changes())
    upgrade.report([Problem("mix", "a", "b", fatal=False)])
    with pytest.raises(HandlerError, match=r"^c\. d\. e\. f\.$"):
        upgrade.report([Problem("x", "c", "d"), Problem("y", "e", "f")])
    assert [problem["kind"] for problem in upgrade.result["problems"]] == ["mix", "x", "y"]


def test_what_failed_is_refused_until_force(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    append(Tree(str(tmp_path)), entry_of("install", "2", outcome="failed", reason="it crashed", before="1"))
    request = Request(root=str(tmp_path), release="2", state="current")
    with pytest.raises(HandlerError, match="it crashed"):
        Upgrade(request, Changes()).check_history()
    Upgrade(request._replace(force=True), Changes()).check_history()
    Upgrade(request._replace(release="3"), Changes()).check_history()


def test_what_another_module_found_to_fail_is_remembered_without_the_log(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    failure = {"release": "2", "reason": "it does not stay up. The end of /srv/x/log/erlang.log.1:\nsecret"}
    with pytest.raises(HandlerError):
        apply_local(Request(root=str(tmp_path), release="1", state="permanent", failure=failure), Changes())
    (entry,) = read(Tree(str(tmp_path)))
    assert (entry["action"], entry["from"], entry["reason"]) == ("start", "1", "it does not stay up.")
    with pytest.raises(HandlerError, match="it does not stay up"):
        Upgrade(Request(root=str(tmp_path), release="2", state="permanent"), Changes()).check_history()


def test_in_check_mode_nothing_is_recorded(tmp_path: Path) -> None:
    upgrade = Upgrade(Request(root=str(tmp_path), release="2", state="current"), Changes(check_mode=True))
    upgrade.record("install")
    assert [entry["action"] for entry in upgrade.result["history"]] == ["install"] and os.listdir(tmp_path) == []


@pytest.mark.parametrize("check_mode", [True, False])
def test_the_package_is_asked_for_before_anything_is_touched(tmp_path: Path, check_mode: bool) -> None:
    package = {"checksum": "sha256:" + "0" * 64, "package": None, "release": None}
    with pytest.raises(PackageNeeded):
        apply_local(Request(root=str(tmp_path / "root"), release="2", state="permanent", package=package), Changes(check_mode=check_mode))
    assert os.listdir(tmp_path) == []


def test_nothing_is_there(tmp_path: Path) -> None:
    with pytest.raises(OtpError, match="has no release 2: give its package"):
        apply_local(Request(root=str(tmp_path / "root"), release="2", state="permanent"), Changes())
    with pytest.raises(OtpError, match="is down"):
        apply_local(Request(root=str(tmp_path / "root"), release="2", state="current"), Changes())
    assert not apply_local(Request(root=str(tmp_path / "root"), release="2", state="absent"), Changes())["history"]
    assert os.listdir(tmp_path) == []


def test_a_node_that_nothing_says_how_to_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is the way out."""
    monkeypatch.setattr(local, "find_settled", lambda root: 4711)
    request = Request(root=str(tmp_path / "root"), release="2", state="current")
    with pytest.raises(OtpError, match="process 4711.*nothing says how to reach it: set otp_node_name .*or otp_pipe_dir"):
        apply_local(request, Changes())
    with pytest.raises(OtpError, match="a@localhost"):
        apply_local(request._replace(address=request.address._replace(node="a@localhost", port=1, cookie="c")), Changes())
