# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The source of a module in its debug information (chunk Dbgi): Erlang's abstract format, and what Elixir stores there. Places in the source are left out."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import EtfError, decode
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, Map

Function = t.Tuple[str, int]
# A call of a function of the module itself has no module; one without a number of arguments means each function of that name.
Call = t.Tuple[str, str, int]
ANY_ARITY = -1


class Source(t.NamedTuple):
    """The functions of a module by name and arity, each with its clauses, and what is called there; what is defined besides.

    records: the fields of each, also those of files that are included. used: the records that occur in the functions. struct: the fields of
    Elixir's struct. trivial: functions that the compiler has added, or that give back ``{ok, State}`` as they got it.
    """

    functions: dict[Function, t.Any]
    calls: dict[Function, frozenset[Call]]
    records: dict[str, tuple[str, ...]]
    used: frozenset[str]
    struct: tuple[str, ...] | None
    on_load: bool
    trivial: frozenset[Function]

    def reached_from(self, functions: t.Iterable[Function]) -> dict[Function, t.Any]:
        """These functions, and those of the module that they call, also through others."""
        reached: dict[Function, t.Any] = {}
        pending = [function for function in functions if function in self.functions]
        while pending:
            function = pending.pop()
            if function not in reached:
                reached[function] = self.functions[function]
                called = self.calls[function]
                pending += [other for other in self.functions if ("", *other) in called or ("", other[0], ANY_ARITY) in called]
        return reached

    def callers_of(self, called: tuple[str, str]) -> list[Function]:
        """The functions that call this one: module, name."""
        return [function for function, calls in self.calls.items() if any(call[:2] == called for call in calls)]


def read_debug_info(chunk: bytes) -> Source | None:
    """The source in the content of the chunk; None if there is none, or none that can be read."""
    try:
        _version, backend, data = decode(chunk)
        if backend == Atom("erl_abstract_code"):
            return _erlang(data[0])
        if backend == Atom("elixir_erl"):
            return _elixir(data)
    except (EtfError, TypeError, ValueError, IndexError, KeyError, AttributeError):
        pass
    return None


def _calls(term: t.Any) -> t.Iterator[Call]:
    """The calls in clauses, and the functions that are named there as funs."""
    if isinstance(term, (list, tuple)):
        yield from _call(term) if isinstance(term, tuple) else ()
        for element in term:
            yield from _calls(element)
    elif isinstance(term, Map):
        yield from _calls(term.pairs)


def _calls_of(functions: t.Mapping[Function, t.Any]) -> dict[Function, frozenset[Call]]:
    return {function: frozenset(_calls(clauses)) for function, clauses in functions.items()}


def _call(term: tuple) -> t.Iterator[Call]:
    if len(term) != 3:
        return
    first, second, third = term
    if first == "call" and isinstance(third, list):
        if second[0] == "atom":
            yield "", second[1], len(third)
        elif second[0] == "remote" and second[1][0] == second[2][0] == "atom":
            yield second[1][1], second[2][1], len(third)
    elif first == "function" and isinstance(second, str) and isinstance(third, int):
        yield "", second, third
    elif second is None and isinstance(first, str):
        # Elixir; a variable and a captured function look alike.
        yield "", first, len(third) if isinstance(third, list) else ANY_ARITY
    elif second is None and isinstance(first, tuple) and first[:2] == (".", None) and len(first[2]) == 2 and isinstance(third, list):
        module, name = first[2]
        if isinstance(module, str) and isinstance(name, str):
            yield module, name, len(third)


# --- Erlang: absform(3) of ERTS


