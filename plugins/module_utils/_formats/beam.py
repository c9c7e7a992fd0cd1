# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether two BEAM files are the same code, whatever debug information, documentation or compile time they carry."""

from __future__ import annotations

import zlib

# Those that beam_lib:md5/1 looks at.
CODE_CHUNKS = frozenset([b"Atom", b"AtU8", b"Code", b"StrT", b"ImpT", b"ExpT", b"FunT", b"LitT"])


def same_code(one: bytes, other: bytes) -> bool:
    """Whether the contents of two BEAM files are the same code. Other files must be equal byte by byte."""
    return one == other or _code(one) == _code(other)


def _code(content: bytes) -> bytes | dict[bytes, bytes]:
    """The chunks by name; the format is IFF, the file may be a gzip file as a whole (beam_lib:strip/1)."""
    if content[:2] == b"\x1f\x8b":
        try:
            content = zlib.decompress(content, 31)
        except zlib.error:
            return content
    if content[:4] != b"FOR1" or content[8:12] != b"BEAM":
        return content
    chunks = {}
    position = 12
    while position + 8 <= len(content):
        name, size = content[position : position + 4], int.from_bytes(content[position + 4 : position + 8], "big")
        if name in CODE_CHUNKS:
            chunks[name] = content[position + 8 : position + 8 + size]
        position += 8 + size + -size % 4
    return chunks
