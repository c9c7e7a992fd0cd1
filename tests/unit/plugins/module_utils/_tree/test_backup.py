# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copies of RELEASES and start_erl.data.

Rules: both are copied before either is changed, and the copies are on the disk; a torn file is not copied; the two are on the disk before a copy
goes; the copy of RELEASES, by which others know that there are any, goes last.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._tree.backup import forget_saved, save
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.file_calls import FileCalls

RELEASES = '[{release,"R","1","1.0",[{kernel,"1","lib/kernel-1"}],permanent}].\n'


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases/RELEASES").write_text(RELEASES)
    (tmp_path / "releases/start_erl.data").write_text("1.0 1\n")
    return Tree(str(tmp_path))


def test_both_are_copied_and_flushed(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = FileCalls(monkeypatch)
    save(tree, FileOptions())
    assert [call[1] for call in calls.named("rename")] == ["RELEASES.saved", "start_erl.data.saved"]
    assert len(calls.named("flush")) == 4
    assert Path(tree.path("releases/RELEASES.saved")).read_text() == RELEASES
    assert Path(tree.path("releases/start_erl.data.saved")).read_text() == "1.0 1\n"


@pytest.mark.parametrize("name", ["RELEASES", "start_erl.data"])
def test_a_torn_file_takes_no_good_copy_s_place(tree: Tree, name: str) -> None:
    save(tree, FileOptions())
    before = Path(tree.path("releases", f"{name}.saved")).read_bytes()
    Path(tree.path("releases", name)).write_text("")
    with pytest.raises(OtpError):
        save(tree, FileOptions())
    assert Path(tree.path("releases", f"{name}.saved")).read_bytes() == before


def test_what_was_changed_is_on_the_disk_before_the_copies_go(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tree, FileOptions())
    calls = FileCalls(monkeypatch)
    forget_saved(tree)
    flushed = [("flush", "RELEASES"), ("flush", "start_erl.data"), ("flush", "releases")]
    assert calls.done == [*flushed, ("unlink", "start_erl.data.saved"), ("unlink", "RELEASES.saved")]
    assert sorted(os.listdir(tree.path("releases"))) == ["RELEASES", "start_erl.data"]


def test_what_is_missing_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    save(Tree(str(tmp_path)), FileOptions())
    forget_saved(Tree(str(tmp_path)))
    assert os.listdir(tmp_path / "releases") == []
