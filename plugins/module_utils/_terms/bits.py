# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bit syntax: segments such as ``1:4/little`` or ``"text"/utf8`` to bits, by the rules of erl_parse:normalise/1 and erl_bits."""

from __future__ import annotations

import struct
import sys
from typing import NamedTuple

from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Bits

# A number of a few digits must not make us fill the memory.
MAX_BITS = 1 << 26
TOO_LARGE = f"a binary of more than {MAX_BITS // 8} bytes is not supported"

TYPES = {"integer": "integer", "float": "float", "utf8": "utf8", "utf16": "utf16", "utf32": "utf32"}
TYPES.update({"binary": "binary", "bytes": "binary", "bitstring": "bits", "bits": "bits"})
ENDIANNESS = ("big", "little", "native")
SIGNEDNESS = ("signed", "unsigned")
FLOAT_FORMATS = {16: "e", 32: "f", 64: "d"}
FLOAT_INFINITIES = {16: 0x7C00, 32: 0x7F800000}


class Specifiers(NamedTuple):
    type: str
    size: int | None
    unit: int | None
    byteorder: str


def segment_bits(value, size: int | None, types: list) -> bytes | Bits:
    """The bits of one segment. ``types``: names, and ("unit", number). Raises ValueError with the reason."""
    specifiers = _specifiers(size, types)
    if isinstance(value, str):
        if specifiers.type in ("binary", "bits"):
            raise ValueError(f"a string cannot be of type {specifiers.type}")
        if len(value) * _size(specifiers) > MAX_BITS:
            raise ValueError(TOO_LARGE)
        return join_bits([_number_bits(ord(character), specifiers) for character in value])
    if isinstance(value, (bytes, Bits)):
        return _part(value, specifiers)
    if isinstance(value, (int, float)):
        return _number_bits(value, specifiers)
    raise ValueError("a segment of a binary is a number, a string or a binary")


def join_bits(segments: list) -> bytes | Bits:
    """The segments, each bytes or Bits, one after the other."""
    if sum(_measured(segment)[1] for segment in segments) > MAX_BITS:
        raise ValueError(TOO_LARGE)
    if all(isinstance(segment, bytes) for segment in segments):
        return b"".join(segments)
    # Digits of base 2 are joined, and become a number, in linear time.
    digits = "".join(_digits(segment) for segment in segments)
    return _bits(int(digits or "0", 2), len(digits))


def _digits(segment: bytes | Bits) -> str:
    data, size = _measured(segment)
    return f"{int.from_bytes(data, 'big'):0{len(data) * 8}b}"[:size] if size else ""


def _specifiers(size: int | None, types: list) -> Specifiers:
    chosen: dict = {}
    for item in types:
        name, value = _specifier(item)
        if chosen.setdefault(name, value) != value:
            raise ValueError(f"two different values for the {name} of a segment")
    kind = chosen.get("type", "integer")
    unit = chosen.get("unit")
    if kind.startswith("utf") and (size, unit) != (None, None):
        raise ValueError(f"the type {kind} has no size and no unit")
    if kind in ("integer", "float") and size is None and unit is not None:
        raise ValueError("a unit needs a size")
    if kind == "bits" and unit not in (None, 1):
        raise ValueError("the unit of bits is 1")
    byteorder = chosen.get("endianness", "big")
    return Specifiers(kind, size, unit, sys.byteorder if byteorder == "native" else byteorder)


def _specifier(item) -> tuple:
    if isinstance(item, tuple):
        name, value = item
        if name != "unit" or not 1 <= value <= 256:
            raise ValueError("expected a unit from unit:1 to unit:256")
        return item
    if item in TYPES:
        return "type", TYPES[item]
    if item in ENDIANNESS:
        return "endianness", item
    if item in SIGNEDNESS:
        return "signedness", item
    raise ValueError("expected a type of a segment such as integer, utf8 or little")


def _size(specifiers: Specifiers) -> int:
    """The bits of one number."""
    if specifiers.size is None:
        return 64 if specifiers.type == "float" else 8
    return specifiers.size * (specifiers.unit or 1)


def _part(value: bytes | Bits, specifiers: Specifiers) -> bytes | Bits:
    if specifiers.type not in ("binary", "bits"):
        raise ValueError("a binary in a binary has to be of type binary or bits")
    unit = specifiers.unit or (8 if specifiers.type == "binary" else 1)
    data, available = _measured(value)
    if specifiers.size is None:
        if available % unit:
            raise ValueError(f"{available} bits are not a multiple of the unit {unit}")
        return value
    size = specifiers.size * unit
    if size > available:
        raise ValueError(f"{size} bits of a binary of {available} bits")
    return _bits(int.from_bytes(data, "big") >> (len(data) * 8 - size), size)


def _number_bits(value: int | float, specifiers: Specifiers) -> bytes | Bits:
    if specifiers.type in ("binary", "bits"):
        raise ValueError(f"a number cannot be of type {specifiers.type}")
    if specifiers.type == "float":
        return _float_bits(value, specifiers)
    if isinstance(value, float):
        raise ValueError("a float has to be of type float")
    if specifiers.type != "integer":
        return _utf_bits(value, specifiers)
    size = _size(specifiers)
    if size > MAX_BITS:
        raise ValueError(TOO_LARGE)
    value &= (1 << size) - 1
    if specifiers.byteorder == "big" or size <= 8:
        return _bits(value, size)
    # The lowest bytes come first, the bits that fill no byte last.
    whole, rest = divmod(size, 8)
    low = value & (1 << whole * 8) - 1
    number = int.from_bytes(low.to_bytes(whole, "little"), "big") << rest | value >> whole * 8
    return _bits(number, size)


def _float_bits(value: int | float, specifiers: Specifiers) -> bytes:
    size = _size(specifiers)
    if size not in FLOAT_FORMATS:
        raise ValueError(f"a float has 16, 32 or 64 bits, not {size}")
    try:
        value = float(value)
    except OverflowError:
        raise ValueError("this integer is too large for a float") from None
    try:
        data = struct.pack(">" + FLOAT_FORMATS[size], value)
    except OverflowError:
        sign = 1 << (size - 1) if value < 0 else 0
        data = (FLOAT_INFINITIES[size] | sign).to_bytes(size // 8, "big")
    return data if specifiers.byteorder == "big" else data[::-1]


def _utf_bits(value: int, specifiers: Specifiers) -> bytes:
    if not 0 <= value <= 0x10FFFF or 0xD800 <= value <= 0xDFFF:
        raise ValueError("expected a Unicode code point")
    if specifiers.type == "utf8":
        return chr(value).encode("utf-8")
    codec = "utf-16" if specifiers.type == "utf16" else "utf-32"
    return chr(value).encode(codec + ("-be" if specifiers.byteorder == "big" else "-le"))


def _measured(value: bytes | Bits) -> tuple[bytes, int]:
    return (value, len(value) * 8) if isinstance(value, bytes) else (value.data, value.size)


def _bits(number: int, size: int) -> bytes | Bits:
    data = (number << (-size % 8)).to_bytes((size + 7) // 8, "big")
    return Bits(data, size) if size % 8 else data