def _erlang(forms: t.Any) -> Source:
    functions: dict[Function, t.Any] = {}
    records: dict[str, tuple[str, ...]] = {}
    on_load = False
    for form in map(_plain, forms):
        if form[0] == "function":
            functions[form[1], form[2]] = form[3]
        elif form[:2] == ("attribute", "record"):
            name, fields = form[2]
            records[name] = tuple(_field(field) for field in fields)
        elif form[:2] == ("attribute", "on_load"):
            on_load = True
    trivial = frozenset(function for function, clauses in functions.items() if all(map(_gives_back, clauses)))
    used = frozenset(name for clauses in functions.values() for name in _records_in(clauses))
    return Source(functions, _calls_of(functions), records, used, None, on_load, trivial)


def _plain(term: t.Any) -> t.Any:
    """The form without annotations, and with text for atoms."""
    if isinstance(term, Atom):
        return term.name
    if isinstance(term, list):
        return [_plain(element) for element in term]
    if isinstance(term, tuple):
        if len(term) > 1 and isinstance(term[0], Atom) and _is_annotation(term):
            term = (term[0], *term[2:])
        return tuple(_plain(element) for element in term)
    return term


def _is_annotation(term: tuple) -> bool:
    place = term[1]
    if isinstance(place, int):
        # {unit, 8} of a bit string has none; {nil, 8} has.
        return len(term) > 2 or term[0] in (Atom("nil"), Atom("eof"))
    if isinstance(place, tuple):
        return len(place) == 2 and all(isinstance(number, int) for number in place)
    names = [item[0] if isinstance(item, tuple) and item else item for item in place] if isinstance(place, list) else []
    return bool(names) and all(isinstance(name, Atom) and name.name in ("location", "generated", "file", "record", "text", "column") for name in names)


def _field(field: tuple) -> str:
    return _field(field[1]) if field[0] == "typed_record_field" else field[1][1]


def _gives_back(clause: tuple) -> bool:
    """Whether it is ``code_change(_, State, _) -> {ok, State}``, or with four arguments ``{ok, State, Data}``."""
    arguments, _guards, body = clause[1:4]
    given = {3: arguments[1:2], 4: arguments[1:3]}.get(len(arguments))
    return bool(given) and body == [("tuple", [("atom", "ok"), *given])] and all(variable[0] == "var" for variable in given)


def _records_in(term: t.Any) -> t.Iterator[str]:
    if isinstance(term, tuple) and len(term) > 2:
        if term[0] in ("record", "record_index") and isinstance(term[1], str):
            yield term[1]
        elif term[0] in ("record", "record_field") and isinstance(term[2], str):
            yield term[2]
    if isinstance(term, (list, tuple)):
        for element in term:
            yield from _records_in(element)


# --- Elixir: the abstract syntax tree after its macros


def _elixir(data: tuple) -> Source:
    about = {key.name: value for key, value in data[1].pairs}
    functions: dict[Function, t.Any] = {}
    trivial = set()
    for (name, arity), _kind, about_it, clauses in about["definitions"]:
        functions[name.name, arity] = [_tree([arguments, guards, body]) for _about, arguments, guards, body in clauses]
        added = any(isinstance(item, tuple) and item[0] == Atom("context") for item in about_it)
        if added or all(body == ("ok", *arguments[1:2]) for arguments, _guards, body in functions[name.name, arity]):
            trivial.add((name.name, arity))
    struct = about.get("struct")
    fields = tuple(sorted(dict(field.pairs)[Atom("field")].name for field in struct)) if isinstance(struct, list) else None
    attributes = [item[0] for item in about.get("attributes") or []]
    return Source(functions, _calls_of(functions), {}, frozenset(), fields, Atom("on_load") in attributes, frozenset(trivial))


def _tree(term: t.Any) -> t.Any:
    """The tree without what it says of places, and with text for atoms; a tuple of three is a node."""
    if isinstance(term, Atom):
        return term.name
    if isinstance(term, list):
        return [_tree(element) for element in term]
    if isinstance(term, tuple):
        return (_tree(term[0]), None, _tree(term[2])) if len(term) == 3 and isinstance(term[1], list) else tuple(_tree(element) for element in term)
    return term
