# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The external term format, as term_to_binary/1 and nodes among themselves use it: bytes to terms, and (encode) terms to bytes.

The rules are those of ERTS' "External Term Format". In that format "abc" and [97,98,99] are the same bytes: as the Erlang
shell does, a list of nothing but printable characters is read as a string, and any other list of numbers as a list.
"""

from __future__ import annotations

import math
import struct
import time

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_encoder import VERSION, encode
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import MAX_DEPTH, Atom, Bits, ExternalFun, ImproperList, Map, Opaque, with_tail

__all__ = ["EtfError", "decode", "decode_at", "encode"]

COMPRESSED = 80
# More than an answer needs, and less than the memory of a host.
MAX_SIZE = 64 * 1024 * 1024
# A byte may be a term, which takes a hundred here.
MAX_TERMS = 1_000_000
# So many terms are decoded between two looks at the clock: some milliseconds.
PACE = 10_000
MAX_ATOM_LENGTH = 255
# What the shell shows in strings beside what Python calls printable: \b\t\n\v\f\r\e, the space that does not break, and the soft hyphen.
PRINTABLE_TOO = dict.fromkeys(b"\b\t\n\v\f\r\x1b\xa0\xad")

UINT16 = struct.Struct(">H")
UINT32 = struct.Struct(">I")
INT32 = struct.Struct(">i")
FLOAT64 = struct.Struct(">d")


class EtfError(OtpError):
    """Bytes that are not a term in the external format."""


class EtfTimeout(EtfError):
    """The term could not be decoded in time."""


class Work:
    """How much work a term may still make. depth: how deep it is nested at this place."""

    __slots__ = ("deadline", "depth", "left", "next_look")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.depth = 0
        self.left = MAX_TERMS
        self.next_look = MAX_TERMS - PACE

    def enter(self, terms: int) -> None:
        """Count so many terms, one level deeper. Raises EtfError."""
        self.depth += 1
        if self.depth > MAX_DEPTH and terms:
            raise EtfError(f"a term nested deeper than {MAX_DEPTH} levels is not supported.")
        self.spend(terms)

    def spend(self, terms: int) -> None:
        """Raises EtfError if there are more terms than may be, EtfTimeout."""
        self.left -= terms
        if self.left < self.next_look:
            self.next_look = self.left - PACE
            if self.left < 0:
                raise EtfError(f"a term of more than {MAX_TERMS} terms is not supported.")
            if time.monotonic() > self.deadline:
                raise EtfTimeout("the term could not be decoded in time.")


def decode(data: bytes, *, deadline: float = math.inf):
    """The one term that the bytes, from the version byte to the last, are. deadline: of time.monotonic(). Raises EtfError."""
    term, end = decode_at(data, 0, deadline=deadline)
    if end != len(data):
        raise EtfError(f"not a term in the external format: {len(data) - end} bytes follow it.")
    return term


def decode_at(data: bytes, start: int, *, deadline: float = math.inf):
    """The term whose version byte is there, and where it ends. Raises EtfError, and EtfTimeout after the deadline.

    Only what is in the data, never a number in it, decides how much memory this takes, and no more than MAX_TERMS terms are made of it.
    """
    work = Work(deadline)
    try:
        if data[start] != VERSION:
            raise EtfError(f"not a term in the external format: it begins with byte {data[start]}, not with {VERSION}.")
        if data[start + 1] == COMPRESSED:
            return _decompressed(data, start + 2, work)
        return _decode(data, start + 1, work)
    except (IndexError, struct.error):
        raise EtfError("not a term in the external format: it ends too early.") from None


def _decompressed(data: bytes, start: int, work: Work):
    import zlib  # hardly ever needed

    (size,) = UINT32.unpack_from(data, start)
    if size > MAX_SIZE:
        raise EtfError(f"a compressed term of {size} bytes is larger than {MAX_SIZE}, the limit.")
    stream = zlib.decompressobj()
    try:
        # One byte more, to see whether there is one.
        inflated = stream.decompress(data[start + 4 :], size + 1)
    except zlib.error as error:
        raise EtfError(f"a compressed term is damaged: {error}.") from None
    if len(inflated) != size or not stream.eof:
        raise EtfError("a compressed term has another size than it says.")
    term, end = _decode(inflated, 0, work)
    if end != size:
        raise EtfError("a compressed term is followed by something else.")
    return term, len(data) - len(stream.unused_data)


# Each of these takes the position after the tag, and gives the value with the position after it.


def _decode(data: bytes, i: int, work: Work):
    decoder = DECODERS.get(data[i])
    if decoder is None:
        raise EtfError(f"not a term in the external format: the tag {data[i]} is not known.")
    return decoder(data, i + 1, work)


def _slice(data: bytes, start: int, length: int) -> bytes:
    if length > len(data) - start:
        raise IndexError
    return data[start : start + length]


def _counted(data: bytes, i: int, count: int, work: Work, elements: list) -> int:
    """Append so many terms; the position after them."""
    if count > len(data) - i:
        raise IndexError
    work.enter(count)
    append = elements.append
    for _number in range(count):
        tag = data[i]
        # Long lists are mostly of these.
        if tag == 97:
            append(data[i + 1])
            i += 2
        elif tag == 98:
            append(INT32.unpack_from(data, i + 1)[0])
            i += 5
        else:
            element, i = _decode(data, i, work)
            append(element)
    work.depth -= 1
    return i


def _small_integer(data: bytes, i: int, work: Work):
    return data[i], i + 1


def _integer(data: bytes, i: int, work: Work):
    return INT32.unpack_from(data, i)[0], i + 4


def _small_big(data: bytes, i: int, work: Work):
    return _big(data, i + 1, data[i])


def _large_big(data: bytes, i: int, work: Work):
    return _big(data, i + 4, UINT32.unpack_from(data, i)[0])


def _big(data: bytes, i: int, length: int):
    number = int.from_bytes(_slice(data, i + 1, length), "little")
    return -number if data[i] else number, i + 1 + length


def _new_float(data: bytes, i: int, work: Work):
    return _finite(FLOAT64.unpack_from(data, i)[0]), i + 8


def _old_float(data: bytes, i: int, work: Work):
    text = _slice(data, i, 31).rstrip(b"\0")
    try:
        return _finite(float(text.decode("ascii"))), i + 31
    except ValueError:
        raise EtfError(f"{text!r:.40} is not a float.") from None


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise EtfError(f"{number} is not a float of Erlang.")
    return number


def _latin1_atom(data: bytes, i: int, work: Work):
    length = UINT16.unpack_from(data, i)[0]
    return _atom(_slice(data, i + 2, length), "latin-1"), i + 2 + length


def _small_latin1_atom(data: bytes, i: int, work: Work):
    return _atom(_slice(data, i + 1, data[i]), "latin-1"), i + 1 + data[i]


def _utf8_atom(data: bytes, i: int, work: Work):
    length = UINT16.unpack_from(data, i)[0]
    return _atom(_slice(data, i + 2, length), "utf-8"), i + 2 + length


def _small_utf8_atom(data: bytes, i: int, work: Work):
    return _atom(_slice(data, i + 1, data[i]), "utf-8"), i + 1 + data[i]


def _atom(name: bytes, encoding: str) -> Atom:
    try:
        text = name.decode(encoding)
    except UnicodeDecodeError:
        raise EtfError(f"an atom's name is not in {encoding}: {name!r:.60}.") from None
    if len(text) > MAX_ATOM_LENGTH:
        raise EtfError(f"an atom's name has {len(text)} characters.")
    return Atom(text)


def _small_tuple(data: bytes, i: int, work: Work):
    elements: list = []
    i = _counted(data, i + 1, data[i], work, elements)
    return tuple(elements), i


def _large_tuple(data: bytes, i: int, work: Work):
    elements: list = []
    i = _counted(data, i + 4, UINT32.unpack_from(data, i)[0], work, elements)
    return tuple(elements), i


def _nil(data: bytes, i: int, work: Work):
    return [], i


def _string(data: bytes, i: int, work: Work):
    length = UINT16.unpack_from(data, i)[0]
    codes = _slice(data, i + 2, length)
    text = codes.decode("latin-1")
    if length and _is_printable(text):
        return text, i + 2 + length
    work.spend(length // 8)
    return list(codes), i + 2 + length


def _list(data: bytes, i: int, work: Work):
    elements: list = []
    i = _counted(data, i + 4, UINT32.unpack_from(data, i)[0], work, elements)
    work.enter(1)
    tail, i = _decode(data, i, work)
    work.depth -= 1
    if not elements:
        return tail, i
    if tail != []:
        # The list is made again, at each level at which it is the tail of another.
        work.spend(len(elements) + len(tail.items if isinstance(tail, ImproperList) else tail if isinstance(tail, (list, str)) else ()))
    terms = with_tail(elements, tail)
    return (_as_string(terms) if isinstance(terms, list) else terms), i


def _as_string(elements: list):
    """A string when all elements are printable characters, else the list itself."""
    try:
        # Most other lists begin or end with something else.
        if not _is_printable(chr(elements[0]) + chr(elements[-1])):
            return elements
        text = "".join(map(chr, elements))
    except (TypeError, ValueError, OverflowError):
        return elements
    return text if _is_printable(text) else elements


def _is_printable(text: str) -> bool:
    return text.isprintable() or text.translate(PRINTABLE_TOO).isprintable()


def _map(data: bytes, i: int, work: Work):
    elements: list = []
    i = _counted(data, i + 4, 2 * UINT32.unpack_from(data, i)[0], work, elements)
    return Map(zip(elements[::2], elements[1::2])), i


def _bytes(data: bytes, i: int, work: Work):
    length = UINT32.unpack_from(data, i)[0]
    return bytes(_slice(data, i + 4, length)), i + 4 + length


def _bits(data: bytes, i: int, work: Work):
    length = UINT32.unpack_from(data, i)[0]
    bits = data[i + 4]
    content = bytes(_slice(data, i + 5, length))
    if not content or not 1 <= bits <= 8:
        raise EtfError("not a term in the external format: a bit string of an impossible size.")
    if bits < 8:
        last = content[-1] >> (8 - bits) << (8 - bits)
        return Bits(content[:-1] + bytes((last,)), 8 * length - 8 + bits), i + 5 + length
    return content, i + 5 + length


def _external_fun(data: bytes, i: int, work: Work):
    elements: list = []
    i = _counted(data, i, 3, work, elements)
    module, function, arity = elements
    if not isinstance(module, Atom) or not isinstance(function, Atom) or not isinstance(arity, int) or not 0 <= arity <= 255:
        raise EtfError("not a term in the external format: an external fun without module, function and arity.")
    return ExternalFun(module.name, function.name, arity), i


# What is opaque begins with the name of its node. The text that shows it consists of its numbers.


def _node(data: bytes, i: int, work: Work):
    if data[i] == 119:
        # Each message has several of these.
        end = i + 2 + data[i + 1]
        try:
            return data[i + 2 : end].decode("utf-8"), end
        except UnicodeDecodeError:
            pass
    work.enter(1)
    node, i = _decode(data, i, work)
    work.depth -= 1
    if not isinstance(node, Atom):
        raise EtfError("not a term in the external format: a pid, port or reference without a node.")
    return node.name, i


def _identified(data: bytes, i: int, work: Work):
    """A pid, a port, or a reference of the oldest kind."""
    layout, template = IDENTIFIED[data[i - 1]]
    node, end = _node(data, i, work)
    numbers = layout.unpack_from(data, end)
    end += layout.size
    return Opaque(template.format(node, *numbers), bytes(data[i - 1 : end])), end


def _reference(data: bytes, i: int, work: Work):
    count = UINT16.unpack_from(data, i)[0]
    node, start = _node(data, i + 2, work)
    start += 4 if data[i - 1] == 90 else 1
    numbers = struct.unpack(f">{count}I", _slice(data, start, 4 * count))
    end = start + 4 * count
    return Opaque(f"#Ref<{node}.{'.'.join(map(str, reversed(numbers)))}>", bytes(data[i - 1 : end])), end


def _fun(data: bytes, i: int, work: Work):
    end = i + UINT32.unpack_from(data, i)[0]
    index, free_variables = struct.unpack_from(">II", data, i + 21)
    elements: list = []
    # Module, old index, old uniq, pid, and the values of its free variables.
    if _counted(data, i + 29, 4 + free_variables, work, elements) != end or not isinstance(elements[0], Atom) or not _is_small(elements[2]):
        raise EtfError("not a term in the external format: a fun that is not as long as it says.")
    # Its bytes are copied at each level at which it is a variable of another.
    work.spend((end - i) // 256)
    return Opaque(f"#Fun<{elements[0].name}.{index}.{elements[2]}>", bytes(data[i - 1 : end])), end


def _is_small(term) -> bool:
    return isinstance(term, int) and term.bit_length() <= 64


IDENTIFIED = {
    88: (struct.Struct(">III"), "<{}.{}.{}>"),
    103: (struct.Struct(">IIB"), "<{}.{}.{}>"),
    89: (struct.Struct(">II"), "#Port<{}.{}>"),
    102: (struct.Struct(">IB"), "#Port<{}.{}>"),
    120: (struct.Struct(">QI"), "#Port<{}.{}>"),
    101: (struct.Struct(">IB"), "#Ref<{}.{}>"),
}
DECODERS = {
    **dict.fromkeys(IDENTIFIED, _identified),
    70: _new_float,
    77: _bits,
    90: _reference,
    97: _small_integer,
    98: _integer,
    99: _old_float,
    100: _latin1_atom,
    104: _small_tuple,
    105: _large_tuple,
    106: _nil,
    107: _string,
    108: _list,
    109: _bytes,
    110: _small_big,
    111: _large_big,
    112: _fun,
    113: _external_fun,
    114: _reference,
    115: _small_latin1_atom,
    116: _map,
    118: _utf8_atom,
    119: _small_utf8_atom,
}
