# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A copy of a box's system on the controller, for the code that works on files; and what it has changed there, as steps for the box.

Small files are there with their content. Of the others the names are there, with a mark in the place of the content; a package brings in
what the box has of it, by its sha256. So what is new in the copy in the end is what the box lacks.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import os
import shlex
import stat
import typing as t
from pathlib import Path

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import checked_members
from ansible_collections.erlang.otp.plugins.module_utils._package.limits import MAX_SIZE
from ansible_collections.erlang.otp.plugins.plugin_utils._box.look import Entry, Look
from ansible_collections.erlang.otp.plugins.plugin_utils._box.shell import packed

# The content of a file that only the box has: this, and its sha256 or its path.
MARK = b"\0on the box: "
# Of the system on the box, and of the copy's own runs.
OURS = (".box.lock", ".incoming", ".lock", ".handler.lock", ".staging")
FIRST = ("lib", "erts", "log", "run", "bin")
# What tells which release boots comes when all else is on the disk.
LAST = ("releases/RELEASES", "releases/start_erl.data")
# For directories, names and what the file system needs besides.
SLACK = 1 << 20

Seen = dict[str, tuple[int, int, int, int]]


class Delivery(t.NamedTuple):
    """What the box needs as a stream, the sums of the two files in it that say what is to be done, and how much room all that takes."""

    stream: bytes
    lists: str
    room: int


class Mirror:
    """The copy, in the directory. outside: files and directories of the box that matter and do not lie below its root directory."""

    def __init__(self, directory: str, root: str, outside: t.Sequence[str] = ()) -> None:
        self.directory = directory
        self.root = root
        self.base = Path(directory + root)
        self.outside = [path for path in outside if not path.startswith(root + "/")]
        self.look = Look()
        self.seen: Seen = {}
        # What was sent, and lies on the box as it lies here.
        self.sent: dict[str, int] = {}

    def fill(self, look: Look) -> None:
        """Make the copy what the look says."""
        self.look = look
        stays = {path for path, size in self.sent.items() if path in look.entries and look.entries[path].size == size and path not in look.files}
        for path in reversed(list(self.seen)):
            entry = look.entries.get(path)
            if path not in stays and not (entry and entry.kind == "d"):
                _remove(self.place(path))
        for path, entry in sorted(look.entries.items()):
            if path not in stays and path.partition("/")[0] not in OURS and self._is_below(path):
                self._lay(path, entry)
        self.seen = self._walk()

    def place(self, path: str) -> Path:
        """Where a path of the box lies here."""
        return Path(self.directory + path) if path.startswith("/") else self.base / path

    def _is_below(self, path: str) -> bool:
        """Whether the path stays in the copy: what is behind a link does not. Raises OtpError for one that no box has."""
        if ".." in path.split("/") or (path.startswith("/") and path != self.root and path not in self.outside):
            raise OtpError(f"the box says that it has {path!r}, which nobody has asked for")
        above = path.split("/")[:-1]
        links = ("/".join(above[: count + 1]) for count in range(len(above)))
        return not any(link in self.look.entries and self.look.entries[link].kind == "l" for link in links)

    def _lay(self, path: str, entry: Entry) -> None:
        here = self.place(path)
        if entry.kind == "d":
            here.mkdir(parents=True, exist_ok=True)
            return
        here.parent.mkdir(parents=True, exist_ok=True)
        _remove(here)
        if entry.kind == "l":
            here.symlink_to(entry.target)
        elif entry.kind == "-":
            content, seconds = self.look.files.get(path, (b"", 0))
            if path not in self.look.files:
                content = self.look.heads.get(path, b"") + MARK + os.fsencode(self.look.sums.get(path, path))
            here.write_bytes(content)
            here.chmod(entry.mode)
            os.utime(here, (seconds, seconds))

    def know(self, path: str, content: bytes) -> None:
        """Where the box has a file with this content, have it here."""
        here = self.place(path)
        if self.look.sums.get(path) == hashlib.sha256(content).hexdigest():
            mode = stat.S_IMODE(here.stat().st_mode)
            here.write_bytes(content)
            here.chmod(mode)
            os.utime(here, (0, 0))
            self.seen[path] = _state(here)

    def know_package(self, package: str) -> None:
        """Have here what the box has of the package. Raises OtpError for a bad package."""
        with Inflated(package) as stream:
            for path, member, pieces in checked_members(stream, max_size=MAX_SIZE):
                if member.kind == "file" and path in self.look.sums and path not in self.look.files and self.place(path).is_file():
                    self.know(path, b"".join(map(bytes, pieces)))

    def _walk(self) -> Seen:
        found: Seen = {}
        for directory, directories, files in os.walk(self.base):
            relative = os.path.relpath(directory, self.base)
            prefix = "" if relative == "." else relative + "/"
            directories[:] = sorted(name for name in directories if prefix + name not in OURS)
            for name in sorted([*directories, *files]):
                if prefix + name not in OURS:
                    found[prefix + name] = _state(Path(directory, name))
        for path in self.outside:
            with contextlib.suppress(FileNotFoundError):
                found[path] = _state(self.place(path))
        return found

    def delivery(self, owner: str, owners: t.Mapping[str, str]) -> Delivery | None:
        """What has changed here since it was as on the box; None for nothing.

        owner: of the system, as chown takes it; owners: of the paths outside of it, which are the root user's otherwise.
        """
        now = self._walk()
        changed = [path for path, state in now.items() if _differs(state, self.seen.get(path))]
        lost = self.seen.keys() - now.keys()
        gone = [path for path in self.seen if path in lost and os.path.dirname(path) not in lost]
        if not changed and not gone:
            return None
        return _Packer(self, owner, owners, now, changed, gone).pack()

    def delivered(self) -> None:
        """The box has it all."""
        now = self._walk()
        for path, state in now.items():
            if _differs(state, self.seen.get(path)) and stat.S_ISREG(state[0]):
                self.sent[path] = state[2]
        self.seen = now


