# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The code in a BEAM file, whatever path of its source, compile time, debug information or documentation it carries (beam_lib(3), md5/1)."""

from __future__ import annotations

import typing as t
import zlib

# A few bytes may inflate to gigabytes.
MAX_BEAM = 64 << 20
_PIECE = 64 * 1024
# Those that beam_lib:md5/1 looks at.
CODE_CHUNKS = frozenset([b"Atom", b"AtU8", b"Code", b"StrT", b"ImpT", b"ExpT", b"FunT", b"LitT"])


def code_of(content: t.Any) -> bytes:
    """The chunks of code in one order, else the content."""
    return b"".join(code_pieces(content))


def code_pieces(content: t.Any) -> t.Iterator[t.Any]:
    """The same in pieces. content: bytes, or what has slices like theirs."""
    content = inflated(content)
    found = {name: content[start:end] for name, start, end in chunks(content) if name in CODE_CHUNKS}
    for name in sorted(found):
        yield name + len(found[name]).to_bytes(8, "big")
        yield found[name]
    if not found:
        yield content


def lacks_chunk(content: bytes, name: bytes) -> bool:
    """Whether this is a BEAM file without the chunk."""
    names = {found for found, _start, _end in chunks(inflated(content))}
    return bool(names) and name not in names


def inflated(content: t.Any) -> t.Any:
    """The content of a BEAM file; the whole file may be a gzip file (beam_lib:strip/1)."""
    if content[:2] != b"\x1f\x8b":
        return content
    plain, inflate = bytearray(), zlib.decompressobj(31)
    try:
        for start in range(0, len(content), _PIECE):
            plain += inflate.decompress(content[start : start + _PIECE], MAX_BEAM + 1 - len(plain))
            if inflate.eof or len(plain) > MAX_BEAM:
                break
    except zlib.error:
        return content
    return memoryview(plain) if inflate.eof and len(plain) <= MAX_BEAM else content


def chunks(content: t.Any) -> t.Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk of a BEAM file; none of any other file. content: bytes, or what has slices like theirs.

    The format is IFF: "FOR1", size, "BEAM", then chunks of name, size and content, padded to 4 bytes.
    """
    position = 12 if content[:4] == b"FOR1" and content[8:12] == b"BEAM" else len(content)
    while position + 8 <= len(content):
        size = int.from_bytes(content[position + 4 : position + 8], "big")
        yield bytes(content[position : position + 4]), position + 8, position + 8 + size
        position += 8 + size + -size % 4
