# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What changed in the copy of a box, as one stream of files and the steps that receive.sh runs with them.

The order leaves a whole release to boot after a power cut: new files and directories are made beside, flushed, and renamed; libraries and
ERTS before the release directories, RELEASES after these, and start_erl.data last.
"""

from __future__ import annotations

import collections
import hashlib
import os
import shlex
import stat
import typing as t
from pathlib import Path

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._box.mirror import MARK, Mirror
from ansible_collections.erlang.otp.plugins.plugin_utils._box.shell import pack

FIRST = ("lib", "erts", "log", "run", "bin")
# They decide which release boots: renamed when all else is on the disk.
LAST = ("releases/RELEASES", "releases/start_erl.data")
# Room for directories, names and the file system itself.
SLACK = 1 << 20


class Delivery(t.NamedTuple):
    """The stream for the box, the checksum of its two lists ("names" and "steps"), and the room on the disk that all this takes.

    host_steps: what root does outside of the system, with the content at the beginning of the stream.
    """

    stream: bytes
    lists: str
    room: int
    host_steps: str


def prepare_delivery(mirror: Mirror, host_owners: t.Mapping[str, str]) -> Delivery | None:
    """What the box needs to be as the copy is; None for nothing.

    host_owners: the paths outside of the system that root makes, and whether they belong to "root" or to the "user" of the node.
    Raises OtpError if the user of the node cannot change a directory of the box.
    """
    packer = _Packer(mirror, host_owners)
    return packer.pack() if packer.changed or packer.gone else None


def check_room(delivery: Delivery, free: int, root: str) -> None:
    """Raise OtpError if the box has less than the room that the delivery takes."""
    if delivery.room > free:
        raise OtpError(
            f"the disk of the box is too small: {free / 2**20:.1f} MiB are free at {root}, and {delivery.room / 2**20:.1f} MiB are needed during the"
            " transfer. Free some space, or remove a release that is no longer used. Nothing was sent."
        )


class _Packer:
    """Makes a delivery of the changes of the copy."""

    def __init__(self, mirror: Mirror, host_owners: t.Mapping[str, str]) -> None:
        self.mirror, self.host_owners = mirror, host_owners
        self.now, self.changed, self.gone = mirror.find_changes()
        # Files that the box has, by sha256. They are copied before any of them is replaced.
        self.on_box = {digest: path for path, digest in mirror.inspection.sums.items() if not path.startswith((".incoming/", "/"))}
        # Files that arrived in an earlier run.
        self.waiting = {path.partition("/")[2] for path, digest in mirror.inspection.sums.items() if path == f".incoming/{digest}"}
        self.steps: list[str] = []
        self.host_steps: list[str] = []
        self.host_data = b""
        # What is sent; and the sizes of all files that the steps need.
        self.contents: dict[str, bytes] = {}
        self.sizes: dict[str, int] = {}
        self.room = SLACK

    def pack(self) -> Delivery:
        inside = [path for path in self.changed if not path.startswith("/")]
        new = {path for path in inside if stat.S_ISDIR(self.now[path][0])}
        tops = [path for path in inside if os.path.dirname(path) not in new]
        self.check_owner({os.path.dirname(path) for path in (*tops, *self.gone) if not path.startswith("/")})
        for path in inside:
            if path in tops and "/" in path:
                self.step("directory", "700", os.path.dirname(path))
            self.add_inside(path)
        self.step("sync")
        for path in self.changed:
            if path.startswith("/"):
                self.add_outside(path)
        for path in sorted(tops, key=self.rank):
            if path in LAST or path == "releases":
                self.step("sync")
            self.step("place", path)
        self.step("sync")
        for path in self.gone:
            self.step("remove", path)
        self.finish_steps()
        lists = {"names": "".join(f"{name}  {name}\n" for name in self.sizes), "steps": "".join(f"{step}\n" for step in self.steps)}
        of_lists = {name: text.encode("utf-8", "surrogateescape") for name, text in lists.items()}
        sum_of_lists = hashlib.sha256(b"".join(of_lists.values())).hexdigest()
        return Delivery(self.host_data + pack({**of_lists, **self.contents}), sum_of_lists, self.room, "\n".join(self.host_steps))

    def check_owner(self, directories: t.Collection[str]) -> None:
        """Raise OtpError for a directory of the box that the user of the node cannot change."""
        me = self.mirror.inspection.me[0]
        for path in sorted(directories):
            place = f"{self.mirror.root}/{path}".rstrip("/")
            entry = self.mirror.inspection.entries.get(path or self.mirror.root)
            if entry and me not in (0, entry.uid):
                raise OtpError(
                    f"{place} on the box belongs to user {entry.uid}, so the user of the node ({me}) cannot change it."
                    f" Give it to that user: chown -hR {me} {place}. Nothing was sent."
                )

    @staticmethod
    def rank(path: str) -> tuple[int, str]:
        """The order of renames: libraries, the ERTS, bin, then what names them, and at last what decides which release boots."""
        top = path.partition("/")[0].partition("-")[0]
        return (LAST.index(path) + 9 if path in LAST else FIRST.index(top) if top in FIRST else 8, path)

    def step(self, *words: str) -> None:
        self.steps.append(shlex.join(words))

    def add_inside(self, path: str) -> None:
        """The step that makes the path in the new tree."""
        source, mode = self.mirror.place(path), self.now[path][0]
        permissions = f"{stat.S_IMODE(mode):o}"
        if stat.S_ISDIR(mode):
            self.step("directory", permissions, path)
        elif stat.S_ISLNK(mode):
            self.step("link", path, self.mirror.link_on_box(path))
        else:
            self.file(content_of(source), "file", permissions, path)

    def add_outside(self, path: str) -> None:
        """The step that makes a file or a directory outside of the root directory."""
        source, mode = self.mirror.place(path), self.now[path][0]
        permissions, owner = f"{stat.S_IMODE(mode):o}", self.host_owners.get(path)
        content = b"" if stat.S_ISDIR(mode) else content_of(source)
        if owner is None and stat.S_ISDIR(mode):
            self.step("outside_directory", permissions, path)
        elif owner is None:
            self.file(content, "outside_file", permissions, path)
        elif stat.S_ISDIR(mode):
            self.host_steps.append(shlex.join(("host_directory", permissions, owner, path)))
        else:
            self.host_steps.append(shlex.join(("host_file", permissions, owner, path, str(len(content)), hashlib.sha256(content).hexdigest())))
            self.host_data += content
            self.room += len(content)

    def file(self, content: bytes, word: str, *words: str) -> None:
        """A step that needs this content: copied from a file that the box has, or sent."""
        name = os.fsdecode(content[len(MARK) :]) if content.startswith(MARK) else hashlib.sha256(content).hexdigest()
        path = self.on_box.get(name, name)
        if word == "file" and path in self.mirror.inspection.entries:
            self.step("copy", *words, f"{self.mirror.root}/{path}")
            self.room += self.mirror.inspection.entries[path].size
            return
        name = hashlib.sha256(content).hexdigest()
        self.sizes[name] = len(content)
        if name not in self.waiting:
            self.contents[name] = content
        self.step(word, *words, name)

    def finish_steps(self) -> None:
        """Move instead of copy each file that is needed once, because the disk may be small; and sum up the room on the disk."""
        steps = [shlex.split(step) for step in self.steps]
        uses = collections.Counter(words[-1] for words in steps if words[0] in ("file", "outside_file"))
        for words in steps:
            if words[0] == "file" and uses[words[-1]] == 1:
                words[0] = "move"
            elif words[0] in ("file", "outside_file"):
                self.room += self.sizes[words[-1]]
        self.steps = [shlex.join(words) for words in steps]
        self.room += sum(map(len, self.contents.values()))


def content_of(path: Path) -> bytes:
    """The content of a file of the copy: never that of another file of the controller."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        return file.read()
