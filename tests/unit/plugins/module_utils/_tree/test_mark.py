# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mark of a system that a run is upgrading.

Rules: another run is refused until the mark is given back, has expired, or is taken from the one that it names; what the file says is bounded, and what
is not a mark is none; a clock that was set back makes no mark last for ever; the mark is on the disk, with the owner of the directory, before the run goes on.
"""

from __future__ import annotations

import json
import os
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import (
    LIMIT,
    LONGEST,
    MARK,
    Claim,
    Held,
    check_claim,
    parse,
    read_mark,
    remove_mark,
    write_mark,
)
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

ALICE, BOB = Claim("alice@laptop", "1-2-a"), Claim("bob@desk", "3-4-b")
GOOD = {"operator": "alice@laptop", "run": "1-2-a", "doing": "upgrading it", "since": 1000, "renewed": 2000, "seconds": 60}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "releases").mkdir()
    return Tree(str(tmp_path))


def test_a_marked_system_is_its_operators(tree: Tree) -> None:
    assert check_claim(tree, BOB) is None
    write_mark(tree, ALICE, "restarting the node", 60)
    mine = check_claim(tree, ALICE)
    assert mine and mine.doing == "restarting the node"
    said = r"alice@laptop has been restarting the node since 20.*\(process 1 there\).*set otp_take_over .* to alice@laptop"
    with pytest.raises(Held, match=said) as held:
        check_claim(tree, BOB)
    assert held.value.result["held_by"]["run"] == "1-2-a"
    for claim in (BOB._replace(take_over="carol@desk"), BOB._replace(ended_run="1-2-b"), Claim()):
        with pytest.raises(Held):
            check_claim(tree, claim)
    for claim in (BOB._replace(take_over="alice@laptop"), BOB._replace(ended_run="1-2-a")):
        assert check_claim(tree, claim) is None
    remove_mark(tree)
    remove_mark(tree)
    assert check_claim(tree, BOB) is None and os.listdir(tree.path("releases")) == []


def test_a_run_that_has_lost_its_mark_does_nothing_more(tree: Tree) -> None:
    held = ALICE._replace(is_held=True, take_over="bob@desk")
    write_mark(tree, BOB, "3", 60)
    with pytest.raises(Held):
        check_claim(tree, held)
    remove_mark(tree)
    with pytest.raises(OtpError, match="the mark of this run is gone"):
        check_claim(tree, held)
    # Nobody has taken what has only expired.
    Path(tree.path("releases", MARK)).write_text(json.dumps(GOOD))
    mine = check_claim(tree, held)
    assert mine and mine.since == 1000


def test_a_renewed_mark_says_since_when(tree: Tree) -> None:
    write_mark(tree, ALICE, "restarting the node", 60)
    first = read_mark(tree)
    assert first is not None
    write_mark(tree, ALICE, "restarting the node", 90, renewed=first._replace(since=5))
    second = read_mark(tree)
    assert second and (second.since, second.seconds) == (5, 90) and second.described()["since"] == "1970-01-01T00:00:05Z"


@pytest.mark.parametrize(("now", "counts"), [(1941, True), (2000, True), (2059.9, True), (2060, False), (1940, False), (0, False)])
def test_a_mark_expires(tree: Tree, now: float, counts: bool) -> None:
    Path(tree.path("releases", MARK)).write_text(json.dumps(GOOD))
    assert (read_mark(tree, now=now) is not None) is counts


@pytest.mark.parametrize(
    "change",
    [
        {"operator": ""},
        {"operator": 1},
        {"operator": "a\nb"},
        {"operator": "\x1b[2J"},
        {"operator": "a\u202eb"},
        {"doing": "x" * 201},
        {"run": None},
        {"since": -1},
        {"since": 1 << 70},
        {"since": True},
        {"renewed": 1.5},
        {"renewed": "1"},
        {"seconds": 0},
        {"seconds": LONGEST + 1},
        {"more": 1},
    ],
)
def test_what_is_not_a_mark_is_none(change: dict[str, t.Any]) -> None:
    assert parse(json.dumps(GOOD).encode()) is not None
    assert parse(json.dumps({**GOOD, **change}).encode()) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b"[1,2,3,4,5,6]", b"\xff", b"[" * 4000, b'{"since": ' + b"9" * 50 + b"}"])
def test_what_is_no_data_of_a_mark(tree: Tree, content: bytes) -> None:
    Path(tree.path("releases", MARK)).write_bytes(content)
    assert read_mark(tree) is None


@pytest.mark.usefixtures("in_time")
@pytest.mark.parametrize("kind", ["large", "directory", "pipe"])
def test_what_is_no_file_of_a_mark_is_refused(tree: Tree, kind: str) -> None:
    path = Path(tree.path("releases", MARK))
    {"large": lambda: path.write_bytes(b" " * (LIMIT + 1)), "directory": path.mkdir, "pipe": lambda: os.mkfifo(path)}[kind]()
    with pytest.raises(OtpError, match=MARK):
        read_mark(tree)


def test_what_is_written_is_a_mark_and_flushed(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    write_mark(tree, Claim("o" * 300, "1-2-a"), "2", 10**9)
    assert len(flushed) == 2
    mark = read_mark(tree)
    assert mark and (len(mark.operator), mark.seconds) == (200, LONGEST) and abs(mark.renewed - time.time()) < 60
