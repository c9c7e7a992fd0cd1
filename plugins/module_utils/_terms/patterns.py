# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Terms as users write them in options, and patterns of terms."""

from __future__ import annotations

import re

from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import parse_one
from ansible_collections.erlang.otp.plugins.module_utils._terms.plain_data import to_term
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, ImproperList, Map, identity

ANYTHING = Atom("_")
# Text in which an underscore is not a variable, then the variable.
WORDS = re.compile(r"""%[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\$(?:\\.|.)|[A-Za-z0-9_@\x80-\U0010ffff]+""", re.DOTALL)


def as_term(value, *, name: str):
    """The term that a user means: a string is the text of one, anything else plain data. Raises TermError that names the option."""
    return parse_one(str(value), filename=name) if isinstance(value, str) else to_term(value)


def as_pattern(value, *, name: str):
    """Like as_term, and a variable ``_`` in a string is the atom '_', which matches() takes for anything."""
    if isinstance(value, str):
        value = WORDS.sub(lambda word: "'_'" if word[0] == "_" else word[0], value)
    return as_term(value, name=name)


def matches(pattern, term) -> bool:
    """Whether the term is as the pattern says: ``'_'`` is anything, a map has at least the pattern's keys, all else is the same."""
    if pattern == ANYTHING:
        return True
    if isinstance(pattern, tuple):
        return isinstance(term, tuple) and len(pattern) == len(term) and all(map(matches, pattern, term))
    if isinstance(pattern, list) and isinstance(term, (list, str)):
        elements = term if isinstance(term, list) else [ord(character) for character in term]
        return len(pattern) == len(elements) and all(map(matches, pattern, elements))
    if isinstance(pattern, Map):
        return isinstance(term, Map) and all(_has(term, key, value) for key, value in pattern.pairs)
    if isinstance(pattern, ImproperList):
        return _is_list_like(pattern, term)
    return identity(pattern) == identity(term)


def _has(term: Map, key, value) -> bool:
    return any(identity(key) == identity(other) and matches(value, found) for other, found in term.pairs)


def _is_list_like(pattern: ImproperList, term) -> bool:
    """[Head, ...|Tail], where a tail of _ is any rest of a list."""
    elements, tail = (list(term.items), term.tail) if isinstance(term, ImproperList) else (term, [])
    if isinstance(elements, str):
        elements = [ord(character) for character in elements]
    count = len(pattern.items)
    if not isinstance(elements, list) or len(elements) < count or not all(map(matches, pattern.items, elements)):
        return False
    rest = elements[count:]
    if isinstance(term, ImproperList):
        return matches(pattern.tail, ImproperList(rest, tail) if rest else tail)
    return matches(pattern.tail, rest)
