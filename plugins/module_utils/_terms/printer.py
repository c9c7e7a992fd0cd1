# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Erlang terms to text, in lines of a reader's width."""

from __future__ import annotations

import re

from ansible_collections.erlang.otp.plugins.module_utils._terms.scanner import ILLEGAL_CHARACTER, MAX_ATOM_LENGTH, NEW_RESERVED_WORDS, RESERVED_WORDS
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import MAX_DEPTH, Atom, Bits, ExternalFun, ImproperList, Map, Opaque, TermError

PLAIN_ATOM = re.compile(r"[a-z][A-Za-z0-9_@]*\Z")
# Python converts at least as many bits to decimal; the scanner reads as many of base 16.
MAX_DECIMAL_BITS = 14000
MAX_INTEGER_BITS = 17000
ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", "\v": "\\v", "\x1b": "\\e", "\x7f": "\\d", "\\": "\\\\"}
CODING_LINE = "%% coding: utf-8\n"


def format_term(term, *, width: int = 80) -> str:
    """The term as text that file:consult/1 reads back as the same term, without its full stop.

    Lines are broken between elements where one would get longer than width; a single long string, or a deep one, may exceed it.
    Pids, ports and other opaque terms are shown as the Erlang shell does, and cannot be read back.
    Raises TermError for values that are not terms, and for terms nested too deeply.
    """
    return _layout(term, 0, width, 0)


def shortened(term, limit: int = 300) -> str:
    """The beginning of the term's text on one line, for a message. The work is bounded by the limit, not by the term."""
    text = ""
    for piece in _pieces(term, 0, limit):
        text += piece
        if len(text) > limit:
            return text[: limit - 3] + "..."
    return text


def format_terms(terms) -> bytes:
    """The content of a file, in UTF-8, that file:consult/1 reads as these terms. Raises TermError."""
    return (CODING_LINE + "".join(format_term(term) + ".\n" for term in terms)).encode("utf-8")


def _pieces(term, depth: int, limit: int):
    """The text of the term, piece by piece. What has no text is described."""
    try:
        brackets = _brackets(term, depth)
        if brackets is None:
            cut = len(term) > limit if isinstance(term, (str, bytes)) else False
            # More than the limit, so that the caller cuts it.
            yield _plain(term[: limit + 1] if cut else term)
            return
    except TermError as error:
        yield f"({error})"
        return
    opening, closing = brackets
    yield opening
    for separator, element in _elements(term):
        yield separator
        yield from _pieces(element, depth + 1, limit)
    yield closing


def _layout(term, column: int, width: int, depth: int) -> str:
    """The text of a term that begins in the column: on one line if it fits there, else plain elements fill lines and others have their own."""
    flat = _flat(term, width - column, depth)
    if flat is not None:
        return flat
    brackets = _brackets(term, depth)
    if brackets is None:
        return _plain(term)
    opening, closing = brackets
    column += len(opening)
    pieces = [opening]
    used = column
    after_plain = False
    for separator, element in _elements(term):
        plain = _brackets(element, depth + 1) is None
        text = _flat(element, width - used - len(separator) - 1, depth + 1)
        indent = 4 if separator == " => " else 0
        if text is None or not (separator == "" or indent or (plain and after_plain)):
            text = _layout(element, column + indent, width, depth + 1)
            if separator:
                separator = separator.rstrip() + "\n" + " " * (column + indent)
                used = column + indent
        pieces.append(separator + text)
        used += len(separator + text) if "\n" not in text + separator else len(text) - text.rfind("\n") - 1
        after_plain = plain and not isinstance(term, Map)
    return "".join(pieces) + closing


def _flat(term, room: int, depth: int) -> str | None:
    """The text of the term on one line, or None when it does not fit. The work is bounded by the room, not by the term."""
    brackets = _brackets(term, depth)
    if brackets is None:
        if isinstance(term, (str, bytes)) and len(term) > room:
            return None
        text = _plain(term)
        return text if len(text) <= room else None
    opening, closing = brackets
    pieces = [opening]
    room -= len(opening) + len(closing)
    for separator, element in _elements(term):
        room -= len(separator)
        piece = _flat(element, room, depth + 1) if room > 0 else None
        if piece is None:
            return None
        room -= len(piece)
        pieces += (separator, piece)
    pieces.append(closing)
    return "".join(pieces) if room >= 0 else None


