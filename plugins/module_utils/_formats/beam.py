# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The code in a BEAM file, whatever path of its source, compile time, debug information or documentation it carries (beam_lib(3), md5/1)."""

from __future__ import annotations

import typing as t
import zlib

# A few bytes may inflate to gigabytes.
MAX_BEAM = 64 << 20
# Those that beam_lib:md5/1 looks at.
CODE_CHUNKS = frozenset([b"Atom", b"AtU8", b"Code", b"StrT", b"ImpT", b"ExpT", b"FunT", b"LitT"])


def same_code(one: bytes, other: bytes) -> bool:
    """Whether the contents of two BEAM files are the same code. Other files must be equal byte by byte."""
    return one == other or code_of(one) == code_of(other)


def code_of(content: bytes) -> bytes:
    """The chunks of code in one order, else the content."""
    content = inflated(content)
    found = {name: content[start:end] for name, start, end in chunks(content) if name in CODE_CHUNKS}
    return b"".join(name + len(found[name]).to_bytes(8, "big") + found[name] for name in sorted(found)) or content


def inflated(content: bytes) -> bytes:
    """The content of a BEAM file; the whole file may be a gzip file (beam_lib:strip/1)."""
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        inflate = zlib.decompressobj(31)
        plain = inflate.decompress(content, MAX_BEAM)
    except zlib.error:
        return content
    return plain if inflate.eof else content


def chunks(content: bytes) -> t.Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk of a BEAM file; none of any other file.

    The format is IFF: "FOR1", size, "BEAM", then chunks of name, size and content, padded to 4 bytes.
    """
    position = 12 if content[:4] == b"FOR1" and content[8:12] == b"BEAM" else len(content)
    while position + 8 <= len(content):
        size = int.from_bytes(content[position + 4 : position + 8], "big")
        yield content[position : position + 4], position + 8, position + 8 + size
        position += 8 + size + -size % 4
