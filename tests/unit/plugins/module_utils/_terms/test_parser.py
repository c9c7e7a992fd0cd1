# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Erlang terms as text: tables of what file:consult/1 takes and refuses, printing, limits."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import as_text, consult_bytes, format_term, format_terms, parse, parse_one
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import MAX_DEPTH, Atom, Bits, ExternalFun, ImproperList, Map, TermError, identity
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._terms.terms_invalid import INVALID, INVALID_FILES
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._terms.terms_valid import FILES, VALID, VALID_27, VALID_28


@pytest.mark.parametrize("text, terms", VALID + VALID_27 + VALID_28)
def test_valid(text, terms):
    found = parse(text)
    # Python's == is too lenient with numbers, repr is not.
    assert repr(found) == repr(terms)
    assert found == terms


@pytest.mark.parametrize("text, terms", VALID + VALID_27 + VALID_28)
@pytest.mark.parametrize("width", [1, 20, 80])
def test_printed_and_read_back(text, terms, width):
    for term in terms:
        assert identity(parse_one(format_term(term, width=width))) == identity(term)


@pytest.mark.parametrize("data, terms", FILES)
def test_coding(data, terms):
    assert consult_bytes(data, filename="file") == terms


@pytest.mark.parametrize("text, line, column, reason", INVALID)
def test_invalid(text, line, column, reason):
    with pytest.raises(TermError) as caught:
        parse(text, filename="some.config", portable=True)
    error = caught.value
    assert (error.filename, error.line, error.column, error.reason) == ("some.config", line, column, reason)
    assert str(error).startswith(f"some.config, line {line}, column {column}: {reason}")


@pytest.mark.parametrize("data", INVALID_FILES)
def test_invalid_coding(data):
    with pytest.raises(TermError):
        consult_bytes(data, filename="file")


def test_invalid_utf8_has_its_place_and_the_way_out():
    with pytest.raises(TermError, match=r"^file, line 2, column 3: expected UTF-8 \(.*coding: latin-1\); found the byte 0xe9$"):
        consult_bytes('a.\n"é'.encode() + b'\xe9".', filename="file")


def test_one_term():
    assert parse_one("{a,1}") == parse_one(" {a,1}. % done") == (Atom("a"), 1)
    for text in ("", "a. b.", "a b"):
        with pytest.raises(TermError):
            parse_one(text)


def test_words_that_27_reserves():
    assert parse("{maybe,else}.") == [(Atom("maybe"), Atom("else"))]
    with pytest.raises(TermError, match="quotes"):
        parse("{maybe,else}.", portable=True)


def test_error_names_what_was_found():
    with pytest.raises(TermError, match="^sys.config, line 3, column 1: expected , or }; found ]$"):
        parse("[{kernel,\n [{a,1}]\n].", filename="sys.config")


# Terms as values


def test_values_differ_by_kind():
    values = [Atom("a"), "a", b"a", (Atom("a"),), [Atom("a")], 1, 1.0, Bits(b"\x80", 1), Bits(b"\x80", 2), Map([]), ExternalFun("m", "f", 1)]
    assert len({identity(value) for value in values}) == len(values)
    assert Atom("a") != "a" and Atom("true") not in (True, "true")
    assert identity([1]) != identity([1.0]) != identity([-0.0])
    assert identity("") == identity([]) and identity("ab") == identity([97, 98])


def test_maps_are_equal_in_any_order_and_by_kind():
    one, other = Map([(Atom("a"), [1]), (1, "x")]), Map([(1, "x"), (Atom("a"), [1])])
    assert one == other and hash(one) == hash(other)
    assert Map([(1, 2)]) != Map([(1.0, 2)]) != Map([(True, 2)])
    assert repr(one) == "Map(((Atom('a'), [1]), (1, 'x')))"


@pytest.mark.parametrize("term, text", [("", ""), ([], ""), ("é", "é"), ([97, 98], "ab")])
def test_as_text(term, text):
    assert as_text(term) == text


@pytest.mark.parametrize("term", [Atom("a"), 1, [Atom("a")], [-1], [0x110000], [1.5], b"a", ["a"]])
def test_as_text_refuses(term):
    with pytest.raises(TermError, match="is not a string$"):
        as_text(term)


# Printing


@pytest.mark.parametrize(
    "term, text",
    [
        (Atom("a@B_1"), "a@B_1"),
        (Atom(""), "''"),
        (Atom("Ab"), "'Ab'"),
        (Atom("maybe"), "'maybe'"),
        (Atom("it's"), r"'it\'s'"),
        (Atom("é"), "'é'"),
        ('say "a\\b"\n', r'"say \"a\\b\"\n"'),
        ("\x00\x1b\x7f\xa0\u202e", r'"\x{0}\e\d\x{A0}\x{202E}"'),
        ("'é😀", '"\'é😀"'),
        ("a\ufffe", "[97,65534]"),
        (b"", "<<>>"),
        (b'a"b', r'<<"a\"b">>'),
        ("é".encode(), '<<"é"/utf8>>'),
        (b"\xff\x00", "<<255,0>>"),
        (Bits(b"\x01\xa0", 11), "<<1,5:3>>"),
        (1.0, "1.0"),
        (1e22, "1.0e+22"),
        (1.5e-7, "1.5e-07"),
        (-0.0, "-0.0"),
        (ImproperList([1], Atom("a")), "[1|a]"),
        (Map([(Atom("a"), []), ("k", {})][:1]), "#{a => []}"),
        (ExternalFun("m", "F", 2), "fun m:'F'/2"),
        ((), "{}"),
    ],
)
def test_printed(term, text):
    assert format_term(term) == text


