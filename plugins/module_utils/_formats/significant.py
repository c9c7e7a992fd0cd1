# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What two copies of a file of a library have in common if they are the same: the code of BEAM files, the term of resource files, all of the others.

The same code, compiled in another checkout, has another path of its source in it. Nothing that runs depends on that.
"""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import open_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.beam import MAX_BEAM, code_pieces
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import TermError, decode, parse_one
from ansible_collections.erlang.otp.plugins.module_utils._terms.printer import format_term

# The parser needs a hundred times as much memory.
_LIMITS = {".beam": MAX_BEAM, ".app": 1 << 20}
_PIECE = 1 << 20


def is_read_as_a_whole(path: str, size: int) -> bool:
    """Whether less than the bytes of this file may count."""
    return size <= _LIMITS.get(os.path.splitext(path)[1], -1)


def significant(path: str, content: t.Any) -> t.Iterable[t.Any]:
    """What counts of a file for which is_read_as_a_whole() holds, in pieces."""
    if path.endswith(".beam"):
        return code_pieces(content)
    try:
        return (format_term(parse_one(decode(bytes(content), filename=path), filename=path)).encode("utf-8", "surrogatepass"),)
    except TermError:
        return (content,)


def joined(pieces: t.Iterable[t.Any]) -> memoryview:
    """The pieces as one, without having all of them in memory beside it."""
    content = bytearray()
    for piece in pieces:
        content += piece
    return memoryview(content)


def digest_of_pieces(path: str, size: int, pieces: t.Iterable[t.Any]) -> str:
    """The sha256 of what counts of a file with this content."""
    return _digest(significant(path, joined(pieces)) if is_read_as_a_whole(path, size) else pieces)


def _digest(pieces: t.Iterable[t.Any]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def digest_of_file(path: str) -> str:
    """The same of a file that is there. Raises OtpError, OSError."""
    if not is_read_as_a_whole(path, os.stat(path).st_size):
        return sha256(path)
    with open_file(path, buffering=0) as file:
        return digest_of_pieces(path, 0, iter(lambda: file.read(_PIECE), b""))


def is_content_of(path: str, content: memoryview) -> bool:
    """Whether this is the content of the file that is there, as far as it counts, and is read as a whole. Raises OtpError, OSError."""
    with open_file(path, buffering=0) as file:
        position = 0
        for piece in iter(lambda: file.read(_PIECE), b""):
            if bytes(content[position : position + len(piece)]) != piece:
                break
            position += len(piece)
        else:
            if position == len(content):
                return True
    return _digest(significant(path, content)) == digest_of_file(path)


def is_same_file(one: str, other: str) -> bool:
    """Whether two files that are there have the same content, as far as it counts. Raises OtpError, OSError."""
    with open_file(one, buffering=0) as file, open_file(other, buffering=0) as file_there:
        pieces = iter(lambda: (file.read(_PIECE), file_there.read(_PIECE)), (b"", b""))
        if all(piece == piece_there for piece, piece_there in pieces):
            return True
    return digest_of_file(one) == digest_of_file(other)
