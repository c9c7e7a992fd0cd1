# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""BEAM files for tests, as the compiler writes them: with the chunks that say what a module has."""

from __future__ import annotations

import struct
import typing as t
import zlib

from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import encode
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import consult_bytes
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom


def beam(
    name: str,
    *,
    exports: t.Iterable[str] = (),
    calls: t.Iterable[str] = (),
    behaviours: t.Iterable[str] | None = (),
    code: str = "",
    source: str | None = None,
    elixir: str | None = None,
    long_atoms: bool = False,
) -> bytes:
    """The content of a BEAM file. exports: as "f/1". calls: as "m:f/1". source: forms of Erlang, elixir: the map of Elixir, as text of terms."""
    atoms = [name]

    def number(atom: str) -> int:
        if atom not in atoms:
            atoms.append(atom)
        return atoms.index(atom) + 1

    exported = [(number(function), int(arity), 1) for function, arity in (item.split("/") for item in exports)]
    split = [(*item.split(":")[0:1], *item.split(":")[1].split("/")) for item in calls]
    imported = [(number(module), number(function), int(arity)) for module, function, arity in split]
    lengths = (lambda size: bytes([size << 4]) if size < 16 else bytes([8 | size >> 8 << 5, size & 255])) if long_atoms else lambda size: bytes([size])
    table = b"".join(lengths(len(atom.encode())) + atom.encode() for atom in atoms)
    chunks = {b"AtU8": struct.pack(">i", -len(atoms) if long_atoms else len(atoms)) + table, b"Code": code.encode()}
    chunks[b"ImpT"], chunks[b"ExpT"] = (_rows(rows) for rows in (imported, exported))
    if behaviours is not None:
        chunks[b"Attr"] = encode([(Atom("vsn"), [1]), *((Atom("behaviour"), [Atom(behaviour)]) for behaviour in behaviours)])
    for text, of_elixir in ((source, False), (elixir, True)):
        if text is not None:
            chunks[b"Dbgi"] = _compressed(debug_info(text, elixir=of_elixir))
    content = b"".join(kind + struct.pack(">I", len(data)) + data + b"\0" * (-len(data) % 4) for kind, data in chunks.items())
    return b"FOR1" + struct.pack(">I", len(content) + 4) + b"BEAM" + content


def _rows(rows: t.Sequence[tuple[int, int, int]]) -> bytes:
    return struct.pack(">I", len(rows)) + b"".join(struct.pack(">III", *row) for row in rows)


def debug_info(text: str, *, elixir: bool = False) -> bytes:
    """The debug information, not compressed: of Elixir's map, or of Erlang's forms, as text of terms."""
    terms = list(consult_bytes(text.encode(), filename=""))
    if elixir:
        return encode((Atom("debug_info_v1"), Atom("elixir_erl"), (Atom("elixir_v1"), terms[0], [])))
    return encode((Atom("debug_info_v1"), Atom("erl_abstract_code"), (terms, [])))


def _compressed(term: bytes) -> bytes:
    return b"\x83P" + struct.pack(">I", len(term) - 1) + zlib.compress(term[1:])
