# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that a running client was started with, kept when they are replaced, until it has been restarted with the new ones.

As ``_tree/previous``. But the emulator is on another host, with another clock: that host says what identifies it (its process, and the ticks at
which it started), and ``.previous/emulator`` says whose files are kept. They are in the directory of the client; of a client without a disk, some
are on its own host, in ``bin`` below it, which is root's.
"""

from __future__ import annotations

import json
import os

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file, write_file
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner, ensure_file
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import from_json
from ansible_collections.erlang.otp.plugins.module_utils._tree.kept import Kept, remove

OWNER = "emulator"
LIMIT = 4096
SCRIPTS = ("start", "environment", "start_erl.data")


class KeptOfClient(Kept):
    """directory: the client's, or bin below it; emulator: the one that runs, "" if none does, or if that is not known; release: the one that boots."""

    def __init__(self, directory: str, emulator: str, release: str = "") -> None:
        super().__init__(directory)
        self.emulator, self.release = emulator, release
        # In check mode: whether a file would differ from what the emulator runs with.
        self._foretold: dict[str, bool] = {}

    def files(self) -> list[str]:
        """Those that count. An upgrade has loaded the configuration of another release."""
        noted = self._noted()
        return [path for path in self._read_at_start() if noted is None or noted[1] == self.release or not path.endswith("/sys.config")]

    def keep(self, path: str) -> None:
        """Keep the file as it is, before it is replaced, if the emulator runs with it. Of several changes the first one counts."""
        if not self.emulator or path not in self._read_at_start():
            return
        noted = self._noted()
        if noted != (self.emulator, self.release):
            # The client has been started with what these were replaced by; or it runs another release, and only the scripts are still old.
            remove(self._place(os.path.join(self.directory, "releases")) if noted and noted[0] == self.emulator else self._place())
            self._make_directory()
            write_file(os.path.join(self._place(), OWNER), json.dumps([self.emulator, self.release]).encode(), mode=0o600)
        if not os.path.lexists(self._place(path)):
            self._copy(path)

    def ensure(self, path: str, content: bytes, *, mode: int, owner: Owner, changes: Changes) -> bytes | None:
        """Ensure the file as ensure_file() does, and keep what it replaces."""
        before = ensure_file(path, content, mode=mode, owner=owner, sentence=f"write {path}", changes=changes, keep=self.keep)
        if changes.check_mode and before is not None and self.emulator and path in self._read_at_start():
            self._foretold[path] = not os.path.lexists(self._place(path)) or self._kept_content(path) != content
        return before

    def is_newer(self) -> bool:
        """Whether the emulator runs without a change of its files."""
        noted = self._noted()
        is_noted = bool(self.emulator) and noted is not None and noted[0] == self.emulator
        return any(self._foretold.values()) or is_noted and any(map(self._differs, self.kept()))

    def outdated(self) -> list[str]:
        """The files that the emulator runs without a change of, or that it was restarted with, and that are not committed."""
        return sorted(path for path in {*self.kept(), *self._foretold} if self._differs(path))

    def _read_at_start(self) -> list[str]:
        if os.path.basename(self.directory) == "bin":
            return [os.path.join(self.directory, name) for name in SCRIPTS]
        names = (*(f"bin/{name}" for name in SCRIPTS), "releases/sys.config", f"releases/{self.release}/sys.config")
        return [os.path.join(self.directory, name) for name in names]

    def _differs(self, path: str) -> bool:
        return self._foretold[path] if path in self._foretold else read_file(path) != self._kept_content(path)

    def _kept_content(self, path: str) -> bytes | None:
        place = self._place(path)
        return None if os.path.isdir(place) else read_file(place)

    def _noted(self) -> tuple[str, str] | None:
        """Whose files are kept: the emulator, and the release that it ran. None if that is not known."""
        try:
            found = from_json(read_file(os.path.join(self._place(), OWNER), limit=LIMIT) or b"")
        except (ValueError, OtpError):
            return None
        return (str(found[0]), str(found[1])) if isinstance(found, list) and len(found) == 2 else None


def settle(kept: KeptOfClient, restart_on_change: bool, changes: Changes) -> list[str]:
    """The files that the emulator is to be restarted for. If no restart follows there is no gate, and what it has read since is forgotten."""
    if restart_on_change or kept.is_newer():
        return kept.outdated()
    if kept.emulator and kept.exists():
        changes.do("forget the files that the client was started with before", kept.forget)
    return []
