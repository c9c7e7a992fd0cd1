# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The small files of a box, out of the tar of inspect.sh: bytes in; names, contents and times out. Only plain files, only of plain headers.

POSIX pax(1), "ustar Interchange Format"; GNU tar manual, "Basic Tar Format". ``_formats/tar_reader`` has no times, and no names that are not UTF-8.
"""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._box.limits import MAX_FILE

BLOCK = 512


def small_files(archive: bytes) -> t.Iterator[tuple[str, bytes, int]]:
    """Yield name, content and seconds of each plain file. Links, devices and files larger than MAX_FILE are left out. Raises OtpError."""
    place, long_name = 0, b""
    while header := archive[place : place + BLOCK].rstrip(b"\0"):
        header = archive[place : place + BLOCK]
        kind, size, seconds = header[156:157], _number(header[124:136]), _number(header[136:148])
        # Links and the like have no content, whatever the field says.
        size = size if kind in b"0\0LxgK" else 0
        content = archive[place + BLOCK : place + BLOCK + size]
        place += BLOCK + size + -size % BLOCK
        if place > len(archive):
            raise OtpError("the files from the box are damaged (the last one is not whole): run it again")
        if kind in b"L":
            long_name = content
            continue
        name = (long_name or b"/".join(filter(None, (_text(header[345:500]), _text(header[:100]))))).rstrip(b"\0")
        long_name = b""
        if kind in b"0\0" and size <= MAX_FILE:
            yield name.decode("utf-8", "surrogateescape"), content, seconds


def _number(field: bytes) -> int:
    digits = field.strip(b" \0")
    if set(digits) - set(b"01234567"):
        raise OtpError("the files from the box are damaged (a size or a time is not an octal number): run it again")
    return int(digits or b"0", 8)


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]
