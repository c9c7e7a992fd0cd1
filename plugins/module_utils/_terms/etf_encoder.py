# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Terms to bytes in the external term format, in such forms as every OTP since 19 reads."""

from __future__ import annotations

import struct
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._terms.values import MAX_DEPTH, Atom, Bits, ExternalFun, ImproperList, Map, Opaque, TermError, identity

VERSION = 131


def encode(term) -> bytes:
    """The term in the external format, version byte included. Raises TermError for a value that is not a term."""
    out = bytearray((VERSION,))
    append(term, out)
    return bytes(out)


def append(term, out: bytearray, depth: int = 0) -> None:
    """Append the term without a version byte."""
    encoder = ENCODERS.get(type(term))
    if encoder is None:
        raise TermError(f"a Python {type(term).__name__} is not an Erlang term: {term!r:.60}")
    if depth > MAX_DEPTH:
        raise TermError(f"a term nested deeper than {MAX_DEPTH} levels cannot be sent")
    encoder(term, out, depth + 1)


def _atom(term: Atom, out: bytearray, depth: int) -> None:
    _named(term.name, out)


def _named(name: str, out: bytearray) -> None:
    try:
        encoded = name.encode("utf-8")
    except UnicodeEncodeError:
        raise TermError(f"no atom can have the name {name!r:.60}") from None
    if len(name) > 255:
        raise TermError(f"no atom can have the name {name!r:.60}, which is longer than 255 characters")
    out += struct.pack(">BB", 119, len(encoded)) if len(encoded) < 256 else struct.pack(">BH", 118, len(encoded))
    out += encoded


def _string(term: str, out: bytearray, depth: int) -> None:
    try:
        codes = term.encode("latin-1")
    except UnicodeEncodeError:
        codes = b""
    if term and len(codes) == len(term) < 65536:
        out += struct.pack(">BH", 107, len(codes)) + codes
    else:
        _list([ord(character) for character in term], out, depth)


def _integer(term: int, out: bytearray, depth: int) -> None:
    if 0 <= term <= 255:
        out += struct.pack(">BB", 97, term)
    elif -(1 << 31) <= term < 1 << 31:
        out += struct.pack(">Bi", 98, term)
    else:
        magnitude = abs(term)
        digits = magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "little")
        out += struct.pack(">BB", 110, len(digits)) if len(digits) < 256 else struct.pack(">BI", 111, len(digits))
        out += bytes((term < 0,)) + digits


def _float(term: float, out: bytearray, depth: int) -> None:
    if term - term != 0:
        raise TermError(f"{term!r} is not a float of Erlang")
    out += struct.pack(">Bd", 70, term)


def _binary(term: bytes, out: bytearray, depth: int) -> None:
    out += struct.pack(">BI", 109, len(term)) + term


def _bits(term: Bits, out: bytearray, depth: int) -> None:
    out += struct.pack(">BIB", 77, len(term.data), term.size % 8) + term.data


def _tuple(term: tuple, out: bytearray, depth: int) -> None:
    out += struct.pack(">BB", 104, len(term)) if len(term) < 256 else struct.pack(">BI", 105, len(term))
    for element in term:
        append(element, out, depth)


def _list(term: list, out: bytearray, depth: int) -> None:
    if term:
        _elements(term, out, depth)
    out.append(106)


def _improper_list(term: ImproperList, out: bytearray, depth: int) -> None:
    _elements(term.items, out, depth)
    append(term.tail, out, depth)


def _elements(items, out: bytearray, depth: int) -> None:
    out += struct.pack(">BI", 108, len(items))
    for element in items:
        append(element, out, depth)


def _map(term: Map, out: bytearray, depth: int) -> None:
    # A node ends the connection at such a map.
    if len({identity(key) for key, dummy in term.pairs}) != len(term.pairs):
        raise TermError(f"a map has two equal keys: {term!r:.60}")
    out += struct.pack(">BI", 116, len(term.pairs))
    for key, value in term.pairs:
        append(key, out, depth)
        append(value, out, depth)


def _external_fun(term: ExternalFun, out: bytearray, depth: int) -> None:
    out.append(113)
    _named(term.module, out)
    _named(term.function, out)
    _integer(term.arity, out, depth)


def _opaque(term: Opaque, out: bytearray, depth: int) -> None:
    out += term.external


ENCODERS: dict[type, t.Callable] = {
    Atom: _atom,
    Bits: _bits,
    ExternalFun: _external_fun,
    ImproperList: _improper_list,
    Map: _map,
    Opaque: _opaque,
    bytes: _binary,
    float: _float,
    int: _integer,
    list: _list,
    str: _string,
    tuple: _tuple,
}
