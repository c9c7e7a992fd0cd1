# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a box has, as look.sh says it: facts, a list of files, sums, the beginnings of programs, and the small files themselves."""

from __future__ import annotations

import dataclasses
import gzip
import io
import posixpath
import re
import tarfile
import typing as t
import zlib

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

# A mode, links, owner, group, size (of a device two numbers), a time of three words, and a name.
_ENTRY = re.compile(r"([-dlpsbc][-rwxsStT]{9})\S* +\d+ +(\d+) +(\d+) +(?:\d+, +)?(\d+) +\S+ +\S+ +\S+ (.*)\Z")
_BITS = {"r": 1, "w": 1, "x": 1, "s": 1, "t": 1}


class Entry(t.NamedTuple):
    """A file by its listing: its kind as ls has it, permissions, owner, size, and where a link leads."""

    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    target: str


@dataclasses.dataclass
class Look:
    """A box at a moment. Paths are relative to the root directory, or absolute outside of it."""

    complete: bool = False
    lacks: list[str] = dataclasses.field(default_factory=list)
    locked: str = ""
    broken: str = ""
    me: tuple[int, int] = (0, 0)
    user: tuple[int, int] | None = None
    machine: str = ""
    free: int = 0
    loaders: set[str] = dataclasses.field(default_factory=set)
    emulators: list[int] = dataclasses.field(default_factory=list)
    entries: dict[str, Entry] = dataclasses.field(default_factory=dict)
    sums: dict[str, str] = dataclasses.field(default_factory=dict)
    heads: dict[str, bytes] = dataclasses.field(default_factory=dict)
    files: dict[str, tuple[bytes, int]] = dataclasses.field(default_factory=dict)  # content, and time in seconds


def parse_look(said: bytes) -> Look:
    """Take apart what look.sh said. Raises OtpError for anything else."""
    try:
        said = gzip.decompress(said)
    except (OSError, EOFError, zlib.error) as error:
        raise OtpError(f"what the box says is damaged ({error}): run it again") from error
    if not said:
        raise OtpError("what the box says is damaged (it is nothing): run it again")
    facts, dummy, rest = said.partition(b"=list\n")
    listing, dummy, rest = rest.partition(b"=sums\n")
    sums, dummy, rest = rest.partition(b"=heads\n")
    look = Look()
    for line in decoded(facts).splitlines():
        _fact(look, *line.split(" ", 1))
    _entries(look, decoded(listing))
    for line in decoded(sums).splitlines():
        _sum(look, line)
    while rest and not _is_tar(rest):
        head, dummy, rest = rest.partition(b"\n")
        size, dummy, name = head.partition(b" ")
        look.heads[decoded(name)], rest = rest[: int(size)], rest[int(size) :]
    try:
        if rest:
            with tarfile.open(fileobj=io.BytesIO(rest)) as archive:
                for member in archive:
                    content = archive.extractfile(member)
                    if member.isreg() and content:
                        look.files[member.name] = content.read(), int(member.mtime)
    except tarfile.TarError as error:
        raise OtpError(f"what the box says of its files cannot be read: {error}") from error
    return look


def decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _is_tar(data: bytes) -> bool:
    return data[257:262] == b"ustar"


def _fact(look: Look, word: str, value: str = "") -> None:
    words = value.split()
    if word == "looked":
        look.complete = True
    elif word == "lacks":
        look.lacks += words
    elif word in ("locked", "broken", "machine"):
        setattr(look, word, value)
    elif word == "me":
        look.me = int(words[0]), int(words[1])
    elif word == "user":
        look.user = (int(words[0]), int(words[1])) if len(words) == 2 else None
    elif word == "free":
        look.free = int(value) * 1024
    elif word == "loader":
        look.loaders.add(value)
    elif word == "emulator":
        look.emulators.append(int(value))


def _entries(look: Look, listing: str) -> None:
    """Lists of directories, each after its name and a colon, but for that of the root directory; before them files with absolute paths."""
    directory = ""
    for line in listing.splitlines():
        found = _ENTRY.match(line)
        if found is None:
            if line.endswith(":"):
                directory = line[:-1]
            elif re.match(r"[0-9a-f]{64}  ", line):
                _sum(look, line)
            continue
        permissions, uid, gid, size, name = found.groups()
        name, dummy, target = name.partition(" -> ") if permissions[0] == "l" else (name, "", "")
        look.entries[posixpath.join(directory, name)] = Entry(permissions[0], mode_of(permissions[1:]), int(uid), int(gid), int(size), target)


def _sum(look: Look, line: str) -> None:
    digest, dummy, path = line.partition("  ")
    look.sums[path] = digest


def mode_of(permissions: str) -> int:
    """The number of rwxr-xr-x."""
    return sum(_BITS.get(letter, 0) << (8 - place) for place, letter in enumerate(permissions))
