# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Erlang terms as Python values, for what Python has no type for, and the error of all that handles terms."""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

# Far more than any file of OTP has, and few enough for the stack of Python.
MAX_DEPTH = 200


class TermError(OtpError):
    """A text that is not Erlang terms, or terms of another shape than expected. Line and column count from 1; None if unknown.

    ``reason`` is the message without the place and without any of the text, which may contain secrets.
    """

    def __init__(self, reason: str, *, found: str | None = None, filename: str | None = None, line: int | None = None, column: int | None = None) -> None:
        place = [] if filename is None else [filename]
        if line is not None:
            place.append(f"line {line}, column {column}")
        sentence = reason if found is None else f"{reason}; found {found}"
        super().__init__(f"{', '.join(place)}: {sentence}" if place else sentence)
        self.reason = reason
        self.filename = filename
        self.line = line
        self.column = column


class _Value:
    """Equal to a value of the same class with the same identity, and to nothing else."""

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return identity(self) == identity(other)

    def __hash__(self) -> int:
        return hash(identity(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(getattr(self, name)) for name in self.__slots__)})"


class Atom(_Value):
    """An atom, by its name without quotes."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    # As identity() would do it, without its price: most comparisons are of atoms.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atom) and self.name == other.name

    def __hash__(self) -> int:
        return hash(("atom", self.name))


class Bits(_Value):
    """A bit string of ``size`` bits, no multiple of 8: its bytes, the last one filled up with zero bits."""

    __slots__ = ("data", "size")

    def __init__(self, data: bytes, size: int) -> None:
        self.data = data
        self.size = size


class Map(_Value):
    """A map as its (key, value) pairs in the order of the text; equal to a map with the same pairs in any order."""

    __slots__ = ("pairs",)

    def __init__(self, pairs) -> None:
        self.pairs = tuple((key, value) for key, value in pairs)


class ImproperList(_Value):
    """``[a,b|c]``: one item or more, and a tail that is not a list."""

    __slots__ = ("items", "tail")

    def __init__(self, items, tail) -> None:
        self.items = tuple(items)
        self.tail = tail


class ExternalFun(_Value):
    """``fun module:function/arity``."""

    __slots__ = ("module", "function", "arity")

    def __init__(self, module: str, function: str, arity: int) -> None:
        self.module = module
        self.function = function
        self.arity = arity


class Opaque(_Value):
    """A pid, port, reference or local fun: its text for people, and its bytes in the external term format, without the version byte."""

    __slots__ = ("text", "external")

    def __init__(self, text: str, external: bytes) -> None:
        self.text = text
        self.external = external


def with_tail(items: list, tail):
    """The list of the items, one or more, and the tail: an ImproperList unless the tail is a list."""
    if isinstance(tail, str):
        return items + [ord(character) for character in tail]
    if isinstance(tail, list):
        return items + tail
    if isinstance(tail, ImproperList):
        return ImproperList(items + list(tail.items), tail.tail)
    return ImproperList(items, tail)


def identity(term):
    """What makes the term that term, as a hashable value: two of them are equal exactly when the terms are ``=:=`` in OTP 27.

    Python's own ``==`` says that 1, 1.0 and True are equal, and does not know that ``""`` and ``[]``, or "a" and ``[97]``, are.
    """
    if isinstance(term, Atom):
        return ("atom", term.name)
    if isinstance(term, str):
        return ("list", tuple(("int", ord(character)) for character in term))
    if isinstance(term, list):
        return ("list", tuple(map(identity, term)))
    if isinstance(term, tuple):
        return ("tuple", tuple(map(identity, term)))
    if isinstance(term, float):
        return ("float", repr(term))
    if isinstance(term, Map):
        return ("map", frozenset((identity(key), identity(value)) for key, value in term.pairs))
    if isinstance(term, ImproperList):
        return ("improper list", tuple(map(identity, term.items)), identity(term.tail))
    if isinstance(term, Bits):
        return ("bits", term.data, term.size)
    if isinstance(term, ExternalFun):
        return ("fun", term.module, term.function, term.arity)
    if isinstance(term, Opaque):
        return ("opaque", term.external)
    return (type(term).__name__, term)
