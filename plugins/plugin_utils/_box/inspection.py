# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a box has, read from the output of inspect.sh: facts, lists of files, checksums, heads of programs, and small files.

Nothing of it is trusted: see "Clients and boxes" in docs/design.md.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
import typing as t
import zlib

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.run import printable
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import Starter
from ansible_collections.erlang.otp.plugins.plugin_utils._box.limits import MAX_INSPECTION, MAX_NAMES, MAX_PATH
from ansible_collections.erlang.otp.plugins.plugin_utils._box.small_files import small_files

# A line of ls -ln: mode, links, owner, group, size (two numbers for a device), a time of three words, and a name.
_ENTRY = re.compile(r"([-dlpsbc][-rwxsStT]{9})\S* +\d+ +(\d{1,10}) +(\d{1,10}) +(?:\d+, +)?(\d{1,18}) +\S+ +\S+ +\S+ (.*)\Z")
_BITS = {"r": 1, "w": 1, "x": 1, "s": 1, "t": 1}
# The bit of the letter in the third place of a user's permissions that is neither x nor -.
_SPECIAL = {2: 0o4000, 5: 0o2000, 8: 0o1000}


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
    # An init that runs scripts of a directory which root can write.
    has_rcs: bool = False
    # Paths outside of the root directory that only root can redirect.
    guarded: set[str] = dataclasses.field(default_factory=set)
    loaders: set[str] = dataclasses.field(default_factory=set)
    emulators: list[int] = dataclasses.field(default_factory=list)
    # When they were started, in nanoseconds since the epoch as the clock of the box is now.
    started: dict[int, int] = dataclasses.field(default_factory=dict)
    entries: dict[str, Entry] = dataclasses.field(default_factory=dict)
    sums: dict[str, str] = dataclasses.field(default_factory=dict)
    heads: dict[str, bytes] = dataclasses.field(default_factory=dict)
    files: dict[str, tuple[bytes, int]] = dataclasses.field(default_factory=dict)  # content, and time in seconds


def parse_inspection(output: bytes) -> Inspection:
    """Read the output of inspect.sh. Raises OtpError if it is damaged, larger than any box needs, or names what cannot be a file of the system."""
    facts, dummy, rest = _unpacked(output).partition(b"=list\n")
    listing, dummy, rest = rest.partition(b"=sums\n")
    sums, dummy, rest = rest.partition(b"=heads\n")
    inspection = Inspection()
    try:
        for line in decoded(facts).splitlines():
            _fact(inspection, *line.split(" ", 1))
        inspection.emulators = parse_processes(decoded(facts))[0]
        _entries(inspection, decoded(listing))
        for line in decoded(sums).splitlines():
            _sum(inspection, line)
        while rest and rest[257:262] != b"ustar":  # the tar of the small files
            head, dummy, rest = rest.partition(b"\n")
            size, name = re.fullmatch(rb"(\d{1,4}) (.+)", head).groups()  # type: ignore[union-attr]  # the AttributeError is meant
            inspection.heads[decoded(name)], rest = rest[: int(size)], rest[int(size) :]
    except (ValueError, AttributeError) as error:
        raise OtpError("the list of files from the box is damaged: run it again") from error
    for name, content, seconds in small_files(rest):
        entry = inspection.entries.get(name)
        # The directory of the pid file may be behind a link, and is not listed then.
        if (entry.kind if entry else name) in ("-", "run/emulator.pid"):
            inspection.files[name] = content, seconds
    return inspection


def _unpacked(output: bytes) -> bytes:
    """What gzip has packed, in bounded memory. Raises OtpError."""
    stream = zlib.decompressobj(wbits=31)
    try:
        text = stream.decompress(output, MAX_INSPECTION)
    except zlib.error as error:
        raise OtpError(f"the list of files from the box is damaged ({error}): run it again") from error
    if stream.unconsumed_tail:
        raise OtpError(f"the list of files from the box has more than {MAX_INSPECTION >> 20} MiB: remove from the box what does not belong to its system.")
    if not (text and stream.eof) or stream.unused_data:
        raise OtpError("the list of files from the box is damaged: run it again")
    return text


def decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _fact(inspection: Inspection, word: str, value: str = "") -> None:
    words = value.split()
    if word == "complete":
        inspection.complete = True
    elif word == "missing":
        inspection.missing += words
    elif word in ("locked", "broken"):
        # Both are shown to the user of the controller.
        setattr(inspection, word, printable(value.encode("utf-8", "replace"))[:200])
    elif word in ("me", "user") and len(words) == 2:
        setattr(inspection, word, (int(words[0][:10]), int(words[1][:10])))
    elif word == "started" and len(words) == 4:
        # The kernel counts hundredths of a second for programs, and rounds down.
        pid, ticks, uptime, now = (float(number[:18]) for number in words)
        inspection.started[int(pid)] = int((now - uptime + (ticks + 1) / 100) * 10**9)
    elif word == "free":
        inspection.free = int(value[:18]) * 1024
    elif word == "rcS":
        inspection.has_rcs = True
    elif word == "guarded":
        inspection.guarded.add(value)
    elif word == "loader":
        inspection.loaders.add(value)


def parse_processes(text: str) -> tuple[list[int], list[Starter]]:
    """The emulators and what starts them, as processes.sh prints them."""
    found = re.findall(r"^(emulator|heart|run_erl|script) (\d{1,10})(?: (\d{1,10}))?$", text, re.MULTILINE)
    starters = [Starter(word, int(pid), int(emulator or 0)) for word, pid, emulator in found if word != "emulator"]
    return [int(pid) for word, pid, _emulator in found if word == "emulator"], starters


def _entries(inspection: Inspection, listing: str) -> None:
    """Read the lists: files with absolute paths, the root directory without a title, then directories, each after its name and a colon."""
    directory = ""
    # Not splitlines(), which takes other characters for the end of a line as well.
    for line in listing.split("\n"):
        found = _ENTRY.match(line)
        if found is None:
            if line.endswith(":"):
                directory = line[:-1]
            elif re.match(r"[0-9a-f]{64}  ", line):
                _sum(inspection, line)
            continue
        permissions, uid, gid, size, name = found.groups()
        name, dummy, target = name.partition(" -> ") if permissions[0] == "l" else (name, "", "")
        # A directory outside is listed as NAME/.
        path = posixpath.join(directory, name) if directory else name.removesuffix("/.")
        check_path(path)
        inspection.entries[path] = Entry(permissions[0], mode_of(permissions[1:]), int(uid), int(gid), int(size), target)
        if len(inspection.entries) > MAX_NAMES:
            raise OtpError(f"the box lists more than {MAX_NAMES} files: remove from the box what does not belong to its system.")


def check_path(path: str) -> None:
    """Raise OtpError for a path that no file of a system has: it could be a file elsewhere on the controller, or none."""
    parts = path.removeprefix("/").split("/")
    if (
        {"", ".", ".."} & set(parts)
        or re.search(r"[\x00-\x1f\x7f]", path)
        or len(path.encode("utf-8", "surrogateescape")) > MAX_PATH
        or max(len(part.encode("utf-8", "surrogateescape")) for part in parts) > 255
    ):
        shown = path if len(path) < 100 else path[:100] + "..."
        raise OtpError(f"the box lists {shown!r}, which is not a name that a file of a system can have. Remove it from the box. Nothing was changed.")


def _sum(inspection: Inspection, line: str) -> None:
    digest, dummy, path = line.partition("  ")
    inspection.sums[path] = digest


def mode_of(permissions: str) -> int:
    """The bits of permissions such as rwxr-xr-x."""
    special = sum(bit for place, bit in _SPECIAL.items() if permissions[place] in "sStT")
    return special + sum(_BITS.get(letter, 0) << (8 - place) for place, letter in enumerate(permissions))
