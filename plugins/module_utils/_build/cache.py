# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory of byte strings by key. It may be removed or damaged at any time without harm."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._formats.large_file import LARGE, PIECE

LIMIT = 1 << 30
_DIGEST = hashlib.sha256().digest_size


def default_directory() -> str:
    """As the XDG Base Directory Specification has it."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "erlang.otp")


class Cache:
    """Entries of a private directory, each after its SHA-256. Without a directory, or if others can write to it, always empty.

    The directory's size is bounded: what was not used for the longest time goes first.
    """

    def __init__(self, directory: str | None, *, writable: bool = True, limit: int = LIMIT) -> None:
        self._directory = directory
        self._writable = writable
        self._limit = limit
        self._grown = False
        if directory is None:
            return
        try:
            if writable:
                os.makedirs(directory, mode=0o700, exist_ok=True)
            status = os.stat(directory)
        except OSError:
            self._directory = None
            return
        # A user who can write there could put anything into a package.
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            self._directory = None

    def _path(self, key: str) -> str:
        return os.path.join(self._directory or "", key)

    def open(self, key: str, *, in_memory: int = LARGE) -> t.BinaryIO | None:
        """The content as a file, which is in memory if it has no more than so many bytes; None if it is missing or damaged."""
        if self._directory is None:
            return None
        path = self._path(key)
        try:
            file = open(path, "rb", buffering=0)
        except OSError:
            return None
        stored = file.read(_DIGEST)
        if os.fstat(file.fileno()).st_size <= in_memory:
            with file:
                content: t.Any = io.BytesIO(file.read())
            digest = hashlib.sha256(content.getbuffer())
        else:
            content, digest = file, hashlib.sha256()
            for piece in iter(lambda: file.read(PIECE), b""):
                digest.update(piece)
            file.seek(_DIGEST)
        if digest.digest() != stored:
            content.close()
            with contextlib.suppress(OSError):
                os.unlink(path)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return content  # type: ignore[no-any-return]

    def get(self, key: str) -> bytes | None:
        """The content; None if it is missing or damaged."""
        file = self.open(key)
        if file is None:
            return None
        with file:
            return file.read()

    def has(self, key: str) -> bool:
        """Whether there is an entry with this key; it may be damaged."""
        return self._directory is not None and os.path.exists(self._path(key))

    def put(self, key: str, content: bytes) -> None:
        """Keep the content; where that fails, do without."""
        with self.entry(key) as write:
            write(content)

    @contextlib.contextmanager
    def entry(self, key: str) -> t.Iterator[t.Callable[[bytes], None]]:
        """Yields what takes the content of a new entry, which is there after a block without an exception; where that fails, do without."""
        if self._directory is None or not self._writable:
            yield lambda dummy_piece: None
            return
        entry = _Entry(self._path(f".{key}.{os.getpid()}"), self._limit)
        try:
            yield entry.write
        except BaseException:
            entry.give_up()
            raise
        entry.finish(self._path(key))
        self._grown = True

    def tidy(self) -> None:
        """Bring the directory below its limit, when something was put."""
        if self._directory is None or not self._grown:
            return
        with contextlib.suppress(OSError):
            entries = [(entry.stat(), entry.path) for entry in os.scandir(self._directory) if entry.is_file(follow_symlinks=False)]
            size = sum(status.st_size for status, _path in entries)
            for status, path in sorted(entries, key=lambda entry: entry[0].st_mtime):
                if size <= self._limit:
                    break
                os.unlink(path)
                size -= status.st_size


class _Entry:
    """An entry that is written beside its place. What is larger than the limit is not kept: all others would make way for it."""

    def __init__(self, path: str, limit: int) -> None:
        self._path = path
        self._left = limit
        self._digest = hashlib.sha256()
        self._file: t.BinaryIO | None = None
        with contextlib.suppress(OSError):
            self._file = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")
        self._do(lambda file: file.write(bytes(_DIGEST)))

    def write(self, piece: bytes) -> None:
        self._left -= len(piece)
        self._digest.update(piece)
        self._do(lambda file: file.write(piece))

    def finish(self, path: str) -> None:
        def finish(file: t.BinaryIO) -> None:
            file.seek(0)
            file.write(self._digest.digest())
            file.close()
            os.replace(self._path, path)

        self._do(finish)

    def _do(self, work: t.Callable[[t.BinaryIO], t.Any]) -> None:
        if self._file is not None:
            try:
                if self._left < 0:
                    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
                work(self._file)
            except OSError:
                self.give_up()

    def give_up(self) -> None:
        """Remove what was written."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
