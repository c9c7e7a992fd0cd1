# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The history of a system.

Rules: an entry is on the disk when it is appended, and so is the name of a new file; no link is followed; a line that a power cut has left
unfinished costs itself alone; what is not an entry is left out; a rollback leads down the path of upgrades, never up again; what a killed
run did without its entry is noticed; an entry is written whole, or an error is raised; a history that it left empty gets its owner.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._tree.history import (
    append,
    entry_of,
    failure_of,
    has_removal,
    missing_commit,
    parse,
    previous,
    read,
    uncommitted,
    uncommitted_way,
)
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.file_calls import FileCalls


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "releases").mkdir()
    return Tree(str(tmp_path))


def entries(*words: str) -> list:
    """Entries from "ACTION RELEASE" and, when it is not ok, its outcome."""
    found = []
    for word in words:
        action, release, outcome = (word + " ok").split(" ")[:3]
        found.append(entry_of(action, release, outcome=outcome, before="1", reason="why"))
    return found


def test_what_is_appended_is_read_again(tree: Tree) -> None:
    first, second = entry_of("install", "2.0", before="1.0", pid_before=1), entry_of("commit", "α β", reason='a "reason"\nof two lines')
    assert read(tree) == []
    append(tree, first)
    append(tree, second)
    assert read(tree) == [first, second]
    assert len(Path(tree.path("releases", "history.jsonl")).read_bytes().splitlines()) == 2


def test_a_line_that_was_not_finished_costs_itself_alone(tree: Tree) -> None:
    first, second = entries("install 2", "commit 2")
    append(tree, first)
    with open(tree.path("releases", "history.jsonl"), "ab") as file:
        file.write(b'{"time": "20')
    append(tree, second)
    assert read(tree) == [first, second]


