# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The external term format, byte by byte. Neither the memory nor the time that few bytes take is without a limit."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
import zlib

import pytest
from hypothesis import given

from ansible_collections.erlang.otp.plugins.module_utils._terms import etf_decoder as _etf
from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import EtfError, EtfTimeout, decode, decode_at, encode
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import format_term
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import MAX_DEPTH, Atom, Bits, ExternalFun, ImproperList, Map, Opaque, TermError, identity
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._terms.terms_strategy import terms

A = b"w\x01a"
NODE = b"w\x03n@h"
FUN = NODE + struct.pack(">III", 7, 0, 1)
FUN = b"w\x01m" + b"a\x05" + b"b" + struct.pack(">i", 77) + b"X" + FUN + b"a\x01" + b"j"
FUN = b"p" + struct.pack(">I", 4 + 25 + len(FUN)) + b"\x01" + bytes(16) + struct.pack(">II", 5, 2) + FUN

# Each as term_to_binary/1 makes it, and the term: both ways.
BOTH_WAYS = [
    (b"a\x00", 0),
    (b"a\xff", 255),
    (b"b\x00\x00\x01\x00", 256),
    (b"b\xff\xff\xff\xff", -1),
    (b"b\x80\x00\x00\x00", -(1 << 31)),
    (b"n\x04\x00\x00\x00\x00\x80", 1 << 31),
    (b"n\x04\x01\x01\x00\x00\x80", -(1 << 31) - 1),
    (b"n\xff\x00" + bytes(254) + b"\x01", 1 << 2032),
    (b"o\x00\x00\x01\x00\x01" + bytes(255) + b"\x01", -(1 << 2040)),
    (b"F\x3f\xf8\x00\x00\x00\x00\x00\x00", 1.5),
    (b"F\x80\x00\x00\x00\x00\x00\x00\x00", -0.0),
    (b"w\x00", Atom("")),
    (b"w\x02ok", Atom("ok")),
    (b"w\x04\xce\xa9\xce\xbc", Atom("Ωμ")),
    (b"v\x01\x00" + "é".encode() * 128, Atom("é" * 128)),
    (b"h\x00", ()),
    (b"h\x02" + A + b"h\x01a\x01", (Atom("a"), (1,))),
    (b"i\x00\x00\x01\x00" + b"a\x01" * 256, (1,) * 256),
    (b"j", []),
    (b"k\x00\x03abc", "abc"),
    (b"k\x00\x03a\n\xff", "a\nÿ"),
    (b"l\x00\x00\x00\x02b\x00\x00\x03\xa9a\x41j", "ΩA"),
    (b"l\x00\x00\x00\x01" + A + b"j", [Atom("a")]),
    (b"l\x00\x00\x00\x01" + A + b"w\x01b", ImproperList([Atom("a")], Atom("b"))),
    (b"m\x00\x00\x00\x00", b""),
    (b"m\x00\x00\x00\x03\x00\xffa", b"\x00\xffa"),
    (b"M\x00\x00\x00\x01\x03\xa0", Bits(b"\xa0", 3)),
    (b"M\x00\x00\x00\x02\x07\xff\xfe", Bits(b"\xff\xfe", 15)),
    (b"t\x00\x00\x00\x00", Map([])),
    (b"t\x00\x00\x00\x02" + A + b"a\x01a\x02j", Map([(Atom("a"), 1), (2, [])])),
    (b"qw\x05listsw\x03mapa\x02", ExternalFun("lists", "map", 2)),
    (b"X" + NODE + struct.pack(">III", 93, 1, 7), Opaque("<n@h.93.1>", b"X" + NODE + struct.pack(">III", 93, 1, 7))),
    (b"x" + NODE + struct.pack(">QI", 1 << 40, 7), Opaque("#Port<n@h.1099511627776>", b"x" + NODE + struct.pack(">QI", 1 << 40, 7))),
    (b"Z\x00\x03" + NODE + struct.pack(">IIII", 7, 1, 2, 3), Opaque("#Ref<n@h.3.2.1>", b"Z\x00\x03" + NODE + struct.pack(">IIII", 7, 1, 2, 3))),
    (FUN, Opaque("#Fun<m.5.77>", FUN)),
]
# Other forms that nodes send, or used to.
ONE_WAY = [
    (b"d\x00\x02ok", Atom("ok")),
    (b"s\x01\xe9", Atom("é")),
    (b"v\x00\x02ok", Atom("ok")),
    (b"d\x00\xff" + b"\xe9" * 255, Atom("é" * 255)),
    (b"c1.50000000000000000000e+00\0\0\0\0\0", 1.5),
    (b"k\x00\x02\x01\x02", [1, 2]),
    (b"k\x00\x00", []),
    (b"l\x00\x00\x00\x00j", []),
    (b"l\x00\x00\x00\x00" + A, Atom("a")),
    (b"l\x00\x00\x00\x01a\x61k\x00\x01b", "ab"),
    (b"l\x00\x00\x00\x01a\x01k\x00\x01b", [1, 98]),
    (b"l\x00\x00\x00\x01a\x01l\x00\x00\x00\x01a\x02" + A, ImproperList([1, 2], Atom("a"))),
    (b"l\x00\x00\x00\x01b\x00\x00\xd8\x00j", [0xD800]),
    (b"l\x00\x00\x00\x02a\x61b\xff\xff\xff\xffj", [97, -1]),
    (b"l\x00\x00\x00\x03a\x61" + A + b"a\x61j", [97, Atom("a"), 97]),
    (b"n\x00\x00", 0),
    (b"n\x01\x01\x05", -5),
    (b"M\x00\x00\x00\x02\x08ab", b"ab"),
    (b"M\x00\x00\x00\x01\x03\xbf", Bits(b"\xa0", 3)),
    (b"g" + NODE + b"\0\0\0\x5d\0\0\0\x01\x07", Opaque("<n@h.93.1>", b"g" + NODE + b"\0\0\0\x5d\0\0\0\x01\x07")),
    (b"f" + NODE + b"\0\0\0\x05\x07", Opaque("#Port<n@h.5>", b"f" + NODE + b"\0\0\0\x05\x07")),
    (b"Y" + NODE + b"\0\0\0\x05\0\0\0\x07", Opaque("#Port<n@h.5>", b"Y" + NODE + b"\0\0\0\x05\0\0\0\x07")),
    (b"e" + NODE + b"\0\0\0\x05\x07", Opaque("#Ref<n@h.5>", b"e" + NODE + b"\0\0\0\x05\x07")),
    (b"r\x00\x01" + NODE + b"\x07\0\0\0\x05", Opaque("#Ref<n@h.5>", b"r\x00\x01" + NODE + b"\x07\0\0\0\x05")),
    (b"P\x00\x00\x00\x05" + zlib.compress(b"k\x00\x02ab"), "ab"),
]
MALFORMED = [
    b"",
    b"\x82a\x01",
    b"\x83",
    b"\x83a",
    b"\x83a\x01a",
    b"\x83\x00",
    b"\x83R\x00",  # a reference to an atom cache, which we never agree upon
    b"\x83b\x00\x00\x00",
    b"\x83w\x05ab",
    b"\x83w\x01\xff",
    b"\x83v\x01\x00" + b"a" * 256,
    b"\x83F\x7f\xf0\x00\x00\x00\x00\x00\x00",
    b"\x83F\x7f\xf8\x00\x00\x00\x00\x00\x01",
    b"\x83cnan" + bytes(28),
    b"\x83c" + b"x" * 31,
    b"\x83c" + b"\xff" * 31,
    b"\x83h\x02a\x01",
    b"\x83i\xff\xff\xff\xffa\x01",
    b"\x83l\xff\xff\xff\xffa\x01j",
    b"\x83l\x00\x00\x00\x01a\x01",
    b"\x83k\xff\xffab",
    b"\x83m\xff\xff\xff\xffab",
    b"\x83M\x00\x00\x00\x00\x03",
    b"\x83M\x00\x00\x00\x01\x00a",
    b"\x83M\x00\x00\x00\x01\x09a",
    b"\x83o\xff\xff\xff\xff\x00a",
    b"\x83n\x05\x00a",
    b"\x83t\xff\xff\xff\xffa\x01",
    b"\x83t\x00\x00\x00\x01a\x01",
    b"\x83qa\x01w\x03mapa\x02",
    b"\x83qw\x05listsw\x03mapw\x01a",
    b"\x83X" + NODE + bytes(11),
    b"\x83Xa\x01" + bytes(12),
    b"\x83Z\xff\xff" + NODE + bytes(12),
    b"\x83" + FUN[:-1],
    b"\x83" + FUN + b"a\x01",
    b"\x83p\x00\x00\x00\x05" + FUN[5:],
    b"\x83P\xff\xff\xff\xff" + zlib.compress(b"j"),
    b"\x83P\x00\x00\x00\x02" + zlib.compress(b"j"),
    b"\x83P\x00\x00\x00\x01" + zlib.compress(b"jj"),
    b"\x83P\x00\x00\x00\x02" + zlib.compress(b"jj"),
    b"\x83P\x00\x00\x00\x01" + zlib.compress(b"j")[:-1],
    b"\x83P\x00\x00\x00\x01" + zlib.compress(b"j") + b"x",
    b"\x83P\x00\x00\x00\x01xyz",
]