class _Packer:
    """Makes a delivery of what has changed."""

    def __init__(self, mirror: Mirror, owner: str, owners: t.Mapping[str, str], now: Seen, changed: list[str], gone: list[str]) -> None:
        self.mirror, self.owner, self.owners, self.now, self.changed, self.gone = mirror, owner, owners, now, changed, gone
        # Copies are made before anything is put in its place.
        self.on_box = {digest: path for path, digest in mirror.look.sums.items() if not path.startswith((".incoming/", "/"))}
        self.waiting = {path.partition("/")[2] for path, digest in mirror.look.sums.items() if path == f".incoming/{digest}"}
        self.steps: list[str] = []
        # What is sent; and of all files that the steps need, how large they are.
        self.contents: dict[str, bytes] = {}
        self.sizes: dict[str, int] = {}
        self.room = SLACK

    def pack(self) -> Delivery:
        inside = [path for path in self.changed if not path.startswith("/")]
        new = {path for path in inside if stat.S_ISDIR(self.now[path][0])}
        tops = [path for path in inside if os.path.dirname(path) not in new]
        for path in inside:
            if path in tops and "/" in path:
                self.step("directory", "700", os.path.dirname(path))
            self.stage(path)
        self.step("sync")
        root = self.mirror.look.entries.get(self.mirror.root)
        if root is None or f"{root.uid}:{root.gid}" != self.owner:
            self.step("home", "755", self.owner, self.mirror.root)
        for path in self.changed:
            if path.startswith("/"):
                self.put_outside(path)
        for path in sorted(tops, key=self.rank):
            if path in LAST or path == "releases":
                self.step("sync")
            self.step("place", self.owner, path)
        self.step("sync")
        for path in self.gone:
            self.step("gone", path)
        self.move_last()
        lists = {"names": "".join(f"{name}  {name}\n" for name in self.sizes), "steps": "".join(f"{step}\n" for step in self.steps)}
        of_lists = {name: text.encode("utf-8", "surrogateescape") for name, text in lists.items()}
        sums = "\n".join(f"{hashlib.sha256(content).hexdigest()}  {name}" for name, content in of_lists.items())
        return Delivery(packed({**of_lists, **self.contents}), sums, self.room)

    @staticmethod
    def rank(path: str) -> tuple[int, str]:
        """Libraries, the ERTS, bin, and then what names them."""
        top = path.partition("/")[0].partition("-")[0]
        return (LAST.index(path) + 9 if path in LAST else FIRST.index(top) if top in FIRST else 8, path)

    def step(self, *words: str) -> None:
        self.steps.append(shlex.join(words))

    def stage(self, path: str) -> None:
        """Have the path in the tree beside."""
        here, mode = self.mirror.place(path), self.now[path][0]
        permissions = f"{stat.S_IMODE(mode):o}"
        if stat.S_ISDIR(mode):
            self.step("directory", permissions, path)
        elif stat.S_ISLNK(mode):
            self.step("link", path, os.readlink(here))
        else:
            self.file(here.read_bytes(), "file", permissions, path)

    def put_outside(self, path: str) -> None:
        here, mode = self.mirror.place(path), self.now[path][0]
        owner, permissions = self.owners.get(path, "0:0"), f"{stat.S_IMODE(mode):o}"
        if stat.S_ISDIR(mode):
            self.step("home", permissions, owner, path)
        else:
            self.file(here.read_bytes(), "outside", permissions, owner, path)

    def file(self, content: bytes, word: str, *words: str) -> None:
        """A step that needs this content: of a file that the box has, or that is sent."""
        is_marked = content.startswith(MARK)
        name = os.fsdecode(content[len(MARK) :]) if is_marked else hashlib.sha256(content).hexdigest()
        if word == "file" and (is_marked or name in self.on_box):
            path = self.on_box.get(name, name)
            self.step("copy", *words, f"{self.mirror.root}/{path}")
            self.room += self.mirror.look.entries[path].size
            return
        self.sizes[name] = len(content)
        if name not in self.waiting:
            self.contents[name] = content
        self.step(word, *words, name)

    def move_last(self) -> None:
        """A file that is needed once is moved, not copied: the box may be small. Now it is known how much room all takes."""
        steps = [shlex.split(step) for step in self.steps]
        uses = collections.Counter(words[-1] for words in steps if words[0] in ("file", "outside"))
        for words in steps:
            if words[0] == "file" and uses[words[-1]] == 1:
                words[0] = "last"
            elif words[0] in ("file", "outside"):
                self.room += self.sizes[words[-1]]
        self.steps = [shlex.join(words) for words in steps]
        self.room += sum(map(len, self.contents.values()))


def _state(path: Path) -> tuple[int, int, int, int]:
    found = path.lstat()
    # A directory changes with what is in it.
    return (found.st_mode, 0, 0, 0) if stat.S_ISDIR(found.st_mode) else (found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns)


def _differs(state: tuple[int, int, int, int], before: tuple[int, int, int, int] | None) -> bool:
    # Permissions of a directory here are ours.
    return before is None or (state != before and not (stat.S_ISDIR(state[0]) and stat.S_ISDIR(before[0])))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        with contextlib.suppress(OSError):
            path.rmdir()
    else:
        path.unlink(missing_ok=True)


def check_room(delivery: Delivery, look: Look, root: str) -> None:
    """Raise OtpError when the box has not the room for it. Nothing has been sent by then."""
    if delivery.room > look.free:
        raise OtpError(
            f"the box has {look.free / 2**20:.1f} MiB free at {root}, and {delivery.room / 2**20:.1f} MiB are needed while what it lacks is put there:"
            " make room, or remove a release that is no longer used. Nothing has been sent."
        )
