# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package store in a directory of the controller, which others may share. Every file is written beside and renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import from_json, open_file, read_file
from ansible_collections.erlang.otp.plugins.plugin_utils._store.layout import LARGEST_RECORD, RECORD

BLOCK = 1 << 20


class Directory:
    """The store below a directory. Paths are relative to it. Every method may raise OSError and OtpError."""

    def __init__(self, root: str) -> None:
        self.root = root
        # One that is not mounted is not an empty store.
        if not os.path.isdir(root):
            raise OtpError(f"the package store {root} is not a directory on the controller: mount it, or make it once, for the users who share it.")

    def shown(self, path: str) -> str:
        """The path for a message."""
        return os.path.join(self.root, path)

    def read(self, path: str) -> bytes | None:
        """The content of a record; None if there is none."""
        return read_file(self.shown(path), limit=LARGEST_RECORD, follow=False)

    def fetch(self, path: str) -> t.Iterator[bytes]:
        """The content of a file, in pieces."""
        with open_file(self.shown(path), follow=False) as file:
            while block := file.read(BLOCK):
                yield block

    def send(self, source: str, path: str) -> None:
        """Put a file there: whole, or not at all."""
        self._make_parents(path)
        with open_file(source) as file:
            self._write(path, iter(lambda: file.read(BLOCK), b""), os.replace)

    def create(self, path: str, content: bytes) -> bool:
        """Write a record if there is none; else False."""
        self._make_parents(path)
        try:
            # Of two at once, one gets an error.
            self._write(path, [content], os.link)
        except FileExistsError:
            return False
        return True

    def replace(self, path: str, content: bytes) -> bool:
        """Write a record in the place of the one that is there."""
        self._write(path, [content], os.replace)
        return True

    def listed(self) -> dict[str, t.Any]:
        """The records as data, by key, of whatever has a record."""
        found = {}
        for key in os.listdir(self.root):
            if not key.startswith(".") and (content := self._record(key)):
                try:
                    found[key] = from_json(content)
                except ValueError:
                    found[key] = None
        return found

    def note(self, key: str, data: t.Any) -> bool:
        """A directory shows what it has: no index is kept."""
        return False

    def _record(self, key: str) -> bytes | None:
        try:
            return self.read(f"{key}/{RECORD}")
        except NotADirectoryError:
            return None

    def _make_parents(self, path: str) -> None:
        """With the rights and the group of the store's own directory, so that those who share it may write there as well."""
        place = self.root
        for part in path.split("/")[:-1]:
            place = os.path.join(place, part)
            try:
                os.mkdir(place)
                os.chmod(place, stat.S_IMODE(os.stat(self.root).st_mode) & 0o2777)
            except FileExistsError:
                # A link would lead elsewhere.
                if not stat.S_ISDIR(os.lstat(place).st_mode):
                    raise OtpError(f"{place} is not a directory. Find out who has put it there, and remove it.") from None

    def _write(self, path: str, pieces: t.Iterable[bytes], publish: t.Callable[[str, str], None]) -> None:
        """Write beside, flush, and give it its name. Not by write_file(): the number of a process says nothing where other machines write as well."""
        directory, name = os.path.split(self.shown(path))
        new = os.path.join(directory, f".{name}.{secrets.token_hex(8)}.new")
        try:
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
                os.fchmod(file.fileno(), os.stat(self.root).st_mode & 0o666)
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
            publish(new, self.shown(path))
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)
        flush_directory(directory)