@pytest.mark.parametrize(("external", "term"), BOTH_WAYS)
def test_both_ways(external, term):
    assert encode(term) == b"\x83" + external
    assert identity(decode(b"\x83" + external)) == identity(term)
    assert type(decode(b"\x83" + external)) is type(term)


@pytest.mark.parametrize(("external", "term"), ONE_WAY)
def test_read(external, term):
    assert identity(decode(b"\x83" + external)) == identity(term)
    assert type(decode(b"\x83" + external)) is type(term)


@pytest.mark.parametrize("external", MALFORMED)
def test_malformed(external):
    with pytest.raises(EtfError):
        decode(external)


@pytest.mark.parametrize("term", [None, True, {}, object(), float("inf"), float("nan"), Atom("a" * 256), Atom("\ud800"), [1, {}], Map([(1, 2), (1, 3)])])
def test_no_terms(term):
    with pytest.raises(TermError):
        encode(term)


@given(terms)
def test_any_term(term):
    assert identity(decode(encode(term))) == identity(term)
    if isinstance(term, (list, str)) and len(term) > 1:
        with pytest.raises(EtfError):
            decode(encode(term)[:-1])


def test_what_is_opaque_is_shown_and_sent_back():
    term = decode(b"\x83h\x02X" + NODE + struct.pack(">III", 93, 1, 7) + FUN)
    assert format_term(term) == "{<n@h.93.1>,#Fun<m.5.77>}"
    assert encode(term) == b"\x83h\x02X" + NODE + struct.pack(">III", 93, 1, 7) + FUN


