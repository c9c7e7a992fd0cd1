# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cache of a build.

Rules: a broken entry is removed; the size is bounded; check mode writes nothing; a directory that others can write is not trusted; without a
directory the build goes on.
"""

from __future__ import annotations

import io
import os

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build.cache import Cache, default_directory


def test_what_was_put_is_got(tmp_path):
    directory = tmp_path / "a" / "cache"
    cache = Cache(str(directory))
    assert cache.get("key") is None and not cache.has("key")
    cache.put("key", b"content")
    assert cache.get("key") == b"content" and cache.has("key")
    assert Cache(str(directory)).get("key") == b"content"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "key").stat().st_mode & 0o777 == 0o600
    assert os.listdir(str(directory)) == ["key"]


def test_a_broken_entry_is_noticed_and_removed(tmp_path):
    cache = Cache(str(tmp_path))
    for spoil in (lambda stored: stored[:-1], lambda stored: stored[:40] + b"x" + stored[41:], lambda stored: b""):
        cache.put("key", bytes(100))
        (tmp_path / "key").write_bytes(spoil((tmp_path / "key").read_bytes()))
        assert cache.get("key") is None
        assert not (tmp_path / "key").exists()


def test_the_size_is_bounded(tmp_path):
    cache = Cache(str(tmp_path), limit=3 * 1032)
    for number in range(5):
        cache.put(str(number), bytes(1000))
        os.utime(str(tmp_path / str(number)), (number, number))
    assert cache.get("0") == bytes(1000)
    cache.tidy()
    assert sorted(os.listdir(str(tmp_path))) == ["0", "3", "4"]


def test_a_large_entry_is_a_file_and_a_small_one_in_memory(tmp_path):
    cache = Cache(str(tmp_path))
    with cache.entry("key") as write:
        write(b"con")
        assert not cache.has("key")
        write(b"tent")
    for size in (0, 1000):
        with cache.open("key", in_memory=size) as file:
            assert isinstance(file, io.BytesIO) is bool(size)
            # Another build may remove it.
            (tmp_path / "key").rename(tmp_path / "aside")
            assert file.read() == b"content"
        (tmp_path / "aside").rename(tmp_path / "key")
    stored = (tmp_path / "key").read_bytes()
    (tmp_path / "key").write_bytes(stored[:-1] + b"x")
    assert cache.open("key", in_memory=0) is None and not (tmp_path / "key").exists()


def test_an_entry_that_was_not_finished_is_not_kept(tmp_path):
    with pytest.raises(OSError, match="half way"), Cache(str(tmp_path)).entry("key") as write:
        write(b"content")
        raise OSError("half way")
    assert os.listdir(str(tmp_path)) == []


def test_an_entry_for_which_all_others_would_make_way_is_not_kept(tmp_path):
    cache = Cache(str(tmp_path), limit=1000)
    cache.put("small", bytes(900))
    with cache.entry("large") as write:
        write(bytes(600))
        write(bytes(401))
        write(b"more")
    cache.tidy()
    assert os.listdir(str(tmp_path)) == ["small"]


def test_in_check_mode_nothing_is_written(tmp_path):
    Cache(str(tmp_path / "new"), writable=False).put("key", b"content")
    assert not (tmp_path / "new").exists()
    Cache(str(tmp_path)).put("key", b"content")
    cache = Cache(str(tmp_path), writable=False)
    cache.put("other", b"content")
    assert cache.get("key") == b"content" and cache.get("other") is None


def test_a_directory_that_others_can_write_is_not_trusted(tmp_path):
    Cache(str(tmp_path)).put("key", b"content")
    tmp_path.chmod(0o777)
    assert Cache(str(tmp_path)).get("key") is None


def test_a_directory_that_can_not_be_made_is_done_without(tmp_path):
    (tmp_path / "file").write_text("")
    cache = Cache(str(tmp_path / "file" / "cache"))
    cache.put("key", b"content")
    cache.tidy()
    assert cache.get("key") is None


def test_the_default_directory(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/user")
    assert default_directory() == "/var/cache/user/erlang.otp"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/user")
    assert default_directory() == "/home/user/.cache/erlang.otp"


def test_a_directory_of_another_user_is_not_used(tmp_path, monkeypatch):
    Cache(str(tmp_path)).put("key", b"content")
    assert Cache(str(tmp_path)).get("key") == b"content"
    monkeypatch.setattr("os.geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert Cache(str(tmp_path)).get("key") is None
