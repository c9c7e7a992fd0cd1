# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an ELF program or library needs of other libraries when it is loaded, and which symbol versions it has itself.

elf(5), section "Dynamic tags"; the tables of symbol versions are those of the Linux Standard Base, "Symbol Versioning". Only what the program headers lead to
is read, as the loader does; sections may be stripped. What is read is bounded, whatever the file has in it.
"""

from __future__ import annotations

import os
import struct
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._formats.elf import Program, machine_of

_PT_LOAD, _PT_DYNAMIC = 1, 2
_NEEDED, _STRTAB, _RPATH, _RUNPATH, _VERDEF, _VERNEED = 1, 5, 15, 29, 0x6FFFFFFC, 0x6FFFFFFE
# A version that is not needed, and one that is only the name of the file.
_WEAK, _BASE = 2, 1
# More than any library has: program headers; bytes of a table; libraries and versions; bytes of a name and of a path.
_HEADERS, _TABLE, _ENTRIES, _NAME, _PATH = 128, 1 << 16, 1024, 255, 4096


class Dynamic(t.NamedTuple):
    """needs: the symbol versions that are needed of each library, by its name. search: where to look first (RUNPATH, or RPATH), as it is in the file.
    versions: those that it has itself; empty for a library without versions.
    """

    needs: dict[str, list[str]]
    search: list[str]
    versions: list[str]


def read_dynamic(file: t.BinaryIO) -> Dynamic | None:
    """The dynamic part of the open file; None if it is not an ELF file, is static, or leads nowhere. Raises OSError."""
    file.seek(0)
    head = file.read(64)
    program = machine_of(head)
    try:
        return None if program is None else _Reader(file, head, program).read()
    except (struct.error, ValueError, OverflowError):
        return None


class _Reader:
    def __init__(self, file: t.BinaryIO, head: bytes, program: Program) -> None:
        self.file = file
        self.order, self.is_wide = program.order, program.bits == 64
        (place,) = self.unpack("Q" if self.is_wide else "I", head, 32 if self.is_wide else 28)
        size, count = self.unpack("HH", head, 54 if self.is_wide else 42)
        self.headers = [self.header(place + number * size) for number in range(min(count, _HEADERS))]
        self.strings = 0

    def unpack(self, layout: str, content: bytes, place: int = 0) -> tuple[t.Any, ...]:
        return struct.unpack_from(self.order + layout, content, place)

    def content(self, place: int, size: int) -> bytes:
        self.file.seek(place)
        return self.file.read(size)

    def header(self, place: int) -> tuple[int, int, int, int]:
        """Kind, place in the file, address and size there of a program header."""
        if self.is_wide:
            kind, dummy, offset, address, dummy, size = self.unpack("IIQQQQ", self.content(place, 40))
        else:
            kind, offset, address, dummy, size = self.unpack("IIIII", self.content(place, 20))
        return kind, offset, address, size

    def place_of(self, address: int) -> int:
        """Where in the file what is loaded at the address is. Raises ValueError."""
        for kind, offset, start, size in self.headers:
            if kind == _PT_LOAD and start <= address < start + size:
                return int(offset + address - start)
        raise ValueError(address)

    def read(self) -> Dynamic | None:
        found = [(offset, size) for kind, offset, dummy, size in self.headers if kind == _PT_DYNAMIC]
        if not found:
            return None
        table = self.content(found[0][0], min(found[0][1], _TABLE))
        step, layout = (16, "qQ") if self.is_wide else (8, "iI")
        entries: list[tuple[int, int]] = []
        for place in range(0, len(table) - step + 1, step):
            entries.append(self.unpack(layout, table, place))  # type: ignore[arg-type]
            if entries[-1][0] == 0:
                break
        tags = dict(entries)
        self.strings = self.place_of(tags.get(_STRTAB, 0))
        needs: dict[str, list[str]] = {self.text(value): [] for tag, value in entries[:_ENTRIES] if tag == _NEEDED}
        if _VERNEED in tags:
            for library, versions in self.needed_versions(self.place_of(tags[_VERNEED])):
                # Of a library that is not needed any more, versions do not count.
                if library in needs:
                    needs[library] += versions
        search = self.text(tags.get(_RUNPATH, tags.get(_RPATH)), _PATH).split(":") if _RUNPATH in tags or _RPATH in tags else []
        versions = self.own_versions(self.place_of(tags[_VERDEF])) if _VERDEF in tags else []
        return Dynamic(needs, [path for path in search if path], versions)

    def text(self, place: t.Any, limit: int = _NAME) -> str:
        """The text at that place of the table of strings. Raises ValueError for a longer one."""
        found, end, dummy = self.content(self.strings + place, limit + 1).partition(b"\0")
        if not end:
            raise ValueError(place)
        return os.fsdecode(found)

    def needed_versions(self, place: int) -> t.Iterator[tuple[str, list[str]]]:
        """Of each library its versions; what follows an entry is given by the distance from it, and 0 ends."""
        table, start, left = self.content(place, _TABLE), 0, _ENTRIES
        while True:
            dummy, count, name, first, following = self.unpack("HHIII", table, start)
            versions, inner = [], start + first
            for dummy in range(count):
                dummy, flags, dummy, version, more = self.unpack("IHHII", table, inner)
                left -= 1
                if left < 0:
                    raise ValueError(place)
                if not flags & _WEAK:
                    versions.append(self.text(version))
                inner += more
            yield self.text(name), versions
            left -= 1
            if following == 0 or left < 0:
                return
            start += following

    def own_versions(self, place: int) -> list[str]:
        table, start, found = self.content(place, _TABLE), 0, []
        for dummy in range(_ENTRIES):
            dummy, flags, dummy, dummy, dummy, first, following = self.unpack("HHHHIII", table, start)
            if not flags & _BASE:
                found.append(self.text(self.unpack("I", table, start + first)[0]))
            if following == 0:
                return found
            start += following
        raise ValueError(place)
