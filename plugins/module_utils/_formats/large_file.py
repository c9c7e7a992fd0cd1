# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that is too large to be in memory: like bytes it has a length and slices, and its content comes in pieces."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

# Bytes of a file that is not large, and of a piece of one that is.
LARGE = 8 << 20
PIECE = 1 << 20


class LargeFile:
    """The first bytes of the file at the path, ``size`` of them. Raises OtpError if it has fewer when it is read."""

    def __init__(self, path: str, size: int) -> None:
        self.path = path
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> bytes:
        start, end, dummy = part.indices(self.size)
        return b"".join(self.pieces(start, end))

    def pieces(self, start: int, end: int) -> t.Iterator[bytes]:
        """The content from start to end."""
        try:
            with open(self.path, "rb", buffering=0) as file:
                file.seek(start)
                while start < end:
                    piece = file.read(min(PIECE, end - start))
                    if not piece:
                        raise OtpError(f"{self.path} became shorter while it was read into the package. Build again when nothing writes to it.")
                    start += len(piece)
                    yield piece
        except OSError as error:
            raise OtpError(f"{self.path} can't be read into the package: {error.strerror}.") from error


# The content of a file, in memory or not.
Content = t.Union[bytes, LargeFile]


def pieces_of(content: Content, start: int, end: int) -> t.Iterable[bytes]:
    """The content from start to end, in pieces."""
    if isinstance(content, LargeFile):
        return content.pieces(start, end)
    return (content[start:end],) if start < end else ()
