# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a system is marked for a run, and when it is given back.

Rules: nothing is done on a system that is another run's, on a client's directory neither; it is marked when it is ready for a release that it does not run
yet, and before a release is installed; a failure leaves the mark for the rollback; the last task gives it back; check mode only says so.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError, Request
from ansible_collections.erlang.otp.plugins.module_utils._handler.upgrade import Upgrade
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import Claim, read_mark

ALICE, BOB = Claim("alice@laptop", "1-2-a"), Claim("bob@desk", "3-4-b")
CLIENT = "line1@10.0.0.11"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "releases").mkdir()
    (tmp_path / "clients" / CLIENT / "releases").mkdir(parents=True)
    return tmp_path


def go(root: Path, state: str, *, way: str | None = "upgrade", claim: Claim = ALICE, check: bool = False, fails: bool = False, **options: t.Any) -> list[bool]:
    """Whether the system was marked while the request was carried out, whether it is afterwards, and what the result says."""
    request = Request(str(root), "2", state, claim=claim, **{"hold": 60.0, **options})
    upgrade, seen = Upgrade(request, Changes(check_mode=check)), []

    def apply() -> None:
        seen.append(read_mark(upgrade.tree) is not None)
        upgrade.result.update(way=way, before={"releases": {}, "running": None, "permanent": "1"})
        if fails:
            raise HandlerError("no")

    try:
        result = upgrade.carry_out(apply)
    except HandlerError as error:
        if not seen:
            raise
        result = error.result
    return [*seen, read_mark(upgrade.tree) is not None, result["held"]]


def test_a_run_without_steps_in_between(root: Path) -> None:
    assert go(root, "ready") == [False, True, True]
    assert go(root, "permanent", hold=0.0) == [True, False, False]


def test_a_run_with_steps_in_between(root: Path) -> None:
    assert go(root, "ready") == [False, True, True]
    for state in ("current", "permanent"):
        assert go(root, state) == [True, True, True]
    assert go(root, "ready", way="none") == [True, False, False]


@pytest.mark.parametrize("way", ["none", None])
def test_a_system_with_nothing_to_do_is_not_marked(root: Path, way: str | None) -> None:
    assert go(root, "ready", way=way) == [False, False, False]


def test_without_a_word_of_it_nothing_is_marked_or_given_back(root: Path) -> None:
    assert go(root, "permanent", hold=None) == [False, False, False]
    go(root, "current")
    assert go(root, "ready", way="none", hold=None) == [True, True, True]


def test_a_failure_leaves_the_mark_for_the_rollback(root: Path) -> None:
    assert go(root, "ready", fails=True) == [False, False, False]
    go(root, "ready")
    assert go(root, "permanent", hold=0.0, fails=True) == [True, True, True]
    assert go(root, "given_back", hold=0.0) == [False, False]


def test_check_mode_writes_nothing(root: Path) -> None:
    assert go(root, "ready", check=True) == [False, False, False]
    go(root, "ready")
    assert go(root, "permanent", hold=0.0, check=True) == [True, True, True]


@pytest.mark.parametrize("state", ["unpacked", "ready", "current", "permanent", "absent", "rebooted_old", "given_back"])
@pytest.mark.parametrize("client", ["", CLIENT])
@pytest.mark.parametrize("check", [False, True])
def test_a_system_of_another_run_is_refused(root: Path, state: str, client: str, check: bool) -> None:
    go(root, "current", client=client)
    with pytest.raises(HandlerError, match="alice@laptop has been upgrading") as refused:
        go(root, state, claim=BOB, client=client, check=check, hold=0.0)
    assert refused.value.result["held_by"]["operator"] == "alice@laptop"
    # The other system is nobody's.
    assert go(root, "ready", claim=BOB, client="" if client else CLIENT)[0] is False


def test_a_mark_that_is_taken_over_is_the_others(root: Path) -> None:
    go(root, "current")
    assert go(root, "ready", claim=BOB._replace(take_over="alice@laptop")) == [True, True, True]
    with pytest.raises(HandlerError, match="bob@desk has been upgrading"):
        go(root, "permanent")
