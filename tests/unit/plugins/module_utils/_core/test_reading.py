# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Only a regular file is read, no pipe is waited for, and no more is read than the limit, whatever size the file says. JSON is data, or a ValueError."""

from __future__ import annotations

import os
import socket
import tracemalloc

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core import reading
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError


def pipe(path):
    os.mkfifo(path)


def listener(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.usefixtures("in_time")
@pytest.mark.parametrize("put", [pipe, listener, os.mkdir, lambda path: os.symlink("/dev/zero", path)], ids=["pipe", "socket", "directory", "device"])
def test_only_a_regular_file_is_read(tmp_path, put):
    put(tmp_path / "RELEASES")
    with pytest.raises(OtpError, match=f"^{tmp_path}/RELEASES is not a regular file[.]"):
        reading.read_file(str(tmp_path / "RELEASES"))


def test_a_file_of_the_limit_is_read_and_a_larger_one_refused(tmp_path):
    path = tmp_path / "RELEASES"
    path.write_bytes(b"x" * 100)
    assert reading.read_file(str(path), limit=100) == b"x" * 100
    with pytest.raises(OtpError, match=f"^{path} has more than 99 bytes, the limit"):
        reading.read_file(str(path), limit=99)


def test_a_sparse_file_takes_no_memory(tmp_path):
    path = tmp_path / "RELEASES"
    path.touch()
    os.truncate(path, 2 << 30)
    tracemalloc.start()
    try:
        with pytest.raises(OtpError, match="has more than"):
            reading.read_file(str(path))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_file_without_a_size_is_read_up_to_the_limit():
    content = reading.read_file("/proc/self/status")
    assert content.startswith(b"Name:") and os.stat("/proc/self/status").st_size == 0
    with pytest.raises(OtpError, match="more than 9 bytes"):
        reading.read_file("/proc/self/status", limit=9)


def test_a_file_that_grows_is_read_up_to_the_limit(tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.write_bytes(b"x" * 50)
    found = os.stat(path)
    path.write_bytes(b"x" * (8 << 20))
    monkeypatch.setattr(os, "fstat", lambda dummy: found)
    tracemalloc.start()
    try:
        with pytest.raises(OtpError, match="more than 99 bytes"):
            reading.read_file(str(path), limit=99)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_file_that_is_missing_is_none(tmp_path):
    assert reading.read_file(str(tmp_path / "missing")) is None


def test_the_end_of_a_file(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"0123456789")
    assert reading.read_end(str(path), 4) == b"6789"
    assert reading.read_end(str(path), 40) == b"0123456789"
    assert reading.read_end(str(tmp_path / "missing"), 4) is None
    os.truncate(path, 2 << 30)
    assert reading.read_end(str(path), 4) == bytes(4)


def test_a_link_is_followed_only_if_it_may_be(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert reading.read_file(str(tmp_path / "link")) == b"x"
    with pytest.raises(OtpError, match="link is not a regular file"):
        reading.read_file(str(tmp_path / "link"), follow=False)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a":' * 100_000, "9" * 100_000, "9" * 30, '"\\ud8"', b"\xff"])
def test_no_json(text):
    with pytest.raises(ValueError):
        reading.from_json(text)


def test_json():
    assert reading.from_json(b'{"a": [1, -2, 1.5, null, true, "x"]}') == {"a": [1, -2, 1.5, None, True, "x"]}


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\0", "\x1b[2J", "a\nb", "\u202e"])
def test_no_name_of_a_directory(name):
    assert not reading.is_directory_name(name)