def test_a_list_that_is_read_as_a_string_is_as_the_shell_shows_it():
    assert decode(encode([27, 9, 10, 160, 255, 0x3A9])) == "\x1b\t\n\xa0ÿΩ"
    # io_lib:printable_latin1_list/1
    printable = [*range(8, 14), 27, *range(32, 127), *range(160, 256)]
    assert [code for code in range(256) if isinstance(decode(encode([code])), str)] == printable
    assert decode(encode([1000, 127])) == [1000, 127]
    assert decode(encode([32, 0])) == [32, 0]


def test_terms_one_after_the_other():
    data = encode(Atom("a")) + encode([1])
    assert decode_at(data, 0) == (Atom("a"), 4)
    assert identity(decode_at(data, 4)[0]) == identity([1])


@pytest.mark.parametrize("opening", [b"h\x01", b"l\x00\x00\x00\x01", b"t\x00\x00\x00\x01a\x01", b"X", b"q"])
def test_depth(opening):
    with pytest.raises(EtfError):
        decode(b"\x83" + opening * 100_000 + b"j" * 100_000)


def test_depth_that_is_allowed_can_be_printed():
    term = decode(b"\x83" + b"h\x01" * (MAX_DEPTH - 1) + b"j")
    assert format_term(term, width=1000) == "{" * (MAX_DEPTH - 1) + "[]" + "}" * (MAX_DEPTH - 1)
    nested: list = []
    for _level in range(MAX_DEPTH + 1):
        nested = [nested]
    with pytest.raises(TermError):
        encode(nested)


