# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Members of a tar stream.

Rules: only a file has content, whatever size the header of another member names, as tar(5) has it: what follows is the next header.
A number in a header is octal digits between spaces and NULs, and nothing else. Few headers of a name follow each other, and cost time in proportion.
"""

from __future__ import annotations

import io
import re
import tarfile
import time

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_reader import TarError, members


class Stream(io.BytesIO):
    """A stream as the members need one."""

    left = 0

    def skip(self, size: int) -> None:
        self.read(size)


def archive(kind: bytes) -> bytes:
    """A member of the kind whose header names a size, and then a file with content."""
    content = io.BytesIO()
    for name, type_, size in (("first", kind, 700), ("second", tarfile.REGTYPE, 3)):
        member = tarfile.TarInfo(name)
        member.type, member.size, member.linkname = type_, size, "second" if type_ == tarfile.SYMTYPE else ""
        content.write(member.tobuf(tarfile.USTAR_FORMAT))
    return content.getvalue() + b"abc".ljust(tarfile.BLOCKSIZE, b"\0") + bytes(2 * tarfile.BLOCKSIZE)


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_only_a_file_has_content(kind: bytes) -> None:
    stream, found = Stream(archive(kind)), []
    for member in members(stream):
        found.append((member.name.rstrip("/"), member.size, stream.read(stream.left)))
        stream.left = 0
    assert found == [("first", 0, b""), ("second", 3, b"abc")]


def header(fields: dict[int, bytes], *, kind: bytes = tarfile.REGTYPE, size: int = 3) -> bytes:
    """A header with these bytes at these places, and the checksum for them."""
    member = tarfile.TarInfo("first")
    member.type, member.size = kind, size
    content = bytearray(member.tobuf(tarfile.USTAR_FORMAT))
    for place, field in fields.items():
        content[place : place + len(field)] = field
    if 148 not in fields:
        content[148:156] = b"%06o\0 " % (sum(content) - sum(content[148:156]) + 8 * 32)
    return bytes(content)


def read(*parts: bytes) -> list[tuple[str, bytes]]:
    stream, found = Stream(b"".join(parts) + bytes(2 * tarfile.BLOCKSIZE)), []
    for member in members(stream):
        found.append((member.name, stream.read(member.size)))
        stream.left = 0
    return found


CONTENT = b"abc".ljust(tarfile.BLOCKSIZE, b"\0")


@pytest.mark.parametrize("size", [b"00000000003\0", b"000000000003", b"         3 \0", b"3\0\0\0\0\0\0\0\0\0\0\0", b"  3 \0 \0 \0  "])
def test_a_number_is_octal_digits(size: bytes) -> None:
    assert read(header({124: size}), CONTENT) == [("first", b"abc")]


WRONG = [
    b"-1",
    b"+3",
    b"0o3",
    b"1_0",
    b"0 3",
    b"0\x003",
    b"8",
    b"\t3",
    b"3\n",
    b"",
    b"\x80\0\0\0\0\0\0\0\0\0\0\x03",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfd",
    b"\xb2",
]


@pytest.mark.parametrize("number", WRONG)
def test_anything_else_is_refused(number: bytes) -> None:
    for place, length, what in ((124, 12, "size"), (100, 8, "mode")):
        with pytest.raises(TarError, match=f"the {what} in a member's header is not an octal number"):
            read(header({place: number[:length].ljust(length, b"\0")}), CONTENT)
    with pytest.raises(TarError, match="the checksum in a member's header is not an octal number"):
        read(header({148: number[:8].ljust(8, b"\0")}), CONTENT)


@pytest.mark.parametrize("size", ["-1", "+3", "0x3", "1_0", "3 ", "\u0663", "9" * 20])
def test_a_size_of_pax_is_digits(size: str) -> None:
    record = f" size={size}\n".encode()
    record = str(len(record) + 2).encode() + record
    with pytest.raises(TarError, match="the size of first is not a number"):
        read(header({}, kind=tarfile.XHDTYPE, size=len(record)), record.ljust(tarfile.BLOCKSIZE, b"\0"), header({}), CONTENT)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_headers_without_a_member_have_an_end(kind: bytes) -> None:
    one = header({}, kind=kind, size=0)
    assert read(one * 8, header({}), CONTENT)[0][1] == b"abc"
    with pytest.raises(TarError, match="more than 8 headers for one member follow each other"):
        read(one * 9, header({}), CONTENT)


def test_a_long_header_is_read_in_proportion() -> None:
    """As many records as fit; each was once copied with all that followed it."""
    content = b"4 =\n" * (1 << 18)
    began = time.process_time()
    read(header({}, kind=tarfile.XHDTYPE, size=len(content)), content, header({}), CONTENT)
    assert time.process_time() - began < 10


def test_a_broken_header_of_pax() -> None:
    for record in (b"3 =\n", b"9 a=\n", b"5a=b\n", b"x a=\n"):
        with pytest.raises(TarError, match=re.escape("PAX")):
            read(header({}, kind=tarfile.XHDTYPE, size=len(record)), record.ljust(tarfile.BLOCKSIZE, b"\0"), header({}), CONTENT)