ENTRY = {"time": "2026-01-31T12:00:59Z", "action": "install", "release": "2.0", "from": None, "outcome": "ok", "reason": "", "pid": 1}
BAD_ENTRIES = [
    json.dumps({**ENTRY, **more}).encode() for more in ({"release": 1}, {"from": []}, {"outcome": {}}, {"reason": None}, {"more": [1]}, {"pid": 10**50})
]
BAD_ENTRIES += [b'{"a":' * 100_000, b"9" * 100_000]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00", b"[]\n", b'"text"\n', b'{"time": 1}\n', b"null", b"{" * 50, *BAD_ENTRIES])
def test_what_is_no_entry_is_left_out(content: bytes) -> None:
    assert parse(content) == []


@pytest.mark.parametrize(
    ("words", "failed"),
    [
        ([], False),
        (["install 2"], False),
        (["install 2 failed"], True),
        (["install 2 failed", "unpack 2"], True),
        (["install 2 failed", "install 3", "commit 3"], True),
        (["install 2 failed", "install 2"], False),
        (["install 2 failed", "install 2 refused"], True),
        (["install 2", "verify 2 failed"], True),
        (["install 2", "fall_back 2 failed"], True),
        (["install 2", "verify 2 failed", "install 2", "commit 2"], False),
        (["install 2", "commit 2", "verify 2 failed"], True),
        (["install 2 failed", "remove 2"], False),
        (["install 2 failed", "offline 2"], False),
        (["remove 2 failed"], False),
        (["install 2 refused"], False),
    ],
)
def test_which_release_has_failed(words: list[str], failed: bool) -> None:
    found = failure_of(entries(*words), "2")
    assert (found or {}).get("outcome") == ("failed" if failed else None)


@pytest.mark.parametrize(
    ("words", "release"),
    [
        ([], None),
        (["unpack 2"], None),
        (["install 2"], "2"),
        (["install 2", "unpack 3"], "2"),
        (["install 2", "install 3 refused"], "2"),
        (["install 2", "commit 2"], None),
        (["install 2", "install 3"], "3"),
        (["install 2", "reboot 1"], None),
        (["install 2", "offline 1"], None),
        (["install 2", "fall_back 2 failed"], None),
        (["install 2", "verify 2 failed"], None),
        (["install 2 failed"], None),
    ],
)
def test_what_was_installed_and_not_committed(words: list[str], release: str | None) -> None:
    found = uncommitted(entries(*words))
    assert (found and found["release"]) == release


@pytest.mark.parametrize(
    ("steps", "way"),
    [
        ([], []),
        (["12"], ["1"]),
        (["12", "23", "34"], ["3", "2", "1"]),
        # The first one was left again by another emulator.
        (["12", "13"], ["1"]),
    ],
)
def test_the_way_to_what_is_not_committed(steps: list[str], way: list[str]) -> None:
    assert uncommitted_way([entry_of("install", end, before=start) for start, end in steps]) == way


def test_back_to_the_permanent_release_needs_no_commit() -> None:
    assert uncommitted([*entries("install 2"), entry_of("install", "1", before="2", permanent=True)]) is None


def test_an_entry_is_on_the_disk_when_it_is_appended(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = FileCalls(monkeypatch)
    append(tree, entry_of("install", "2.0"))
    assert calls.named("flush") == [("flush", "history.jsonl"), ("flush", "releases")]
    append(tree, entry_of("commit", "2.0"))
    assert calls.named("flush")[2:] == [("flush", "history.jsonl")]


def test_a_disk_that_takes_less_than_all(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    entry = entry_of("install", "2.0")
    append(tree, entry)
    assert read(tree) == [entry]


def test_a_link_is_not_followed(tree: Tree, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("whole")
    Path(tree.path("releases", "history.jsonl")).symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        append(tree, entry_of("install", "2.0"))
    assert victim.read_text() == "whole"


def test_an_empty_history_gets_its_owner(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(tree.path("releases", "history.jsonl")).touch()
    calls = FileCalls(monkeypatch)
    append(tree, entry_of("install", "2.0"))
    assert len(calls.named("owner")) == 1 and calls.named("flush")[1:] == [("flush", "releases")]
    append(tree, entry_of("commit", "2.0"))
    assert len(calls.named("owner")) == 1


def commit(before: str | None, release: str, action: str = "commit", outcome: str = "ok") -> dict:
    return entry_of(action, release, before=before, outcome=outcome)


UP = (commit("1", "2"), commit("2", "3"))


@pytest.mark.parametrize(
    ("permanent", "old", "history", "expected"),
    [
        ("3", ["2", "1"], UP, "2"),
        ("2", ["3", "1"], (*UP, commit("3", "2")), "1"),
        ("1", ["3", "2"], (*UP, commit("3", "2"), commit("2", "1")), None),
        ("1", ["3", "2"], (*UP, commit("3", "1", "reboot")), None),
        ("3", ["1"], (*UP, commit("3", "2"), commit("2", "3")), "1"),
        ("3", ["2", "1"], (*UP, commit("3", "1", "reboot"), commit("1", "3")), "1"),
        ("2", ["1"], (commit("1", "2", "offline"),), "1"),
        ("2", ["1"], (commit("1", "2"), commit("2", "3", "install"), commit("2", "3", "commit", "failed")), "1"),
        ("2", ["1"], (), "1"),
        ("3", ["1", "2"], (), None),
        ("1", [], (), None),
        (None, ["1", "2"], UP, None),
        ("9", ["8", "7"], (*UP, commit("8", "9")), "8"),
        ("1", [], (commit(None, "1", "offline"),), None),
    ],
)
def test_the_release_below_the_permanent_one(permanent: str | None, old: list[str], history: tuple, expected: str | None) -> None:
    assert previous(history, permanent, old) == expected


@pytest.mark.parametrize("action", ["install", "boot"])
def test_a_rollback_takes_back_what_is_not_committed(action):
    assert previous([commit("1", "2"), commit("2", "3", action)], "2", ["1"]) == "2"
    assert previous([commit("1", "2"), commit("2", "3", action), commit("2", "3")], "3", ["1", "2"]) == "2"


@pytest.mark.parametrize(
    ("permanent", "old", "history", "expected"),
    [
        # Killed after the commit of a release that the history has as installed, and one of a system that was down.
        ("2", ["1"], (commit("1", "2", "install"),), "1"),
        ("3", ["2", "1"], (commit("1", "2", "offline"),), "2"),
        ("2", ["1"], (), "1"),
        ("3", ["2", "1"], (commit("1", "2", "install"), commit("2", "3", "install")), "1"),
        # Nothing is missing.
        ("2", ["1"], (commit("1", "2", "install"), commit("1", "2")), None),
        ("2", ["1"], (commit("1", "2", "offline"), commit("1", "3", "unpack")), None),
        ("1", [], (), None),
        # Old because it was rolled back.
        ("1", ["2"], (commit("1", "2", "install"), commit("2", "2", "verify", "failed")), None),
        ("1", ["2"], (commit("1", "2", "install"), entry_of("install", "1", before="2", permanent=True)), None),
        # Nobody knows from which.
        ("3", ["1", "2"], (), None),
    ],
)
def test_a_commit_that_the_history_lacks(permanent: str, old: list[str], history: tuple, expected: str | None) -> None:
    assert missing_commit(history, permanent, old) == expected


@pytest.mark.parametrize(
    ("history", "expected"),
    [((), True), ((commit("1", "2"),), False), ((commit("1", "2"), commit("2", "1", "remove")), True), ((commit("2", "1", "remove"), commit("1", "3")), False)],
)
def test_a_removal_that_the_history_lacks(history: tuple, expected: bool) -> None:
    assert has_removal(history, "1") is expected


@pytest.mark.usefixtures("in_time")
@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)], ids=["pipe", "directory", "device"])
def test_what_is_no_file_is_neither_waited_for_nor_written_to(tree: Tree, put) -> None:
    put(tree.path("releases", "history.jsonl"))
    with pytest.raises(OtpError, match="history.jsonl is not a regular file"):
        read(tree)
    with pytest.raises((OtpError, OSError), match="is not a regular file|Is a directory|symbolic links"):
        append(tree, entry_of("install", "2.0"))


def test_the_end_of_a_long_history_is_read(tree: Tree) -> None:
    Path(tree.path("releases", "history.jsonl")).touch()
    os.truncate(tree.path("releases", "history.jsonl"), 2 << 30)
    entry = entry_of("install", "2.0")
    append(tree, entry)
    assert read(tree) == [entry]
