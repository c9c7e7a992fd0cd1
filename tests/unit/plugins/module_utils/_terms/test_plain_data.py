# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Terms as plain data, and data as terms."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import cleaned
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import format_term
from ansible_collections.erlang.otp.plugins.module_utils._terms.plain_data import from_term, latin1_strings, to_term
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, Bits, ExternalFun, ImproperList, Map, TermError, identity

BOTH_WAYS = [
    (True, Atom("true")),
    (False, Atom("false")),
    (None, Atom("undefined")),
    (1, 1),
    (1.5, 1.5),
    ("text", "text"),
    ([], []),
    ([1, "a"], [1, "a"]),
    ({"kernel": {"logger_level": {"$atom": "info"}}}, [(Atom("kernel"), [(Atom("logger_level"), Atom("info"))])]),
    ({"$tuple": []}, ()),
    ({"$tuple": [1, {"a": 1}]}, (1, [(Atom("a"), 1)])),
    ({"$binary": "é"}, "é".encode()),
    ({"$map": [["a", 1], [{"$atom": "b"}, []]]}, Map([("a", 1), (Atom("b"), [])])),
    ({"$map": []}, Map([])),
    ({"$term": "<<255>>"}, b"\xff"),
    ({"$term": "<<1:3>>"}, Bits(b"\x20", 3)),
    ({"$term": "[1|2]"}, ImproperList([1], 2)),
    ({"$term": "fun m:f/1"}, ExternalFun("m", "f", 1)),
    # What a mapping cannot say, or would say of something else.
    ([{"$tuple": [{"$atom": "a"}, 1]}, {"$tuple": [{"$atom": "a"}, 2]}], [(Atom("a"), 1), (Atom("a"), 2)]),
    ([{"$tuple": [{"$atom": "$atom"}, "x"]}], [(Atom("$atom"), "x")]),
    ([{"$tuple": ["a", 1]}], [("a", 1)]),
    ({"$atom": "x", "b": 1}, [(Atom("$atom"), "x"), (Atom("b"), 1)]),
]


@pytest.mark.parametrize("data, term", BOTH_WAYS)
def test_both_ways(data, term):
    assert identity(to_term(data)) == identity(term)
    assert repr(from_term(term)) == repr(data)


@pytest.mark.parametrize(
    "data, text",
    [
        ({}, "[]"),
        ((1, 2), "[1,2]"),
        ({"$term": "{10,77,0,2}"}, "{10,77,0,2}"),
        ({"$term": " [a, 'B'] . "}, "[a,'B']"),
        ({"a b": 1}, "[{'a b',1}]"),
        ([True, None], "[true,undefined]"),
    ],
)
def test_data_in_other_forms(data, text):
    assert format_term(to_term(data)) == text


def test_subclasses_as_ansible_hands_them_over():
    class Tagged(str):
        pass

    class Number(int):
        pass

    term = to_term({Tagged("a"): [Tagged("b"), Number(1)]})
    assert format_term(term) == '[{a,["b",1]}]'
    assert term[0][1][0].__class__ is str


@pytest.mark.parametrize(
    "data, message",
    [
        ({"$atom": 1}, r"\$atom needs a string; found 1"),
        ({"$tuple": "a"}, r"\$tuple needs a list"),
        ({"$map": [1]}, r"\$map needs a list of lists of a key and a value"),
        ({"$atmo": "a"}, r"\$atmo is not one of \$atom, \$tuple, \$binary, \$map, \$term"),
        ({"$term": "{a"}, r"^\$term, line 1, column 3: expected , or }; found the end of the text"),
        ({1: 2}, "a key of a mapping is an atom"),
        (datetime.date(2030, 1, 1), "a date has no Erlang term"),
        (object(), "a object has no Erlang term"),
    ],
)
def test_data_without_a_term(data, message):
    with pytest.raises(TermError, match=message):
        to_term(data)


def test_deep_data():
    data: list = []
    data.append(data)
    with pytest.raises(TermError, match="nested deeper than 200"):
        to_term(data)
    with pytest.raises(TermError, match="nested deeper than 200"):
        from_term(data)


ESCAPES = "\x1b[2J\x9b2J\x7f\u202e\r"


@pytest.mark.parametrize("term", [ESCAPES, Atom(ESCAPES), ESCAPES.encode(), [(Atom(ESCAPES), 1)], (ESCAPES,)])
def test_what_moves_a_cursor_is_escaped_and_still_the_same_term(term):
    data = from_term(term)
    assert cleaned(data) == data
    assert to_term(data) == term


def test_lines_of_text_are_text():
    assert from_term("one\n\ttwo\n") == "one\n\ttwo\n"


def test_strings_beyond_latin_1_may_be_numbers():
    term = (Atom("α"), "ÿ", [Map([("α", ImproperList(["β"], "ÿα"))])], b"\xce\xb1", 1)
    expected = (Atom("α"), "ÿ", [Map([([945], ImproperList([[946]], [255, 945]))])], b"\xce\xb1", 1)
    assert repr(latin1_strings(term)) == repr(expected)