def test_lines_are_broken_between_elements():
    term = parse_one('[{kernel,[{logger_level,info},{net_ticktime,60}]},{empty,[]},{m,#{key => "a longer value", k => [a,b,c]}}]')
    assert format_term(term, width=1000) == format_term(term, width=110)
    assert format_term(term, width=30).split("\n") == [
        "[{kernel,",
        "  [{logger_level,info},",
        "   {net_ticktime,60}]},",
        " {empty,[]},",
        " {m,",
        '  #{key => "a longer value",',
        "    k => [a,b,c]}}]",
    ]
    assert format_term(term, width=22).split("\n")[5:8] == ["  #{key =>", '        "a longer value",', "    k => [a,b,c]}}]"]
    assert format_term([Atom(f"module_{number}") for number in range(6)], width=40) == ("[module_0,module_1,module_2,module_3,\n module_4,module_5]")


def test_a_file_says_its_coding():
    assert format_terms(["é", Atom("a")]) == '%% coding: utf-8\n"é".\na.\n'.encode()


@pytest.mark.parametrize("term", [float("inf"), float("nan"), True, None, object(), {}, Atom("a" * 256), Atom("\ufffe"), [1 << 20000], [[float("inf")]]])
def test_what_is_no_term_cannot_be_printed(term):
    with pytest.raises(TermError):
        format_term(term)


# Limits


def nested(opening: str, closing: str, depth: int) -> str:
    return opening * depth + closing * depth


@pytest.mark.parametrize("opening, closing", ["[]", "{}", ("(", "a)"), ("#{a=>", "a}"), ("[a|", "b]"), ("<<(", "1)>>"), ("- (", "1)")])
def test_deep_nesting_is_an_error_and_no_crash(opening, closing):
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(TermError):
            parse(opening * depth)
        with pytest.raises(TermError):
            parse(nested(opening, closing, depth) + ".")


def test_as_deep_as_promised():
    term = parse_one(nested("[", "]", MAX_DEPTH))
    assert format_term(term, width=1) == nested("[", "]", MAX_DEPTH)
    with pytest.raises(TermError, match="nested deeper than 200 levels"):
        format_term([term])
    with pytest.raises(TermError, match="nested deeper than 200 levels"):
        format_term([term] * 100)


def test_large_numbers():
    assert parse_one("9" * 4000) == int("9" * 4000)
    with pytest.raises(TermError, match="at most 4300 digits"):
        parse("9" * 5000)
    with pytest.raises(TermError, match="more than 8388608 bytes"):
        parse("<<0:999999999999>>.")
    with pytest.raises(TermError, match="more than 8388608 bytes"):
        parse('<<"aaaa":99999999/unit:256>>.')
    large = (1 << 16000) + 1
    assert parse_one(format_term(large)) == large


RELEASE = '{release,"my system","%d","15.2",[{kernel,"10.2","lib/kernel-10.2"},\n  {stdlib,"6.2","lib/stdlib-6.2"}],permanent}'


@pytest.mark.parametrize(
    "text",
    [
        lambda size: "[" + ",\n".join(RELEASE % number for number in range(size // 110)) + "].",
        lambda size: '"' + "a\\n" * (size // 3) + '".',
        lambda size: '"' + "a\\n" * (size // 3),
        lambda size: '"a"\n' * (size // 4) + ".",
        lambda size: "%\n" * (size // 2) + "a.",
        lambda size: " " * size,
        lambda size: '"""' + "\n " * (size // 2),
        lambda size: '"""\n' + "a\n" * (size // 2) + '""".',
        lambda size: "<<1:3" + ",1:3" * (size // 8) + ">>.",
        lambda size: "~s(" + "\\)" * (size // 2),
        lambda size: "[" + "~" * size,
        lambda size: "a" * size,
        lambda size: "1_" * (size // 2),
    ],
)
def test_time_grows_with_the_length(text):
    def seconds(size: int) -> float:
        content = text(size)
        best = float("inf")
        for _repetition in range(3):
            start = time.process_time()
            try:
                parse(content)
            except TermError:
                pass
            best = min(best, time.process_time() - start)
        return best

    small, large = seconds(25_000), seconds(200_000)
    # Eight times the length: 64 times the time, were it quadratic.
    assert large < 25 * max(small, 0.01)


def test_printing_grows_with_the_length():
    def seconds(count: int) -> float:
        term = [[(Atom("release"), str(number), [number] * 10)] for number in range(count)]
        start = time.process_time()
        format_terms([term])
        return time.process_time() - start

    small, large = min(seconds(500) for _repetition in range(3)), min(seconds(4000) for _repetition in range(3))
    assert large < 25 * max(small, 0.01)


@pytest.mark.parametrize(
    "text", ["[" + ",".join(["<<0:8000000>>"] * 1000) + "].", '<<"' + "x" * 10_000 + '":10000>>.', "<<" + ",".join(["0:8000000"] * 20) + ">>."]
)
def test_a_few_digits_do_not_fill_the_memory(text):
    tracemalloc.start()
    try:
        with pytest.raises(TermError, match="more than 8388608 bytes"):
            parse(text)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()
