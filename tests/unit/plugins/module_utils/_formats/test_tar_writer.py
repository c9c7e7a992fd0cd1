# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives are read back by Python's tarfile, which is somebody else's code."""

from __future__ import annotations

import io
import itertools
import os
import tarfile

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats import large_file as _large_file
from ansible_collections.erlang.otp.plugins.module_utils._formats import tar_writer as _tar_writer
from ansible_collections.erlang.otp.plugins.module_utils._formats.large_file import LargeFile
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_writer import (
    DIRECTORY,
    END_OF_ARCHIVE,
    LINK,
    PackageMember,
    deflated_chunks,
    plain_pieces,
    tar_parts,
    tar_pieces,
)

NAMES = [
    "a",
    "x" * 100,
    "x" * 101,
    "d" * 90 + "/" + "f" * 90,
    "d" * 155 + "/" + "f" * 100,
    "d" * 156 + "/" + "f" * 100,
    "a/" * 60 + "f" * 99,
    "/".join(["long"] * 80),
    "αβ/γ",
    "e\u0301",
    "a b\nc",
]


def read_back(*members: PackageMember) -> tarfile.TarFile:
    content = b"".join(tar_parts(members, mtime=1)) + END_OF_ARCHIVE
    return tarfile.open(fileobj=io.BytesIO(content), mode="r:")


@pytest.mark.parametrize("name", NAMES)
def test_names(name):
    with read_back(PackageMember(name, content=b"content"), PackageMember(name + "d", DIRECTORY, 0o755), PackageMember("end")) as archive:
        assert archive.getnames() == [name, name + "d", "end"]
        assert archive.extractfile(name).read() == b"content"
        assert archive.getmember(name + "d").isdir()


@pytest.mark.parametrize("target", ["t", "../t" * 30, "ζ" * 60])
def test_link_targets(target):
    with read_back(PackageMember("link", LINK, 0o777, target=target), PackageMember("end", content=b"x" * 513)) as archive:
        link, end = archive.getmembers()
        assert (link.issym(), link.linkname) == (True, target)
        assert end.size == 513


def test_nothing_of_who_made_it(tmp_path):
    source = tmp_path / "file"
    source.write_bytes(b"content")
    os.utime(source, (5, 5))
    with read_back(PackageMember("file", mode=0o750, source=str(source))) as archive:
        member = archive.getmember("file")
    assert (member.uid, member.gid, member.uname, member.gname, member.mtime, member.mode) == (0, 0, "", "", 1, 0o750)


def test_a_file_that_is_gone(tmp_path):
    with pytest.raises(OtpError, match="gone can't be read into the package: No such file"):
        list(tar_parts([PackageMember("gone", source=str(tmp_path / "gone"))], mtime=0))


def beam(*chunks: tuple) -> bytes:
    body = b"BEAM" + b"".join(name + len(data).to_bytes(4, "big") + data + bytes(-len(data) % 4) for name, data in chunks)
    return b"FOR1" + len(body).to_bytes(4, "big") + body


COMPRESSED = b"\x83P" + os.urandom(4999)


def test_compressed_chunks_of_a_beam_file():
    content = beam((b"Code", bytes(5001)), (b"Dbgi", COMPRESSED), (b"Docs", b"\x83P" + bytes(10)), (b"Meta", COMPRESSED))
    assert [content[start:end] for start, end in deflated_chunks(content)] == [COMPRESSED, COMPRESSED]
    pieces = [*tar_pieces([b"header", content, b"FOR"])]
    assert [piece.data for piece in pieces if piece.is_deflated] == [COMPRESSED, COMPRESSED]
    assert b"".join(piece.data for piece in pieces) == b"header" + content + b"FOR"


def test_a_large_chunk_with_tables_in_it_is_compressed_further():
    tables, noise = b"\x83P" + bytes(range(250)) * 400, b"\x83P" + os.urandom(100000)
    content = beam((b"Dbgi", tables), (b"Docs", noise))
    assert [content[start:end] for start, end in deflated_chunks(content)] == [noise]


@pytest.mark.parametrize(
    "content",
    [b"", b"FOR1", beam((b"Dbgi", COMPRESSED))[:-4], b"FOR1\0\0\0\4BEAM" + b"Dbgi\xff\xff\xff\xff\x83P" * 9],
    ids=["empty", "begun", "cut off", "beyond its end"],
)
def test_what_is_no_beam_file_has_none(content):
    assert deflated_chunks(content) == []


def test_a_large_file_is_never_in_memory_and_makes_the_same_archive(tmp_path, monkeypatch):
    content = beam((b"Code", bytes(5001)), (b"Dbgi", COMPRESSED), (b"Docs", b"\x83P" + bytes(10)), (b"Meta", COMPRESSED)) + bytes(700)
    (tmp_path / "pea.beam").write_bytes(content)
    member = PackageMember("pea.beam", source=str(tmp_path / "pea.beam"))
    small = [*tar_parts([member], mtime=0)]
    monkeypatch.setattr(_tar_writer, "LARGE", 1000)
    monkeypatch.setattr(_large_file, "PIECE", 64)
    parts = [*tar_parts([member], mtime=0)]
    assert isinstance(parts[1], LargeFile) and small[1] == content
    assert b"".join(plain_pieces(parts)) == b"".join(plain_pieces(small))
    pieces = [*tar_pieces(parts)]
    assert max(len(piece.data) for piece in pieces) == 512  # a header
    runs = [(is_deflated, b"".join(piece.data for piece in run)) for is_deflated, run in itertools.groupby(pieces, lambda piece: piece.is_deflated)]
    assert [run for is_deflated, run in runs if is_deflated] == [COMPRESSED, COMPRESSED]
    assert b"".join(run for dummy, run in runs) == b"".join(plain_pieces(small))


def test_a_large_file_that_becomes_shorter_is_no_part_of_an_archive(tmp_path):
    (tmp_path / "large").write_bytes(bytes(1000))
    parts = tar_pieces([LargeFile(str(tmp_path / "large"), 1001)])
    with pytest.raises(OtpError, match="large became shorter while it was read into the package. Build again when nothing writes to it."):
        list(parts)
    assert b"".join(piece.data for piece in tar_pieces([LargeFile(str(tmp_path / "large"), 1000)])) == bytes(1000)
    (tmp_path / "large").unlink()
    with pytest.raises(OtpError, match="large can't be read into the package: No such file"):
        list(tar_pieces([LargeFile(str(tmp_path / "large"), 1001)]))
