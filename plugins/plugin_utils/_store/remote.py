# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package store in a directory of another host, which needs a shell and no Python: through the connection of a task that is delegated to that host.

Everything is done as the user who logs in, without become: files come and go as that user. Every file is sent beside, flushed and renamed.
"""

from __future__ import annotations

import os
import secrets
import shlex
import tempfile
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import from_json, open_file
from ansible_collections.erlang.otp.plugins.plugin_utils._store.layout import LARGEST_RECORD, RECORD

BLOCK = 1 << 20
ABSENT, PRESENT = 44, 45
# JSON has no such character.
SEPARATOR = "\x1e"
LIST = """cd {root} && for f in */{record}; do if [ -f "$f" ]; then printf '\\036%s\\n' "$f" && cat "$f" || exit 1; fi; done"""
READ = "[ -e {path} ] || exit {absent}; [ -f {path} ] && [ ! -h {path} ] && head -c {limit} {path}"
# The rights are those of the store itself. A link would lead elsewhere.
PARENTS = "for d in {places}; do mkdir $d 2>/dev/null && chmod {mode} $d; [ -d $d ] && [ ! -h $d ] || {{ echo $d is not a directory; exit 1; }}; done"
PUBLISH = "chmod {mode} {new} && sync && {publish}"
LINK = "if ln {new} {path}; then rm -f {new}; else rm -f {new}; [ -e {path} ] && exit {present}; exit 1; fi"


class Line(t.Protocol):
    """A connection to the host. run: what a shell there does, as exit status, output and errors; send, fetch: a file, by paths here and there."""

    def run(self, command: str) -> tuple[int, str, str]: ...

    def send(self, source: str, target: str) -> None: ...

    def fetch(self, source: str, target: str) -> None: ...


class Remote:
    """The store below a directory of the host. Paths are relative to it. Every method may raise OtpError and OSError."""

    def __init__(self, line: Line, host: str, root: str) -> None:
        self.line, self.host, self.root = line, host, root
        code, mode, errors = line.run(f"test -d {shlex.quote(root)} && stat -c %a {shlex.quote(root)}")
        if code:
            raise OtpError(
                f"the package store {root} is not a directory on {host}{': ' * bool(errors.strip())}{errors.strip()}. Mount it, or make it once, for the user"
                " who logs in there."
            )
        self.mode = int(mode, 8)

    def shown(self, path: str) -> str:
        """The path for a message."""
        return f"{self.host}:{self.root}/{path}"

    def read(self, path: str) -> bytes | None:
        """The content of a record; None if there is none."""
        code, output, errors = self.line.run(READ.format(path=self._quoted(path), absent=ABSENT, limit=LARGEST_RECORD))
        if code not in (0, ABSENT):
            raise self._failure(path, errors)
        return None if code == ABSENT else output.encode()

    def fetch(self, path: str) -> t.Iterator[bytes]:
        """The content of a file, in pieces."""
        with tempfile.TemporaryDirectory(prefix="erlang.otp-", dir="/var/tmp") as place:
            copy = os.path.join(place, "file")
            try:
                self.line.fetch(f"{self.root}/{path}", copy)
            except AnsibleError as error:
                raise self._failure(path, str(error)) from error
            with open_file(copy) as file:
                while block := file.read(BLOCK):
                    yield block

    def send(self, source: str, path: str) -> None:
        """Put a file there: whole, or not at all."""
        self._write(source, path, "mv -f {new} {path}")

    def create(self, path: str, content: bytes) -> bool:
        """Write a record if there is none; else False."""
        return self._write_content(path, content, LINK) != PRESENT

    def replace(self, path: str, content: bytes) -> bool:
        """Write a record in the place of the one that is there."""
        self._write_content(path, content, "mv -f {new} {path}")
        return True

    def listed(self) -> dict[str, t.Any]:
        """The records as data, by key, of whatever has a record."""
        code, output, errors = self.line.run(LIST.format(root=shlex.quote(self.root), record=RECORD))
        if code:
            raise self._failure("", errors)
        found: dict[str, t.Any] = {}
        for part in output.split(SEPARATOR)[1:]:
            name, _end, content = part.partition("\n")
            try:
                found[os.path.dirname(name)] = from_json(content)
            except ValueError:
                found[os.path.dirname(name)] = None
        return found

    def note(self, key: str, data: t.Any) -> bool:
        """A directory shows what it has: no index is kept."""
        return False

    def _write_content(self, path: str, content: bytes, publish: str) -> int:
        with tempfile.NamedTemporaryFile(prefix="erlang.otp-") as file:
            file.write(content)
            file.flush()
            return self._write(file.name, path, publish)

    def _write(self, source: str, path: str, publish: str) -> int:
        directory, name = os.path.split(path)
        parts = directory.split("/")
        places = [self._quoted("/".join(parts[: number + 1])) for number in range(len(parts))]
        self._run(PARENTS.format(places=" ".join(places), mode=f"{self.mode & 0o2777:o}"), path)
        new = f"{directory}/.{name}.{secrets.token_hex(8)}.new"
        try:
            self.line.send(source, f"{self.root}/{new}")
        except AnsibleError as error:
            self.line.run(f"rm -f {self._quoted(new)}")
            raise self._failure(path, str(error)) from error
        named = {"new": self._quoted(new), "path": self._quoted(path), "present": PRESENT}
        return self._run(PUBLISH.format(mode=f"{self.mode & 0o666:o}", publish=publish.format(**named), **named), path)

    def _run(self, command: str, path: str) -> int:
        code, output, errors = self.line.run(command)
        if code not in (0, PRESENT):
            raise self._failure(path, errors or output)
        return code

    def _quoted(self, path: str) -> str:
        return shlex.quote(f"{self.root}/{path}")

    def _failure(self, path: str, reason: str) -> OtpError:
        return OtpError(f"the package store, {self.shown(path)}: {reason.strip() or 'no reason was given'}. See what the user who logs in there may do.")
