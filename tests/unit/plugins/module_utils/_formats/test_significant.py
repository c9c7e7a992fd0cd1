# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What counts of a file: the code of a module, the term of a resource file, all bytes of any other file."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._formats.significant import (
    digest_of_file,
    digest_of_pieces,
    is_content_of,
    is_same_file,
)
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import beam

CASES = [
    ("pea.beam", beam(AtU8=b"pea", Code=b"1", CInf=b"/home/a"), beam(AtU8=b"pea", Code=b"1", CInf=b"/home/b", Dbgi=b"x"), True),
    ("pea.beam", beam(AtU8=b"pea", Code=b"1"), beam(AtU8=b"pea", Code=b"2"), False),
    ("pea.beam", b"not a module", b"nor this", False),
    ("pea.app", b'{application,pea,[{vsn,"1"}]}.', b'%% made\n{application, pea,\n [{vsn, "1"}]}.\n', True),
    ("pea.app", b'{application,pea,[{vsn,"1"}]}.', b'{application,pea,[{vsn,"2"}]}.', False),
    ("pea.app", b"{", b"{ ", False),
    ("pea.conf", b"{a,b}.", b"{a, b}.", False),
    ("pea.so", beam(Code=b"1", CInf=b"/home/a"), beam(Code=b"1", CInf=b"/home/b"), False),
]


@pytest.mark.parametrize(("name", "one", "other", "is_same"), CASES)
def test_what_counts(tmp_path: Path, name: str, one: bytes, other: bytes, is_same: bool) -> None:
    digests = [digest_of_pieces(name, len(content), [content[:5], content[5:]]) for content in (one, other)]
    assert (digests[0] == digests[1]) is is_same
    (tmp_path / name).write_bytes(one)
    assert digest_of_file(str(tmp_path / name)) == digests[0]


def gzipped(content: bytes) -> bytes:
    compress = zlib.compressobj(wbits=31)
    return compress.compress(content) + compress.flush()


CODE = beam(AtU8=b"pea", Code=b"12345", Dbgi=b"debug", CInf=b"then")
BEAMS = [
    (beam(AtU8=b"pea", Code=b"12345"), True),
    (beam(CInf=b"now", Code=b"12345", AtU8=b"pea"), True),
    (gzipped(beam(AtU8=b"pea", Code=b"12345")), True),
    (beam(AtU8=b"pea", Code=b"12346"), False),
    (beam(AtU8=b"pea", Code=b"12345", LitT=b"1"), False),
    (CODE[:-1], True),
    (gzipped(CODE)[:-9], False),
    (b"beam", False),
    (b"", False),
]


@pytest.mark.parametrize(("other", "same"), BEAMS)
def test_the_same_code(tmp_path: Path, other: bytes, same: bool) -> None:
    paths = {content: tmp_path / f"{number}.beam" for number, content in enumerate((CODE, other))}
    for content, path in paths.items():
        path.write_bytes(content)
    for one, there, expected in ((CODE, other, same), (other, CODE, same), (other, other, True)):
        assert is_same_file(str(paths[one]), str(paths[there])) is expected
        assert is_content_of(str(paths[there]), memoryview(one)) is expected


@pytest.mark.parametrize("size", [0, 1 << 20, (1 << 20) + 1])
def test_files_of_which_one_is_the_beginning_of_the_other_are_not_the_same(tmp_path: Path, size: int) -> None:
    one, other = tmp_path / "one.beam", tmp_path / "other.beam"
    one.write_bytes(bytes(size))
    other.write_bytes(bytes(size) + b"x")
    assert not is_same_file(str(one), str(other)) and not is_same_file(str(other), str(one))
    assert not is_content_of(str(one), memoryview(other.read_bytes())) and not is_content_of(str(other), memoryview(one.read_bytes()))
    assert is_content_of(str(one), memoryview(bytes(size)))
