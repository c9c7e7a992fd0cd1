# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Erlang terms as plain data, as YAML and JSON have it: inventory variables in, results of modules out.

The forms are those of ``docs/design.md``; what plain data cannot say is a mapping whose one key begins with ``$``.
"""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import format_term, parse_one
from ansible_collections.erlang.otp.plugins.module_utils._terms.printer import MAX_DECIMAL_BITS
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import MAX_DEPTH, Atom, Bits, ExternalFun, ImproperList, Map, Opaque, TermError

ATOMS = {"true": True, "false": False, "undefined": None}


def to_term(data, depth: int = 0):
    """The term for plain data, itself nested depth levels. Raises TermError for data that has no term."""
    if depth > MAX_DEPTH:
        raise TermError(f"data nested deeper than {MAX_DEPTH} levels cannot be a term")
    if data is None:
        return Atom("undefined")
    if isinstance(data, bool):
        return Atom("true" if data else "false")
    # Ansible hands over subclasses of these types.
    if isinstance(data, int):
        return int(data)
    if isinstance(data, float):
        return float(data)
    if isinstance(data, str):
        return str(data)
    if isinstance(data, (list, tuple)):
        return [to_term(element, depth + 1) for element in data]
    if isinstance(data, dict):
        return _from_mapping(data, depth)
    raise TermError(f"a {type(data).__name__} has no Erlang term; write it as a string, or as {{$term: ...}}", found=repr(data)[:60])


def _from_mapping(data: dict, depth: int):
    if len(data) == 1:
        ((key, value),) = data.items()
        if isinstance(key, str) and key.startswith("$"):
            return _special(str(key), value, depth)
    pairs = []
    for key, value in data.items():
        if not isinstance(key, str):
            raise TermError("a key of a mapping is an atom, and has to be written as a string; other keys need {$map: ...}", found=repr(key))
        pairs.append((Atom(str(key)), to_term(value, depth + 2)))
    return pairs


def _special(key: str, value, depth: int):
    if key in ("$atom", "$binary", "$term"):
        if not isinstance(value, str):
            raise TermError(f"{key} needs a string", found=repr(value)[:60])
        if key == "$atom":
            return Atom(str(value))
        return value.encode("utf-8") if key == "$binary" else parse_one(str(value), filename="$term")
    if key == "$tuple" and isinstance(value, (list, tuple)):
        return tuple(to_term(element, depth + 1) for element in value)
    if key == "$map" and isinstance(value, (list, tuple)) and all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in value):
        return Map([(to_term(name, depth + 1), to_term(element, depth + 1)) for name, element in value])
    expected = {"$tuple": "$tuple needs a list", "$map": "$map needs a list of lists of a key and a value"}
    raise TermError(expected.get(key, f"{key} is not one of $atom, $tuple, $binary, $map, $term"), found=repr(value)[:60])


def from_term(term, depth: int = 0):
    """Plain data for the term, from which to_term makes the same term again, except for {$opaque: ...}: pids and others that only their node can make.

    depth: the levels that the term is nested already. Raises TermError for terms nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise TermError(f"a term nested deeper than {MAX_DEPTH} levels cannot be data")
    if isinstance(term, Atom):
        return ATOMS[term.name] if term.name in ATOMS else _shown("$atom", term.name, term)
    if isinstance(term, str):
        return term if clean(term) == term else {"$term": format_term(term)}
    if isinstance(term, list):
        if _is_mapping(term):
            return {key.name: from_term(value, depth + 2) for key, value in term}
        return [from_term(element, depth + 1) for element in term]
    if isinstance(term, tuple):
        return {"$tuple": [from_term(element, depth + 1) for element in term]}
    if isinstance(term, Map):
        return {"$map": [[from_term(key, depth + 1), from_term(value, depth + 1)] for key, value in term.pairs]}
    if isinstance(term, bytes):
        try:
            return _shown("$binary", term.decode("utf-8"), term)
        except UnicodeDecodeError:
            return {"$term": format_term(term)}
    if isinstance(term, (Bits, ImproperList, ExternalFun)):
        return {"$term": format_term(term)}
    if isinstance(term, Opaque):
        return {"$opaque": clean(term.text)}
    # JSON, or Python for it, takes no more digits than this.
    if isinstance(term, int) and term.bit_length() > MAX_DECIMAL_BITS:
        return {"$term": format_term(term)}
    return term


def latin1_strings(term):
    """The term with its strings of other characters as lists of numbers: as io_lib:printable_latin1_list/1 says, they may be numbers."""
    if isinstance(term, str):
        return term if all(ord(character) < 256 for character in term) else [ord(character) for character in term]
    if isinstance(term, (list, tuple)):
        return type(term)(map(latin1_strings, term))
    if isinstance(term, Map):
        return Map((latin1_strings(key), latin1_strings(value)) for key, value in term.pairs)
    if isinstance(term, ImproperList):
        return ImproperList(map(latin1_strings, term.items), latin1_strings(term.tail))
    return term


def _shown(kind: str, text: str, term) -> dict[str, str]:
    """The text, or the term that has it: a result is shown on terminals, and loses its control characters on the way."""
    return {kind: text} if clean(text) == text else {"$term": format_term(term)}


def _is_mapping(term: list) -> bool:
    """Whether a mapping says the same: pairs whose keys are atoms, none twice, and not what would read as a special form."""
    if not term or not all(isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], Atom) for pair in term):
        return False
    names = {key.name for key, dummy in term}
    return len(names) == len(term) and all(clean(name) == name for name in names) and not (len(term) == 1 and next(iter(names)).startswith("$"))
