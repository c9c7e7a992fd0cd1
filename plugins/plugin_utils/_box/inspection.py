# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a box has, read from the output of inspect.sh: facts, lists of files, checksums, heads of programs, and small files."""

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

# A line of ls -ln: mode, links, owner, group, size (two numbers for a device), a time of three words, and a name.
_ENTRY = re.compile(r"([-dlpsbc][-rwxsStT]{9})\S* +\d+ +(\d+) +(\d+) +(?:\d+, +)?(\d+) +\S+ +\S+ +\S+ (.*)\Z")
_BITS = {"r": 1, "w": 1, "x": 1, "s": 1, "t": 1}


class Entry(t.NamedTuple):
    """A file as ls lists it: kind (the letter of ls), permissions, owner, group, size, and the target of a link."""

    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    target: str


@dataclasses.dataclass
class Inspection:
    """The state of a box at one moment. Paths are relative to the root directory, or absolute outside of it."""

    complete: bool = False
    missing: list[str] = dataclasses.field(default_factory=list)
    locked: str = ""
    broken: str = ""
    me: tuple[int, int] = (0, 0)
    user: tuple[int, int] | None = None
    free: int = 0
    loaders: set[str] = dataclasses.field(default_factory=set)
    emulators: list[int] = dataclasses.field(default_factory=list)
    entries: dict[str, Entry] = dataclasses.field(default_factory=dict)
    sums: dict[str, str] = dataclasses.field(default_factory=dict)
    heads: dict[str, bytes] = dataclasses.field(default_factory=dict)
    files: dict[str, tuple[bytes, int]] = dataclasses.field(default_factory=dict)  # content, and time in seconds


def parse_inspection(output: bytes) -> Inspection:
    """Read the output of inspect.sh. Raises OtpError if it is damaged."""
    try:
        output = gzip.decompress(output)
    except (OSError, EOFError, zlib.error) as error:
        raise OtpError(f"the list of files from the box is damaged ({error}): run it again") from error
    if not output:
        raise OtpError("the list of files from the box is damaged (it is empty): run it again")
    facts, dummy, rest = output.partition(b"=list\n")
    listing, dummy, rest = rest.partition(b"=sums\n")
    sums, dummy, rest = rest.partition(b"=heads\n")
    inspection = Inspection()
    for line in decoded(facts).splitlines():
        _fact(inspection, *line.split(" ", 1))
    _entries(inspection, decoded(listing))
    for line in decoded(sums).splitlines():
        _sum(inspection, line)
    while rest and rest[257:262] != b"ustar":  # the tar of the small files
        head, dummy, rest = rest.partition(b"\n")
        size, dummy, name = head.partition(b" ")
        inspection.heads[decoded(name)], rest = rest[: int(size)], rest[int(size) :]
    try:
        if rest:
            with tarfile.open(fileobj=io.BytesIO(rest)) as archive:
                for member in archive:
                    content = archive.extractfile(member)
                    if member.isreg() and content:
                        inspection.files[member.name] = content.read(), int(member.mtime)
    except tarfile.TarError as error:
        raise OtpError(f"the files from the box are damaged ({error}): run it again") from error
    return inspection


def decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _fact(inspection: Inspection, word: str, value: str = "") -> None:
    words = value.split()
    if word == "complete":
        inspection.complete = True
    elif word == "missing":
        inspection.missing += words
    elif word in ("locked", "broken"):
        setattr(inspection, word, value)
    elif word in ("me", "user") and len(words) == 2:
        setattr(inspection, word, (int(words[0]), int(words[1])))
    elif word == "free":
        inspection.free = int(value) * 1024
    elif word == "loader":
        inspection.loaders.add(value)
    elif word == "emulator":
        inspection.emulators.append(int(value))


def _entries(inspection: Inspection, listing: str) -> None:
    """Read the lists: files with absolute paths, the root directory without a title, then directories, each after its name and a colon."""
    directory = ""
    for line in listing.splitlines():
        found = _ENTRY.match(line)
        if found is None:
            if line.endswith(":"):
                directory = line[:-1]
            elif re.match(r"[0-9a-f]{64}  ", line):
                _sum(inspection, line)
            continue
        permissions, uid, gid, size, name = found.groups()
        name, dummy, target = name.partition(" -> ") if permissions[0] == "l" else (name, "", "")
        inspection.entries[posixpath.join(directory, name)] = Entry(permissions[0], mode_of(permissions[1:]), int(uid), int(gid), int(size), target)


def _sum(inspection: Inspection, line: str) -> None:
    digest, dummy, path = line.partition("  ")
    inspection.sums[path] = digest


def mode_of(permissions: str) -> int:
    """The bits of permissions such as rwxr-xr-x."""
    return sum(_BITS.get(letter, 0) << (8 - place) for place, letter in enumerate(permissions))