def _brackets(term, depth: int) -> tuple[str, str] | None:
    """How a term that has elements opens and closes; None for any other."""
    if isinstance(term, tuple):
        brackets = ("{", "}")
    elif isinstance(term, (list, ImproperList)):
        brackets = ("[", "]")
    elif isinstance(term, Map):
        brackets = ("#{", "}")
    else:
        return None
    if depth == MAX_DEPTH:
        raise TermError(f"a term nested deeper than {MAX_DEPTH} levels cannot be written")
    return brackets


def _elements(term):
    """Each element with the separator before it."""
    if isinstance(term, Map):
        separator = ""
        for key, value in term.pairs:
            yield separator, key
            yield " => ", value
            separator = ","
        return
    separator = ""
    for element in term.items if isinstance(term, ImproperList) else term:
        yield separator, element
        separator = ","
    if isinstance(term, ImproperList):
        yield "|", term.tail


def _plain(term) -> str:
    if isinstance(term, Atom):
        return _atom(term.name)
    if isinstance(term, str):
        return _string(term)
    if isinstance(term, int) and not isinstance(term, bool):
        return _integer(term)
    if isinstance(term, float):
        return _float(term)
    if isinstance(term, bytes):
        return _binary(term)
    if isinstance(term, Bits):
        return _bits(term)
    if isinstance(term, ExternalFun):
        return f"fun {_atom(term.module)}:{_atom(term.function)}/{term.arity}"
    if isinstance(term, Opaque):
        return term.text
    raise TermError(f"a Python {type(term).__name__} is not an Erlang term: {term!r:.60}")


def _atom(name: str) -> str:
    if PLAIN_ATOM.match(name) and name not in RESERVED_WORDS | NEW_RESERVED_WORDS and len(name) <= MAX_ATOM_LENGTH:
        return name
    if len(name) > MAX_ATOM_LENGTH or ILLEGAL_CHARACTER.search(name):
        raise TermError(f"no atom can have the name {name[:60]!r}")
    return _escape(name, "'")


def _string(text: str) -> str:
    if ILLEGAL_CHARACTER.search(text):
        # A list may hold any number, a string may not.
        return "[" + ",".join(str(ord(character)) for character in text) + "]"
    return _escape(text, '"')


def _escape(text: str, quote: str) -> str:
    if text.isprintable() and quote not in text and "\\" not in text:
        return quote + text + quote
    return quote + "".join(_escaped(character, quote) for character in text) + quote


def _escaped(character: str, quote: str) -> str:
    if character == quote:
        return "\\" + quote
    if character in ESCAPES:
        return ESCAPES[character]
    return character if character.isprintable() else f"\\x{{{ord(character):X}}}"


def _integer(number: int) -> str:
    bits = number.bit_length()
    if bits <= MAX_DECIMAL_BITS:
        return str(number)
    if bits > MAX_INTEGER_BITS:
        raise TermError(f"an integer of {bits} bits is not supported")
    return f"{'-' if number < 0 else ''}16#{abs(number):X}"


def _float(number: float) -> str:
    text = repr(number)
    if text.strip("-") in ("inf", "nan"):
        raise TermError(f"{text} is not a float of Erlang")
    mantissa, e, exponent = text.partition("e")
    return (mantissa if "." in mantissa else mantissa + ".0") + e + exponent


def _binary(data: bytes) -> str:
    if not data:
        return "<<>>"
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if all(character.isprintable() or character in "\n\r\t" for character in text):
        return "<<" + _escape(text, '"') + (">>" if text.isascii() else "/utf8>>")
    return "<<" + ",".join(map(str, data)) + ">>"


def _bits(bits: Bits) -> str:
    rest = bits.size % 8
    numbers = [str(byte) for byte in bits.data[:-1]]
    numbers.append(f"{bits.data[-1] >> (8 - rest)}:{rest}")
    return "<<" + ",".join(numbers) + ">>"
