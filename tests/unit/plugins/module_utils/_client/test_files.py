# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a client node beside its releases.

Rules: a program comes to another host as it is, but never with set-uid; only a regular file does. What arrives is whole, and not larger than a file of
a system may be. What is removed is removed with all that is in it, and a link without what it leads to. A second run changes nothing.
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._client import files as _files
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError


def ensure(*, absent: t.Sequence[Path | str] = (), directories: t.Sequence[_files.Directory] = (), files: t.Sequence[_files.File] = ()) -> list[str]:
    changes = Changes()
    _files.ensure_files(absent=[str(path) for path in absent], directories=directories, files=files, changes=changes)
    return changes.actions


def test_a_program_arrives_whole_and_without_set_uid(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(os.urandom(100_000))
    program.chmod(0o4755)
    (found,) = _files.read_programs([str(program)])
    assert found["mode"] == "0755"
    assert _files.decompressed(found["compressed"], name="program") == program.read_bytes()


@pytest.mark.usefixtures("in_time")
def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OtpError, match="pipe is not a regular file"):
        _files.read_programs([str(tmp_path / "pipe")])
    with pytest.raises(OtpError, match="missing does not exist"):
        _files.read_programs([str(tmp_path / "missing")])


def test_what_arrives_is_whole_and_not_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _files.compressed(b"x" * 1000)
    monkeypatch.setattr(_files, "MAX_FILE", 1000)
    assert len(_files.decompressed(whole, name="a")) == 1000
    for text, problem in ((whole[:12], "not whole"), ("%", "damaged"), (_files.compressed(b"x" * 1001), "larger than 1000 bytes")):
        with pytest.raises(OtpError, match=f"compressed of a is .*{problem}"):
            _files.decompressed(text, name="a")


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    given: dict[str, t.Any] = {
        "directories": [_files.Directory(f"{tmp_path}/a/b", 0o711, -1)],
        "files": [_files.File(f"{tmp_path}/a/b/c", b"text", 0o400, os.getuid())],
    }
    assert ensure(**given) == [f"create the directory {tmp_path}/a/b", f"write {tmp_path}/a/b/c"]
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o711 and (tmp_path / "a/b/c").stat().st_mode & 0o777 == 0o400
    assert ensure(**given) == []


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    (tmp_path / "tree/below").mkdir(parents=True)
    (tmp_path / "tree/below/link").symlink_to(tmp_path / "kept")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    assert len(ensure(absent=[tmp_path / "tree", tmp_path / "link"])) == 2
    assert os.listdir(tmp_path) == ["kept"] and (tmp_path / "kept/file").exists()
    assert ensure(absent=[tmp_path / "tree", tmp_path / "link"]) == []


@pytest.mark.parametrize("path", ["relative", "/", "/a/../b", "/a/"])
def test_a_path_is_plain(path: str) -> None:
    with pytest.raises(OtpError, match="not an absolute path in its plain form"):
        ensure(absent=[path])