def test_a_small_term_that_says_it_is_large_when_inflated(monkeypatch):
    monkeypatch.setattr(_etf, "MAX_SIZE", 1_000_000)
    bomb = zlib.compress(b"m" + struct.pack(">I", 50_000_000) + bytes(50_000_000))
    tracemalloc.start()
    for announced in (1000, 1_000_000, 50_000_005):
        with pytest.raises(EtfError):
            decode(b"\x83P" + struct.pack(">I", announced) + bomb)
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


def mutated(random_: random.Random, data: bytes) -> bytes:
    """The data with some of its bytes changed, doubled, taken away or cut."""
    changed = bytearray(data)
    for _time in range(random_.randint(1, 4)):
        position = random_.randrange(len(changed) + 1)
        how = random_.randrange(4)
        if how == 0:
            changed[position : position + 1] = bytes((random_.randrange(256),))
        elif how == 1:
            changed[position:position] = changed[position : position + random_.randrange(8)]
        elif how == 2:
            del changed[position : position + random_.randrange(1, 8)]
        else:
            changed[position : position + 4] = b"\xff\xff\xff\xff"
    return bytes(changed)


def test_10000_random_and_mutated_inputs():
    """A term or one EtfError, and never much memory."""
    random_ = random.Random(20)
    seeds = [b"\x83" + external for external, _term in BOTH_WAYS + ONE_WAY]
    seeds.append(encode((Atom("a"), [term for _external, term in BOTH_WAYS])))
    outcomes = {"term": 0, "error": 0}
    tracemalloc.start()
    for number in range(10_000):
        data = b"\x83" + bytes(random_.randrange(256) for _byte in range(random_.randrange(80))) if number % 2 else mutated(random_, random_.choice(seeds))
        try:
            decode(data)
            outcomes["term"] += 1
        except EtfError:
            outcomes["error"] += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
    assert min(outcomes.values()) > 100


def compressed(content):
    return b"\x83P" + len(content).to_bytes(4, "big") + zlib.compress(content)


def list_of(element, count):
    return b"l" + count.to_bytes(4, "big") + element * count + b"j"


@pytest.mark.parametrize(
    "content",
    [
        list_of(b"j", 1 << 20),
        list_of(b"j", 15_000),
        list_of(b"k\0\0", 1 << 20),
        list_of(b"a\0", 1 << 20),
        list_of(b"w\0", 1 << 20),
        list_of(b"h\1j", 1 << 20),
        (b"l" + (1).to_bytes(4, "big") + b"aa") * 190 + list_of(b"aa", 4_000),
        (b"l" + (1).to_bytes(4, "big") + b"j") * 190 + list_of(b"j", 4_000),
        list_of(b"k\xff\xff" + bytes(65535), 100),
    ],
    ids=["empty lists", "fewer empty lists", "empty strings", "numbers", "atoms", "tuples", "strings as tails", "lists as tails", "lists of bytes"],
)
def test_few_bytes_that_would_fill_the_memory(content, monkeypatch):
    """At the real limit, a hundred times as many terms, a hundred times as much memory is taken."""
    monkeypatch.setattr(_etf, "MAX_TERMS", 10_000)
    data = compressed(content)
    tracemalloc.start()
    try:
        with pytest.raises(EtfError, match="more than 10000 terms"):
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < 2 * len(content) + (3 << 20)
    finally:
        tracemalloc.stop()


def test_decoding_ends_at_the_deadline():
    data = b"\x83l" + (500_000).to_bytes(4, "big") + b"j" * 500_001
    assert len(decode(data)) == 500_000
    with pytest.raises(EtfTimeout):
        decode(data, deadline=time.monotonic() - 1)


def test_a_local_fun_whose_number_is_none():
    """The number is part of the text of a fun, and Python takes hours to write this one, or refuses."""
    number = b"o" + struct.pack(">I", 100_000) + b"\0" + b"\xff" * 100_000
    content = b"w\x01m" + b"a\x05" + number + b"X" + NODE + struct.pack(">III", 7, 0, 1)
    fun = b"p" + struct.pack(">I", 4 + 25 + len(content)) + b"\x01" + bytes(16) + struct.pack(">II", 5, 0) + content
    with pytest.raises(EtfError, match="a fun"):
        decode(b"\x83" + fun)
