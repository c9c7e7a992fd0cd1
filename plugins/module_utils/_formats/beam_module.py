# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a BEAM file says of its module: exports, imports, behaviours. The chunks are those of beam_lib(3); a stripped file has no attributes."""

from __future__ import annotations

import hashlib
import struct
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.beam import CODE_CHUNKS, chunks, inflated
from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import EtfError, decode
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom

UINT32 = struct.Struct(">I")


class Module(t.NamedTuple):
    """A compiled module. ``behaviours``: None if the file has no attributes. ``debug_info``: the chunk's content, b"" if there is none."""

    name: str
    exports: frozenset[tuple[str, int]]
    imports: frozenset[tuple[str, str, int]]
    behaviours: frozenset[str] | None
    debug_info: bytes
    digest: str


def parse_module(content: bytes, *, filename: str) -> Module:
    """The module of a BEAM file's content. Raises OtpError."""
    content = bytes(inflated(content))
    found = {name: content[start:end] for name, start, end in chunks(content)}
    try:
        atoms = _atoms(found[b"AtU8"], "utf-8") if b"AtU8" in found else _atoms(found[b"Atom"], "latin-1")
        exports = frozenset((atoms[name], arity) for name, arity, _label in _rows(found[b"ExpT"]))
        imports = frozenset((atoms[module], atoms[name], arity) for module, name, arity in _rows(found[b"ImpT"]))
        behaviours = _behaviours(decode(found[b"Attr"])) if b"Attr" in found else None
    except (KeyError, IndexError, struct.error, UnicodeDecodeError, EtfError):
        raise OtpError(f"{filename}: it is not a BEAM file, or it is damaged.") from None
    code = b"".join(found[name] for name in sorted(CODE_CHUNKS & found.keys()))
    return Module(atoms[1], exports, imports, behaviours, found.get(b"Dbgi", b""), hashlib.sha256(code).hexdigest())


def _atoms(chunk: bytes, encoding: str) -> list[str]:
    """The atoms, from number 1 on. Since OTP 28 their number may be negative: then lengths are compact terms of the loader, of one or two bytes."""
    (count,) = struct.unpack_from(">i", chunk)
    atoms, i = [""], 4
    for _number in range(abs(count)):
        length = chunk[i]
        i += 1
        if count < 0:
            length, i = (length >> 4, i) if not length & 8 else ((length & 0xE0) << 3 | chunk[i], i + 1)
        if i + length > len(chunk):
            raise IndexError
        atoms.append(chunk[i : i + length].decode(encoding))
        i += length
    return atoms


def _rows(chunk: bytes) -> t.Iterator[tuple[int, int, int]]:
    (count,) = UINT32.unpack_from(chunk)
    if 4 + 12 * count > len(chunk):
        raise IndexError
    return struct.iter_unpack(">III", chunk[4 : 4 + 12 * count])  # type: ignore[return-value]


def _behaviours(attributes: t.Any) -> frozenset[str]:
    names: set[str] = set()
    for attribute in attributes if isinstance(attributes, list) else ():
        if isinstance(attribute, tuple) and len(attribute) == 2 and attribute[0] in (Atom("behaviour"), Atom("behavior")) and isinstance(attribute[1], list):
            names.update(item.name for item in attribute[1] if isinstance(item, Atom))
    return frozenset(names)
