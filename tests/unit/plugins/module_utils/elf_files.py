# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ELF files for tests, with nothing but what a loader reads: program headers, the dynamic table, names, and tables of symbol versions."""

from __future__ import annotations

import struct
import typing as t

Needs = t.Mapping[str, t.Sequence[str]]


def elf_file(
    needs: Needs | None = None,
    *,
    search: str = "",
    versions: t.Sequence[str] = (),
    interpreter: str = "",
    bits: int = 64,
    order: str = "<",
    machine: int = 62,
    tag: int = 29,
    weak: bool = False,
) -> bytes:
    """A library or a program. needs: versions by the name of a library; versions: its own; search: its RUNPATH, or RPATH with tag 15."""
    wide, base = bits == 64, 0x10000
    strings = bytearray(b"\0")

    def text(value: str) -> int:
        strings.extend(value.encode() + b"\0")
        return len(strings) - len(value) - 1

    size, entry = (64, 56) if wide else (52, 32)
    start = size + 3 * entry
    needed = {name: text(name) for name in needs or {}}
    need_table = _needed(needs or {}, needed, text, order, 2 if weak else 0)
    own_table = _own(versions, text, order)
    path, loader = text(search), text(interpreter)
    places = [start, start + len(strings), start + len(strings) + len(need_table)]
    tags = [(1, place) for place in needed.values()] + [(5, base + places[0]), (10, len(strings))]
    tags += ([(tag, path)] if search else []) + ([(0x6FFFFFFE, base + places[1])] if need_table else [])
    tags += [(0x6FFFFFFC, base + places[2])] if own_table else []
    dynamic = b"".join(struct.pack(order + ("qQ" if wide else "iI"), *pair) for pair in [*tags, (0, 0), (1, 0)])
    where = places[2] + len(own_table)
    whole = where + len(dynamic)

    def header(kind: int, place: int, length: int) -> bytes:
        if wide:
            return struct.pack(order + "II6Q", kind, 0, place, base + place, 0, length, length, 0)
        return struct.pack(order + "8I", kind, place, base + place, 0, length, length, 0, 0)

    headers = header(1, 0, whole) + header(2, where, len(dynamic)) + header(3 if interpreter else 4, start + loader, len(interpreter) + 1)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    head = struct.pack(order + "HHI" + ("QQQ" if wide else "III") + "IHHHHHH", 3, machine, 1, 0, size, 0, 0, size, entry, 3, 0, 0, 0)
    return ident + head + headers + bytes(strings) + need_table + own_table + dynamic


def _needed(needs: Needs, names: t.Mapping[str, int], text: t.Callable[[str], int], order: str, flags: int) -> bytes:
    filled = [(names[name], [text(version) for version in versions]) for name, versions in needs.items() if versions]
    table = b""
    for number, (name, versions) in enumerate(filled):
        last = number == len(filled) - 1
        table += struct.pack(order + "HHIII", 1, len(versions), name, 16, 0 if last else 16 * (1 + len(versions)))
        table += b"".join(struct.pack(order + "IHHII", 0, flags, 2, version, 16) for version in versions)
    return table


def _own(versions: t.Sequence[str], text: t.Callable[[str], int], order: str) -> bytes:
    names = [text("name.of.the.file"), *(text(version) for version in versions)] if versions else []
    return b"".join(
        struct.pack(order + "HHHHIII", 1, 0 if number else 1, number + 1, 1, 0, 20, 0 if number == len(names) - 1 else 28) + struct.pack(order + "II", name, 0)
        for number, name in enumerate(names)
    )
