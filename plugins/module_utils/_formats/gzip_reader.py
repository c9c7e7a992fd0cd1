# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gzip file's content as a stream, inflated in another thread while the reader writes files (RFC 1952).

Memory does not grow with the file: the queue has a bounded number of bounded pieces.
"""

from __future__ import annotations

import os
import threading
import typing as t
import zlib
from collections import deque

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import open_file

_READ = 128 * 1024
_PIECE = 512 * 1024
_PIECES = 6
_GZIP = b"\x1f\x8b"
# Where a tar header says what it is; a package may be plain tar, as release_handler accepts it.
_USTAR = slice(257, 262)


class InflateError(OtpError):
    """The file is not gzip, broken, or not whole."""


class Inflated:
    """Content of a gzip file, or of a plain tar file, to be read once from its beginning to its end.

    Use it in a ``with``, so that the thread ends with it. Inflating begins at once, before anything is read.
    """

    def __init__(self, path: str, file: t.BinaryIO | None = None) -> None:
        """file: what to read, if the path is only a name for errors."""
        self.path = path
        self._given = file
        self.left = 0
        self._piece = memoryview(b"")
        self._pieces: deque = deque()
        self._error: Exception | None = None
        self._ended = False
        self._closed = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._inflate, daemon=True)

    def __enter__(self) -> Inflated:
        self._file = self._given or open_file(self.path, buffering=0)
        self._thread.start()
        return self

    def __exit__(self, *exception) -> None:
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._thread.join()
        self._file.close()

    def size(self) -> int:
        """The bytes of the content modulo 4 GiB, as the end of a gzip file has it; 0 if the content must be larger than that."""
        packed = os.fstat(self._file.fileno()).st_size
        if os.pread(self._file.fileno(), len(_GZIP), 0) != _GZIP:
            return packed
        found = int.from_bytes(os.pread(self._file.fileno(), 4, max(packed - 4, 0)), "little")
        return found if found >= packed else 0

    def head(self) -> bytes:
        """The beginning of the content, at least a header of it, which is still to be read; before anything else is. Raises InflateError."""
        return self._piece.tobytes() if self._next() else b""

    def read(self, size: int) -> bytes:
        """Exactly that many bytes. Raises InflateError at the end of the file."""
        if size <= len(self._piece):
            found = self._piece[:size].tobytes()
            self._piece = self._piece[size:]
            return found
        return b"".join(self._take(size))

    def content(self):
        """Yield the rest of the member's content, in pieces to be used before the next one is requested."""
        for piece in self._take(self.left):
            self.left -= len(piece)
            yield piece

    def skip(self, size: int) -> None:
        """Skip that many bytes."""
        for dummy in self._take(size):
            pass

    def again(self) -> Inflated:
        """The same content from its beginning, once this one has been read to its end."""
        descriptor = os.dup(self._file.fileno())
        os.lseek(descriptor, 0, os.SEEK_SET)
        return Inflated(self.path, open(descriptor, "rb", buffering=0))

    def finish(self) -> None:
        """Read to the end, so that the whole file is checked; only zeros may follow the archive."""
        while self._next():
            if self._piece.tobytes().count(0) != len(self._piece):
                raise InflateError("something else follows the end of the archive")
            self._piece = memoryview(b"")

    def _take(self, size: int):
        while size > 0:
            if not self._piece and not self._next():
                raise InflateError("it ends in the middle: it is truncated")
            found = self._piece[:size]
            self._piece = self._piece[size:]
            size -= len(found)
            yield found

    def _next(self) -> bool:
        """Wait for the next piece; False at the end."""
        if self._piece:
            return True
        with self._change:
            while not self._pieces and not self._ended:
                self._change.wait()
            if self._pieces:
                self._piece = memoryview(self._pieces.popleft())
                self._change.notify_all()
                return True
        if self._error is not None:
            raise self._error
        return False

    # The thread's side.

    def _inflate(self) -> None:
        try:
            for piece in _pieces(self._file):
                if not self._put(piece):
                    break
        except zlib.error as error:
            self._error = InflateError(f"its compressed data is broken ({error})")
        except Exception as error:  # pylint: disable=broad-except
            # It is raised again in the reader's thread.
            self._error = error
        with self._change:
            self._ended = True
            self._change.notify_all()

    def _put(self, piece: bytes) -> bool:
        with self._change:
            while len(self._pieces) >= _PIECES and not self._closed:
                self._change.wait()
            self._pieces.append(piece)
            self._change.notify_all()
            return not self._closed


def _pieces(file):
    data = file.read(_READ)
    if data[:2] != _GZIP:
        if data[_USTAR] != b"ustar":
            raise InflateError("it is neither a gzip file nor a tar file")
        while data:
            yield data
            data = file.read(_READ)
        return
    # 31: gzip with its header and its checksum, which zlib compares at the end.
    inflate = zlib.decompressobj(31)
    piece = b""
    while data or piece:
        piece = inflate.decompress(data, _PIECE)
        if piece:
            yield piece
        if inflate.eof:
            _nothing_follows(inflate.unused_data, file)
            return
        data = inflate.unconsumed_tail or file.read(_READ)
    raise InflateError("it ends in the middle: it is truncated")


def _nothing_follows(data: bytes, file) -> None:
    if data[:2] == _GZIP:
        raise InflateError("it is a gzip file of several members, which release_handler cannot read: compress it in one")
    while data:
        if data.count(0) != len(data):
            raise InflateError("something else follows the end of the gzip data")
        data = file.read(_READ)
