# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory of byte strings by key. It may be removed or damaged at any time without harm."""

from __future__ import annotations

import contextlib
import hashlib
import os

LIMIT = 1 << 30


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

    def get(self, key: str) -> bytes | None:
        """The content; None if it is missing or damaged."""
        if self._directory is None:
            return None
        path = self._path(key)
        try:
            with open(path, "rb", buffering=0) as file:
                stored = file.read()
        except OSError:
            return None
        content = stored[32:]
        if hashlib.sha256(content).digest() != stored[:32]:
            with contextlib.suppress(OSError):
                os.unlink(path)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return content

    def has(self, key: str) -> bool:
        """Whether there is an entry with this key; it may be damaged."""
        return self._directory is not None and os.path.exists(self._path(key))

    def put(self, key: str, content: bytes) -> None:
        """Keep the content; where that fails, do without."""
        if self._directory is None or not self._writable:
            return
        beside = self._path(f".{key}.{os.getpid()}")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with open(descriptor, "wb") as file:
                file.write(hashlib.sha256(content).digest())
                file.write(content)
            os.replace(beside, self._path(key))
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(beside)
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
