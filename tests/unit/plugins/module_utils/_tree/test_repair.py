# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RELEASES and start_erl.data that a power cut has torn.

Rules: the other file and the copies tell what a torn file contained; what is missing is not torn; what cannot be told is an error; a torn file is
not copied; one that a running node is just writing is read when it is written.
"""

from __future__ import annotations

import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._tree import tree as _tree
from ansible_collections.erlang.otp.plugins.module_utils._tree.backup import save
from ansible_collections.erlang.otp.plugins.module_utils._tree.repair import repair
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import SAVED, Tree

BEFORE = '[{release,"x","2","14",[{kernel,"9","lib/kernel-9"}],unpacked},\n {release,"x","1","13",[{kernel,"8","lib/kernel-8"}],permanent}].\n'


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A system with a copy of its RELEASES."""
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases/RELEASES").write_text(BEFORE)
    (tmp_path / "releases/start_erl.data").write_text("13 1\n")
    tree = Tree(str(tmp_path))
    save(tree, FileOptions(flush=False))
    return tree


def write(tree: Tree, name: str, content: str | None) -> None:
    path = Path(tree.path("releases", name))
    path.unlink() if content is None else path.write_text(content)


def state(tree: Tree) -> tuple[dict[str, str], str]:
    """Statuses by version, and what boots."""
    releases, start = tree.releases(), tree.start_erl_data()
    assert releases is not None and start is not None
    return {entry.version: entry.status for entry in releases}, f"{start.erts_version} {start.release_version}"


AT_FIRST = ({"2": "unpacked", "1": "permanent"}, "13 1")
COMMITTED = ({"2": "permanent", "1": "old"}, "14 2")


@pytest.mark.parametrize(
    ("releases", "start", "expected"),
    [
        (BEFORE, "13 1\n", AT_FIRST),
        ("", "13 1\n", AT_FIRST),
        (BEFORE[:50], "14 2", COMMITTED),
        (BEFORE, "", AT_FIRST),
        ("", "", AT_FIRST),
        (BEFORE.replace("permanent", "old").replace("unpacked", "permanent"), "14", COMMITTED),
        # Both whole, and at odds: what boots is permanent.
        (BEFORE.replace("permanent", "old").replace("unpacked", "permanent"), "13 1\n", ({"2": "old", "1": "permanent"}, "13 1")),
    ],
)
def test_torn_files(tree: Tree, releases: str, start: str, expected: tuple) -> None:
    write(tree, "RELEASES", releases)
    write(tree, "start_erl.data", start)
    told, done, again = Changes(check_mode=True), Changes(), Changes()
    repair(tree, told, FileOptions(flush=False))
    assert state(tree) == expected
    # That was how it will be, and not how it is.
    tree = Tree(tree.root)
    repair(tree, done, FileOptions(flush=False))
    assert state(tree) == expected and done.actions == told.actions and not tree.has("releases", "RELEASES" + SAVED)
    repair(tree, again, FileOptions(flush=False))
    assert again.actions == []


def test_what_is_missing_is_not_torn(tree: Tree) -> None:
    write(tree, "RELEASES", None)
    write(tree, "start_erl.data", None)
    changes = Changes()
    repair(tree, changes, FileOptions(flush=False))
    assert changes.actions == [] and tree.releases() is None


@pytest.mark.parametrize(
    ("releases", "start", "saved", "reason"),
    [
        ("", "13 1\n", None, "RELEASES.*Repair the file, or remove it"),
        ("", "15 3\n", BEFORE, "the copy has no release 3, which start_erl.data boots"),
        ("", "13 1\n", BEFORE[:20], "RELEASES.saved"),
        (BEFORE.replace("permanent", "old"), "", BEFORE, "start_erl.data"),
    ],
)
def test_nothing_tells_what_they_said(tree: Tree, releases: str, start: str, saved: str | None, reason: str) -> None:
    for name, content in (("RELEASES", releases), ("start_erl.data", start), ("RELEASES" + SAVED, saved)):
        write(tree, name, content)
    with pytest.raises(OtpError, match=reason):
        repair(tree, Changes(), FileOptions(flush=False))
    assert Path(tree.path("releases/RELEASES")).read_text() == releases


def test_a_torn_file_is_not_saved(tree: Tree) -> None:
    write(tree, "RELEASES", "")
    with pytest.raises(OtpError, match="the next run repairs it with the copy"):
        save(tree, FileOptions(flush=False))
    assert Path(tree.path("releases", "RELEASES" + SAVED)).read_text() == BEFORE


def test_a_file_that_a_running_node_writes_is_read_when_it_is_written(tree: Tree, emulator: t.Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator(tree.root)
    write(tree, "RELEASES", "")
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            write(tree, "RELEASES", BEFORE)

    monkeypatch.setattr(time, "sleep", sleep)
    assert state(tree) == AT_FIRST and len(slept) == 3
    write(tree, "RELEASES", "")
    monkeypatch.setattr(_tree, "WRITING", -1.0)
    with pytest.raises(OtpError, match="Stop the system, if it runs"):
        tree.releases()


def test_a_torn_file_of_a_stopped_system_is_not_waited_for(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("it waits"))
    write(tree, "RELEASES", "")
    with pytest.raises(OtpError, match="the next run repairs it with the copy"):
        tree.releases()
