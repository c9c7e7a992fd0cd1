# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Members of an archive as the bytes of a tar file that are the same on every host and at any time.

Headers are ustar (POSIX.1-1988); names and link targets that do not fit, or are not ASCII, get a pax header
(POSIX.1-2001), which erl_tar reads since OTP 20. Owners are 0, names of owners empty, times all the same.
"""

from __future__ import annotations

import os
import typing as t
import zlib

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.beam import chunks
from ansible_collections.erlang.otp.plugins.module_utils._formats.large_file import LARGE, Content, LargeFile, pieces_of

FILE, LINK, DIRECTORY = b"0", b"2", b"5"
BLOCK = 512
END_OF_ARCHIVE = bytes(2 * BLOCK)
LARGEST_FILE = 0o77777777777

# Below this, a separate block for a chunk costs more than it saves.
SMALLEST_CHUNK = 2048
LARGE_CHUNK = 16 * 1024
SAMPLE = 4096


class PackageMember(t.NamedTuple):
    """One member: a file with its content, or the path that has it; a symbolic link with its target; a directory."""

    name: str
    kind: bytes = FILE
    mode: int = 0o644
    source: str | None = None
    content: bytes = b""
    target: str = ""


class Piece(t.NamedTuple):
    """Bytes of a tar file, and whether they are compressed already."""

    data: bytes
    is_deflated: bool = False


def tar_parts(members: t.Iterable[PackageMember], *, mtime: int) -> t.Iterator[Content]:
    """The members in their order, without the end of the archive, as consecutive parts of which a file's content is one.

    Raises OtpError naming a file that can't be read.
    """
    for member in members:
        content = _content(member)
        yield _header(member, len(content), mtime)
        yield content
        yield bytes(-len(content) % BLOCK)


def plain_pieces(parts: t.Iterable[Content]) -> t.Iterator[bytes]:
    """The bytes of the parts."""
    for part in parts:
        if isinstance(part, LargeFile):
            yield from part.pieces(0, len(part))
        else:
            yield part


def tar_pieces(parts: t.Iterable[Content]) -> t.Iterator[Piece]:
    """The same bytes, divided where something begins or ends that is compressed already."""
    for part in parts:
        position = 0
        for start, end in deflated_chunks(part):
            yield from map(Piece, pieces_of(part, position, start))
            yield from (Piece(data, is_deflated=True) for data in pieces_of(part, start, end))
            position = end
        yield from map(Piece, pieces_of(part, position, len(part)))


def _content(member: PackageMember) -> Content:
    if member.kind != FILE or member.source is None:
        return member.content
    try:
        with open(member.source, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            return LargeFile(member.source, size) if size > LARGE else file.read()
    except OSError as error:
        raise OtpError(f"{member.source} can't be read into the package: {error.strerror}.") from error


def deflated_chunks(content: Content) -> list[tuple[int, int]]:
    """The ranges of a BEAM file's larger chunks that contain a compressed term, as debug information does.

    A compressed term begins with 131 and 80 (External Term Format, "Compressed term").
    """
    large = [(start, end) for dummy, start, end in chunks(content) if start + SMALLEST_CHUNK <= end <= len(content)]
    return [(start, end) for start, end in large if content[start : start + 2] == b"\x83P" and _is_dense(content, start, end)]


def _is_dense(content: Content, start: int, end: int) -> bool:
    if end - start < LARGE_CHUNK:
        return True
    middle = (start + end - SAMPLE) // 2
    return len(zlib.compress(content[middle : middle + SAMPLE], 1)) > SAMPLE * 0.98


def _header(member: PackageMember, size: int, mtime: int) -> bytes:
    """The member's ustar header, after a pax header when something doesn't fit."""
    if size > LARGEST_FILE:
        raise OtpError(f"{member.name} has {size} bytes; a file in a package can have {LARGEST_FILE} at most.")
    name = member.name + "/" if member.kind == DIRECTORY else member.name
    pax = b""
    prefix, short = _split(name)
    target = member.target.encode("utf-8", "surrogateescape")
    if short is None:
        pax += _pax_record(b"path", name)
        prefix, short = b"", name.encode("utf-8", "surrogateescape")[:100]
    if len(target) > 100 or not target.isascii():
        pax += _pax_record(b"linkpath", member.target)
    header = _ustar(short, prefix, member.kind, member.mode, size, mtime, target[:100])
    if pax:
        return _ustar(b"././@PaxHeader", b"", b"x", 0o644, len(pax), mtime, b"") + pax + bytes(-len(pax) % BLOCK) + header
    return header


def _split(name: str) -> tuple[bytes, bytes | None]:
    """The name as ustar's prefix and name, or None when it needs a pax header."""
    if not name.isascii():
        return b"", None
    if len(name) <= 100:
        return b"", name.encode("ascii")
    cut = name.find("/", len(name) - 101)
    if 0 < cut <= 155 and cut < len(name) - 1:
        return name[:cut].encode("ascii"), name[cut + 1 :].encode("ascii")
    return b"", None


def _pax_record(key: bytes, value: str) -> bytes:
    """The record "LENGTH KEY=VALUE\\n", where the length counts its own digits too."""
    rest = b" %s=%s\n" % (key, value.encode("utf-8", "surrogateescape"))
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return b"%d%s" % (length, rest)


def _ustar(name: bytes, prefix: bytes, kind: bytes, mode: int, size: int, mtime: int, target: bytes) -> bytes:
    start = b"%-100b%07o\x000000000\x000000000\x00%011o\x00%011o\x00" % (b"", mode, size, mtime)
    start = name + bytes(100 - len(name)) + start[100:]
    end = kind + target + bytes(100 - len(target)) + b"ustar\x0000" + bytes(64) + b"0000000\x000000000\x00" + prefix + bytes(167 - len(prefix))
    checksum = sum(start) + sum(end) + 8 * ord(" ")
    return b"%b%06o\x00 %b" % (start, checksum, end)
