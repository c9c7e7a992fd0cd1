# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Members of a tar stream.

Rules: only a file has content, whatever size the header of another member names, as tar(5) has it: what follows is the next header.
"""

from __future__ import annotations

import io
import tarfile

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_reader import members


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
