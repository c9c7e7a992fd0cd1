# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The members of a tar stream, in order: ustar, GNU long names, PAX. The caller decides which members are allowed."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

BLOCK = 512
# Bytes of a long name or a PAX header; real ones have some hundred.
_HEADER_LIMIT = 1 << 20
# Such headers before one member: a name, a target and attributes, each in the form of GNU and of PAX.
_HEADERS_LIMIT = 8
# int() takes signs, prefixes and underscores as well.
_OCTAL = re.compile(rb" *([0-7]+)[ \0]*")

_KINDS = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"1": "hard link",
    b"2": "link",
    b"3": "character device",
    b"4": "block device",
    b"5": "directory",
    b"6": "named pipe",
    b"S": "sparse file",
}


class TarError(OtpError):
    """The bytes are not a tar archive, or not a whole one."""


class TarMember(t.NamedTuple):
    """One member: its name as in the archive, its kind (see _KINDS), permissions, size in bytes, target of a link."""

    name: str
    kind: str
    mode: int
    size: int
    target: str


def members(stream):
    """Yield each TarMember of the stream; the caller has read none, some or all of its content when it asks for the next.

    stream has ``read(size)`` (exactly so many bytes, else it raises) and ``left``, the bytes of content that the
    caller has still to read: it is set here and lowered by the stream's ``content()``.
    The format: POSIX pax(1), "ustar Interchange Format" and "pax Interchange Format"; GNU tar manual, "Basic Tar Format".
    """
    extended: dict[str, str] = {}
    headers = 0
    while True:
        header = stream.read(BLOCK)
        if not any(header):
            # The end of an archive is two blocks of zeros.
            if any(stream.read(BLOCK)):
                raise TarError("one block of zeros, not two, is where the archive should end")
            return
        _check_sum(header)
        kind = header[156:157]
        size = _number(header[124:136], "size")
        if kind in (b"L", b"K", b"x", b"g"):
            headers += 1
            if headers > _HEADERS_LIMIT:
                raise TarError(f"more than {_HEADERS_LIMIT} headers for one member follow each other")
            extended.update(_extension(kind, _short_content(stream, size)))
            continue
        member = _member(header, kind, size, extended)
        extended, headers = {}, 0
        stream.left = member.size
        yield member
        stream.skip(stream.left)
        stream.skip(-member.size % BLOCK)


def _member(header: bytes, kind: bytes, size: int, extended: dict[str, str]) -> TarMember:
    name = _text(header[:100])
    if header[257:263] == b"ustar\0" and header[345] != 0:
        name = _text(header[345:500]) + "/" + name
    if any(key.startswith("GNU.sparse") for key in extended):
        kind = b"S"
    name = extended.get("path", name)
    if "size" in extended:
        size = _decimal(extended["size"], "the size of " + name)
    # An old tar writes a directory as a file whose name ends in a slash.
    if kind in (b"0", b"\0") and name.endswith("/"):
        kind = b"5"
    mode = _number(header[100:108], "mode") & 0o7777
    target = extended.get("linkpath", _text(header[157:257]))
    # Links and directories have no content, whatever the field says.
    return TarMember(name, _KINDS.get(kind, f"member of type {kind!r}"), mode, size if _KINDS.get(kind) == "file" else 0, target)


def _check_sum(header: bytes) -> None:
    stated = _number(header[148:156], "checksum")
    # The field itself counts as eight spaces.
    if stated != sum(header) - sum(header[148:156]) + 8 * 32:
        raise TarError(f"the header of a member has a wrong checksum (name field: {header[:100].rstrip(bytes(1))!r})")


def _short_content(stream, size: int) -> bytes:
    if size > _HEADER_LIMIT:
        raise TarError(f"a header for one name has {size} bytes: at most {_HEADER_LIMIT} are read")
    content = stream.read(size)
    stream.skip(-size % BLOCK)
    return content


def _extension(kind: bytes, content: bytes) -> dict[str, str]:
    """What the member after this one is called, in place of what its own header says."""
    if kind == b"L":
        return {"path": _text(content)}
    if kind == b"K":
        return {"linkpath": _text(content)}
    if kind == b"g":
        # Applies to all members: comments and times in practice, nothing that we use.
        return {}
    found = {}
    position = 0
    while position < len(content):
        length, space, dummy = content[position : position + 20].partition(b" ")
        size = _decimal(length.decode("ascii", "replace"), "the length of a PAX record")
        if not space or not len(length) + 1 < size <= len(content) - position:
            raise TarError("a PAX header is broken")
        key, dummy, value = content[position + len(length) + 1 : position + size - 1].partition(b"=")
        # A NUL in a value stays there, for the reader to refuse.
        found[_decoded(key)] = _decoded(value)
        position += size
    return found


def _number(field: bytes, what: str) -> int:
    digits = _OCTAL.fullmatch(field)
    if digits is None:
        raise TarError(f"the {what} in a member's header is not an octal number: {field!r}")
    return int(digits[1], 8)


def _decimal(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise TarError(f"{what} is not a number: {text!r}")
    return int(text)


def _text(field: bytes) -> str:
    return _decoded(field.split(b"\0", 1)[0])


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        raise TarError(f"a member's name is not UTF-8: {text!r}") from None
