# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is staged comes into the tree.

Rules: the staging directory is its maker's alone; what an interrupted run left there goes, however deep, links not followed; libraries come first,
and the release directory last; what the tree has stays; what fails is undone; the names are flushed at the end.
"""

from __future__ import annotations

import os
import resource
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._tree.publish import publish, remove_tree, staging
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import STAGING
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.file_calls import FileCalls

STAGED = ("releases/2/start.boot", "releases/2.rel", "lib/new-1/ebin/new.app", "lib/old-1/ebin/old.app", "bin/start", "erts-1/bin/beam.smp")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A tree with a library, and a release staged that brings another version of its file."""
    for name in ("lib/old-1/ebin/old.app", "bin/start", *(f"{STAGING}/{name}" for name in STAGED)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("staged" if STAGING in name else "there")
    (tmp_path / "releases").mkdir()
    return Tree(str(tmp_path))


def test_the_release_directory_comes_last_and_all_names_are_flushed(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = FileCalls(monkeypatch)
    publish([tree], replace=set())
    assert [call[1] for call in calls.named("rename")] == ["new-1", "erts-1", "2.rel", "2"]
    top = os.path.basename(tree.directory)
    assert sorted(call[1] for call in calls.named("flush")) == sorted([top, "lib", "releases"])
    assert [call[0] for call in calls.named("rename", "flush")] == ["rename"] * 4 + ["flush"] * 3


def test_without_flush_nothing_is_flushed(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = FileCalls(monkeypatch)
    publish([tree], replace=set(), flush=False)
    assert calls.named("flush") == [] and calls.named("rename") != []


def test_what_is_there_stays_unless_it_is_to_be_replaced(tree: Tree) -> None:
    publish([tree], replace={"bin/start"}, flush=False)
    assert Path(tree.path("bin/start")).read_text() == "staged"
    assert Path(tree.path("lib/old-1/ebin/old.app")).read_text() == "there"


def test_a_failure_takes_back_what_has_come(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def fails(old: str, new: str) -> None:
        if new.endswith("/releases/2"):
            raise OSError("no space")
        rename(old, new)

    monkeypatch.setattr(os, "rename", fails)
    with pytest.raises(OSError, match="no space"):
        publish([tree], replace=set(), flush=False)
    assert sorted(os.listdir(tree.directory)) == sorted([STAGING, "bin", "lib", "releases"])
    assert os.listdir(tree.path("lib")) == ["old-1"] and os.listdir(tree.path("releases")) == []


def test_nobody_else_can_enter_the_staging_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = FileCalls(monkeypatch)
    before = os.umask(0)
    try:
        with staging(Tree(str(tmp_path)), Changes()) as descriptor:
            assert os.path.samestat(os.fstat(descriptor), os.stat(tmp_path / STAGING))
    finally:
        os.umask(before)
    assert calls.named("mkdir") == [("mkdir", STAGING, 0o700)] and not (tmp_path / STAGING).exists()


@pytest.mark.parametrize("check_mode", [True, False])
def test_what_an_interrupted_run_left_goes(tree: Tree, check_mode: bool) -> None:
    changes = Changes(check_mode=check_mode)
    with staging(tree, changes):
        assert (os.listdir(tree.path(STAGING)) == []) != check_mode
    assert len(changes.actions) == 1 and os.path.exists(tree.path(STAGING)) == check_mode


@pytest.mark.parametrize("make", [Path.symlink_to, None])
def test_links_are_removed_and_not_followed(tmp_path: Path, make: t.Any) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").touch()
    (tmp_path / "gone" / "below").mkdir(parents=True)
    if make:
        make(tmp_path / "gone" / "below" / "link", tmp_path / "elsewhere")
        make(tmp_path / "gone" / "dangling", tmp_path / "nowhere")
    remove_tree(str(tmp_path / "gone"))
    assert os.listdir(tmp_path) == ["elsewhere"] and os.listdir(tmp_path / "elsewhere") == ["file"]


def test_more_levels_than_a_process_has_descriptors_or_a_path_has_bytes_are_removed(tmp_path: Path) -> None:
    current = os.open(tmp_path, os.O_RDONLY)
    for _level in range(2100):
        for name in ("d", "e"):
            os.mkdir(name, dir_fd=current)
        os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=current))
        below = os.open("d", os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = below
    os.close(current)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        remove_tree(str(tmp_path / "d"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        # Without the rule, pytest could not remove it either.
        subprocess.run(["rm", "-rf", tmp_path / "d" / "d"], check=True)
    assert sorted(os.listdir(tmp_path)) == ["e", "file"]


def test_a_directory_that_is_moved_away_while_it_is_removed_leads_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step up from it would lead to where it is now."""
    (tmp_path / "gone/below/deep").mkdir(parents=True)
    (tmp_path / "elsewhere/below").mkdir(parents=True)
    rmdir = os.rmdir

    def moves(name: str, **keywords: t.Any) -> None:
        rmdir(name, **keywords)
        if name == "deep":
            os.rename(tmp_path / "gone/below", tmp_path / "elsewhere/moved")

    monkeypatch.setattr(os, "rmdir", moves)
    with pytest.raises(OSError, match=f"moved meanwhile: '{tmp_path}/gone'"):
        remove_tree(str(tmp_path / "gone"))
    assert sorted(os.listdir(tmp_path / "elsewhere")) == ["below", "moved"]


def test_what_cannot_be_removed_is_an_error_with_the_name_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone/below").mkdir(parents=True)
    (tmp_path / "gone/below/file").touch()

    def refuses(name: str, **_keywords: t.Any) -> None:
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(os, "unlink", refuses)
    with pytest.raises(PermissionError, match=f"Permission denied: '{tmp_path}/gone'"):
        remove_tree(str(tmp_path / "gone"))
