# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Terms as users write them, and patterns."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import parse_one
from ansible_collections.erlang.otp.plugins.module_utils._terms.patterns import as_pattern, as_term, matches
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, TermError, identity


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ok", "ok"),
        ('"ok"', '"ok"'),
        ("{ok,[1,2.0]}", "{ok,[1,2.0]}"),
        (5, "5"),
        (True, "true"),
        ({"$binary": "ok"}, '<<"ok">>'),
        (["a", {"$atom": "b"}], '["a",b]'),
        ({"a": 1, "b": 2}, "[{a,1},{b,2}]"),
    ],
)
def test_terms(value, text):
    assert identity(as_term(value, name="x")) == identity(parse_one(text))


@pytest.mark.parametrize("value", ["{", "Variable", "", {"$atom": 1}])
def test_no_terms(value):
    with pytest.raises(TermError):
        as_term(value, name="arguments[0]")


def test_the_option_is_named():
    with pytest.raises(TermError, match=r"arguments\[0\], line 1, column 2"):
        as_term("{", name="arguments[0]")


MATCHES = [
    ("_", "{a,[b]}"),
    ("ok", "ok"),
    ("{ok,_}", "{ok,5}"),
    ("{_,_}", "{ok,5}"),
    ("{ok, _ , 3}", "{ok,{},3}"),
    ("[1,_|_]", "[1,2,3]"),
    ("[1,_|_]", "[1,2]"),
    ("[1|_]", "[1,2|3]"),
    ("[1|2]", "[1|2]"),
    ("[97,_]", '"ab"'),
    ("[97|_]", '"ab"'),
    ('"ab"', "[97,98]"),
    ("#{a=>_}", "#{a=>1,b=>2}"),
    ("#{a=>{_,2}}", "#{b=>2,a=>{1,2}}"),
    ("'_'", "5"),
    ("{\"_\",$_,'a_',b_}", '{"_",$_,a_,b_}'),
    ('{"\\"_", _} % and _\n', '{"\\"_",1}'),
    ('<<"_">>', '<<"_">>'),
]


@pytest.mark.parametrize(("pattern", "term"), MATCHES)
def test_matches(pattern, term):
    assert matches(as_pattern(pattern, name="expect"), parse_one(term))


@pytest.mark.parametrize(
    ("pattern", "term"),
    [
        ("ok", "error"),
        ("1", "1.0"),
        ("ok", '"ok"'),
        ("{ok,_}", "{ok,1,2}"),
        ("{ok,_}", "[ok,1]"),
        ("[_]", "[]"),
        ("[_,_]", "[1]"),
        ("[1|_]", "[2]"),
        ("[1|_]", "[]"),
        ("[1|_]", "ok"),
        ("[1|2]", "[1,2]"),
        ("#{a=>1}", "#{a=>2}"),
        ("#{a=>1}", "#{b=>1}"),
        ("#{}", "[]"),
        ("b_", "b"),
        ('"_"', '"a"'),
    ],
)
def test_does_not_match(pattern, term):
    assert not matches(as_pattern(pattern, name="expect"), parse_one(term))


def test_expected_data():
    assert matches(as_pattern(True, name="expect"), Atom("true"))
    assert not matches(as_pattern(1, name="expect"), Atom("true"))
