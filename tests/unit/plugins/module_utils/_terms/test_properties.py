# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Properties of terms that hold for all of them."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import consult_bytes, format_term, format_terms, parse, parse_one
from ansible_collections.erlang.otp.plugins.module_utils._terms.plain_data import from_term, to_term
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import TermError, identity
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._terms.terms_strategy import terms


@given(terms, st.integers(1, 200))
def test_what_is_printed_is_read_back(term, width):
    assert identity(parse_one(format_term(term, width=width))) == identity(term)


@given(st.lists(terms, max_size=4))
def test_a_file_is_read_back(several):
    assert [identity(term) for term in consult_bytes(format_terms(several), filename="file")] == [identity(term) for term in several]


@given(terms)
def test_data_of_a_term_makes_that_term_even_by_way_of_json(term):
    data = json.loads(json.dumps(from_term(term)))
    assert identity(to_term(data)) == identity(term)


@given(st.text("a1.\"'\\~$<>[]{}()#|,:=/-_%\n sBx\xe9", max_size=30))
def test_any_text_is_terms_or_an_error_with_its_place(text):
    try:
        parse(text)
    except TermError as error:
        lines = text.split("\n")
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1


@given(st.binary(max_size=40))
def test_any_content_of_a_file_is_terms_or_an_error(data):
    try:
        consult_bytes(data, filename="file")
    except TermError as error:
        assert error.filename == "file"
