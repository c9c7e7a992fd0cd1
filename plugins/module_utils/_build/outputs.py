# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The output directory of a build: small files from memory, archives written beside their place and renamed; what is there already stays as it is."""

from __future__ import annotations

import contextlib
import hashlib
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.assemble import PackageFile, write_package
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory, make_parents, read_file, write_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_writer import Fragment


class Outputs:
    """The directory. stack: removes what was written beside and is not needed when it is closed. work_directory: where check mode writes."""

    def __init__(self, directory: str, changes: Changes, stack: contextlib.ExitStack, work_directory: t.Callable[[], str]) -> None:
        self._directory = directory
        self._changes = changes
        self._stack = stack
        self._work_directory = work_directory

    def path(self, name: str) -> str:
        return os.path.join(self._directory, name)

    def beside(self, name: str) -> str:
        """Where an archive with this name is written before it is put in its place; it is removed at the end."""
        if self._changes.check_mode:
            path = os.path.join(self._work_directory(), name)
        else:
            os.makedirs(self._directory, exist_ok=True)
            path = self.path(f".{name}.{os.getpid()}.new")
        self._stack.callback(_remove, path)
        return path

    def write(self, name: str, fragments: t.Iterable[Fragment]) -> PackageFile:
        """Write an archive beside its place, and in the place of one that was written before."""
        path = self.beside(name)
        _remove(path)
        return write_package(path, fragments)

    def put(self, path: str, content: bytes | PackageFile, action: str) -> str:
        """Put the content, or what was written beside, in its place unless it is there. Returns its SHA-256."""
        if isinstance(content, bytes):
            if read_file(path) != content:
                self._changes.do(action, _put, path, content)
            return hashlib.sha256(content).hexdigest()
        if sha256_of(path) != content.sha256:
            self._changes.do(action, _rename, content.path, path)
        return content.sha256

    def remove_others(self, outputs: t.Iterable[str], earlier: dict[str, str]) -> None:
        """Remove outputs of the earlier run that this run does not make: a relup, a thin package. earlier: their SHA-256 by name."""
        for path in sorted({self.path(name) for name in earlier} - {*outputs}):
            if sha256_of(path) == earlier[os.path.relpath(path, self._directory)]:
                self._changes.do(f"remove {path}", os.unlink, path)


def sha256_of(path: str) -> str | None:
    """The SHA-256 of the file; None if there is none."""
    try:
        return sha256(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _put(path: str, content: bytes) -> None:
    make_parents(path)
    write_file(path, content)


def _rename(beside: str, path: str) -> None:
    os.replace(beside, path)
    flush_directory(os.path.dirname(path))


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
