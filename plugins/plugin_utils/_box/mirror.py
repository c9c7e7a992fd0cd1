# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A copy of a box's system on the controller, for the code of module_utils, which works on files.

Small files have their content in the copy. Each other file has a mark instead; a package completes those files whose sha256 the box has
reported. So a file that is new in the copy at the end is missing on the box.

The tree of a box is data. A link in the copy leads to a place in the copy, whatever the box says: one that leads elsewhere has a mark.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import typing as t
from pathlib import Path

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import checked_members
from ansible_collections.erlang.otp.plugins.module_utils._package.limits import MAX_SIZE
from ansible_collections.erlang.otp.plugins.plugin_utils._box.inspection import Entry, Inspection, check_path

# The content of a file that only the box has: this mark, and the sha256 or the path of the file.
MARK = b"\0on the box: "
# Directories of each system; the emulators are in erts-VSN.
DIRECTORIES = ("bin", "lib", "log", "releases", "run")
# Locks and transfers of the box, and what installations leave in the copy.
PRIVATE = (".box.lock", ".incoming", ".lock", ".handler.lock", ".staging")
# By path: mode, inode, size, time.
Seen = dict[str, tuple[int, int, int, int]]


class Mirror:
    """The copy in the directory. outside: files and directories of the box that matter and are not below its root directory."""

    def __init__(self, directory: str, root: str, outside: t.Sequence[str] = ()) -> None:
        self.directory = directory
        self.root = root
        self.base = Path(directory + root)
        self.outside = [path for path in outside if not path.startswith(root + "/")]
        self.inspection = Inspection()
        self.seen: Seen = {}
        # Files that were sent, with their size: the box has them as the copy has them.
        self.sent: dict[str, int] = {}

    def fill(self, inspection: Inspection) -> None:
        """Make the copy as the inspection shows the box. Raises OtpError for a path that was not requested, or that the controller cannot have."""
        self.inspection = inspection
        entries = inspection.entries
        stays = {path for path, size in self.sent.items() if path in entries and entries[path].size == size and path not in inspection.files}
        try:
            for path in reversed(list(self.seen)):
                if path not in stays:
                    _remove(self.place(path))
            for path, entry in sorted(entries.items()):
                if self._is_below(path) and path not in stays and path.partition("/")[0] not in PRIVATE:
                    self._write(path, entry)
        except OSError as error:
            raise OtpError(f"the copy of the box on the controller: {error.filename}: {error.strerror}.") from error
        self.seen = self._walk()

    def place(self, path: str) -> Path:
        """The file in the copy for a path of the box."""
        return Path(self.directory + path) if path.startswith("/") else self.base / path

    def _is_below(self, path: str) -> bool:
        """Whether the path is below directories alone; one behind a link is not. Raises OtpError for a path that was not requested."""
        check_path(path)
        if path.startswith("/") and path != self.root and path not in self.outside:
            raise OtpError(f"the box lists {path!r}, which was not requested: inspect.sh or the box has been tampered with. Nothing was changed.")
        above = path.split("/")[:-1]
        listed = filter(None, (self.inspection.entries.get("/".join(above[: count + 1])) for count in range(len(above))))
        return all(entry.kind == "d" for entry in listed)

    def _write(self, path: str, entry: Entry) -> None:
        target = self.place(path)
        if path == self.root and entry.kind != "d":
            raise OtpError(f"{path} on the box is not a directory.")
        if entry.kind == "d" and os.path.isdir(target) and not os.path.islink(target):
            return
        if os.path.lexists(target):
            raise OtpError(f"the box has {path!r} and another name that is the same on this controller. Remove one of them from the box.")
        if entry.kind == "d":
            target.mkdir(parents=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        link = self._link_target(path, entry.target) if entry.kind == "l" else None
        if link is not None:
            target.symlink_to(link)
        elif entry.kind in "l-":
            content, seconds = self.inspection.files.get(path, (b"", 0))
            # A file of the box that begins with the mark is not taken for one of ours.
            if path not in self.inspection.files or content.startswith(MARK):
                content = self.inspection.heads.get(path, b"") + MARK + os.fsencode(self.inspection.sums.get(path, path))
            target.write_bytes(content)
            # No program of the box runs here with another user's rights.
            target.chmod((entry.mode & 0o777) | 0o400)
            os.utime(target, (seconds, seconds))

    def _link_target(self, path: str, target: str) -> str | None:
        """The target of a link of the box in the copy; None for one that leads elsewhere. Raises OtpError for such a link in place of a directory."""
        parts = [part for part in target.split("/") if part not in ("", ".")]
        up = next((count for count, part in enumerate(parts) if part != ".."), len(parts))
        # Up only at the beginning: the directories above a link are not links, but further on, ".." can be that of another link's target.
        if not path.startswith("/") and not target.startswith("/") and ".." not in parts[up:] and 0 < len(parts) and up <= path.count("/"):
            return target
        # ROOT/run is a link where otp_run_dir is another directory.
        if ".." not in parts and (target in self.outside or (path == "run" and target.startswith("/"))):
            return self.directory + target
        if path in DIRECTORIES or (path.startswith("erts-") and "/" not in path):
            raise OtpError(f"{self.root}/{path} on the box is a link to {target!r}, which is not part of the system. Put a directory in its place.")
        return None

    def link_on_box(self, path: str) -> str:
        """The target that a link of the copy has on the box."""
        return os.readlink(self.place(path)).removeprefix(self.directory)

    def add_content(self, path: str, content: bytes) -> None:
        """Complete the file in the copy if the box has reported the checksum of this content."""
        target, entry = self.place(path), self.inspection.entries.get(path)
        if entry and entry.kind == "-" and self._is_below(path) and self.inspection.sums.get(path) == hashlib.sha256(content).hexdigest():
            mode = stat.S_IMODE(target.stat().st_mode)
            target.write_bytes(content)
            target.chmod(mode)
            os.utime(target, (0, 0))
            self.seen[path] = _state(target)

    def is_as_on_box(self, path: str) -> bool:
        """Whether the file in the copy is the one that the box has, and not one that the copy got since."""
        return path in self.seen and not _differs(_state(self.place(path)), self.seen[path])

    def add_package(self, package: str) -> None:
        """Complete the files of the package that the box has. Raises OtpError for a bad package."""
        with Inflated(package) as stream:
            for path, member, pieces in checked_members(stream, max_size=MAX_SIZE):
                if member.kind == "file" and path in self.inspection.sums and path not in self.inspection.files:
                    self.add_content(path, b"".join(map(bytes, pieces)))

    def _walk(self) -> Seen:
        found: Seen = {}
        for directory, directories, files in os.walk(self.base):
            relative = os.path.relpath(directory, self.base)
            prefix = "" if relative == "." else relative + "/"
            directories[:] = sorted(name for name in directories if prefix + name not in PRIVATE)
            for name in sorted([*directories, *files]):
                if prefix + name not in PRIVATE:
                    found[prefix + name] = _state(Path(directory, name))
        for path in self.outside:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                found[path] = _state(self.place(path))
        return found

    def find_changes(self) -> tuple[Seen, list[str], list[str]]:
        """What the copy has now; the paths that are new or changed since it was as the box is; and the topmost ones that are gone."""
        now = self._walk()
        lost = self.seen.keys() - now.keys()
        changed = [path for path, state in now.items() if _differs(state, self.seen.get(path))]
        return now, changed, [path for path in self.seen if path in lost and os.path.dirname(path) not in lost]

    def mark_sent(self) -> None:
        """Note that the box is now as the copy is."""
        now = self._walk()
        for path, state in now.items():
            if _differs(state, self.seen.get(path)) and stat.S_ISREG(state[0]):
                self.sent[path] = state[2]
        self.seen = now


def _state(path: Path) -> tuple[int, int, int, int]:
    found = path.lstat()
    # The time of a directory changes with its content.
    return (found.st_mode, 0, 0, 0) if stat.S_ISDIR(found.st_mode) else (found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns)


def _differs(state: tuple[int, int, int, int], before: tuple[int, int, int, int] | None) -> bool:
    # The permissions of a directory in the copy are those of the controller.
    return before is None or (state != before and not (stat.S_ISDIR(state[0]) and stat.S_ISDIR(before[0])))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        with contextlib.suppress(OSError):
            path.rmdir()
    else:
        path.unlink(missing_ok=True)
