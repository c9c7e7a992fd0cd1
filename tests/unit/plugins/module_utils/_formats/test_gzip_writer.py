# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fragments are inflated by gzip, and have the same bytes whatever the number of threads, and however their content comes."""

from __future__ import annotations

import gzip
import io
import random
import typing as t
import zlib

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_writer import (
    BATCH,
    BLOCK_SIZE,
    FAST,
    SMALL,
    Fragment,
    Workers,
    crc32_combine,
    fragment_key,
    gzip_parts,
    make_fragment,
)
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_writer import Piece

RANDOM = random.Random(1)


def text(size: int) -> bytes:
    words = [b"application", b"kernel", b"stdlib", b"\0\1\2", b"supervisor "]
    return b"".join(RANDOM.choice(words) for _number in range(size // 6))[:size]


def noise(size: int) -> bytes:
    return bytes(RANDOM.getrandbits(8) for _number in range(size))


def fragment_of(*contents: bytes, stored: t.Sequence[int] = (), threads: int = 1, level: int = FAST) -> Fragment:
    """Of these contents one after the other; those with these numbers are compressed already."""
    return make_fragment([Piece(content, number in stored) for number, content in enumerate(contents)], Workers(threads), level=level).load()


def deflated(fragment: Fragment) -> bytes:
    return b"".join(fragment.parts)


SIZES = [0, 1, 511, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 3 * BLOCK_SIZE + 7]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("level", [FAST, SMALL])
def test_fragments_are_one_gzip_file(size, level):
    contents = [text(size), noise(70000), b"", text(200000)]
    fragments = [fragment_of(content, threads=2, level=level) for content in contents]
    packed = b"".join(gzip_parts(fragments))
    inflater = zlib.decompressobj(31)
    assert inflater.decompress(packed) == b"".join(contents)
    assert inflater.eof and not inflater.unused_data
    assert gzip.decompress(packed) == b"".join(contents)


def test_a_fragment_refers_to_nothing_before_it():
    content = text(300000)
    fragment = fragment_of(content)
    assert zlib.decompressobj(-15).decompress(deflated(fragment)) == content
    assert gzip.decompress(b"".join(gzip_parts([fragment, fragment, fragment]))) == 3 * content


@pytest.mark.parametrize("size", [5, 65535, 65536, 200000])
def test_what_is_compressed_already_is_stored(size):
    stored = noise(size)
    contents = [text(1000), stored, text(1000), stored]
    fragment = fragment_of(*contents, stored=(1, 3))
    assert zlib.decompressobj(-15).decompress(deflated(fragment)) == b"".join(contents)
    assert stored[:5] in deflated(fragment)


def test_bytes_do_not_depend_on_the_number_of_threads():
    contents = text(900000), noise(5000), text(100000)
    assert len({deflated(fragment_of(*contents, stored=(1,), threads=threads)) for threads in (1, 2, 7)}) == 1


@pytest.mark.parametrize("size", [1000, 65535, BLOCK_SIZE, 3 * BLOCK_SIZE + 1])
def test_bytes_do_not_depend_on_the_pieces_that_the_content_comes_in(size):
    contents = [(text(900001), False), (noise(200000), True), (text(BLOCK_SIZE), False)]
    pieces = [Piece(content[at : at + size], is_deflated) for content, is_deflated in contents for at in range(0, len(content), size)]
    divided = make_fragment(pieces, Workers(), level=FAST).load()
    whole = fragment_of(*(content for content, dummy in contents), stored=(1,))
    assert deflated(divided) == deflated(whole) and (divided.size, divided.crc) == (whole.size, whole.crc)


def test_no_more_than_a_batch_is_in_memory():
    taken = []

    def pieces():
        for number in range(3 * BATCH):
            taken.append(number)
            yield Piece(bytes(BLOCK_SIZE))

    parts = iter(make_fragment(pieces(), Workers(), level=FAST).parts)
    next(parts)
    assert len(taken) == BATCH


def test_compression_across_blocks_is_as_good_as_in_one():
    content = noise(20000) * 20
    assert len(deflated(fragment_of(content, threads=2, level=SMALL))) < 1.05 * len(zlib.compress(content, SMALL))


@pytest.mark.parametrize(("first", "second"), [(b"", b""), (b"a", b""), (b"", b"b"), (b"abc", bytes(100000)), (text(5000), noise(70001))])
def test_crc32_combine(first, second):
    assert crc32_combine(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


@pytest.mark.parametrize("parts", [[], [b"a\nb\n"], [bytes(3 << 20), b"end"]])
def test_pack_and_unpack(parts):
    fragment = Fragment(parts, 7 << 40, 2**32 - 1)
    file = io.BytesIO(b"before" + b"".join([*parts, fragment.sums()]))
    file.seek(6)
    again = Fragment.unpack(file)
    assert (deflated(again), again.size, again.crc) == (b"".join(parts), fragment.size, fragment.crc)
    assert file.closed


def test_keys_differ_by_content_level_and_treatment():
    keys = [
        fragment_key([b"ab"], level=FAST, treatment=""),
        fragment_key([b"ac"], level=FAST, treatment=""),
        fragment_key([b"ab"], level=SMALL, treatment=""),
        fragment_key([b"ab"], level=FAST, treatment="strip"),
    ]
    assert len(set(keys)) == 4
    assert fragment_key([b"a", b"b"], level=FAST, treatment="") == keys[0]


def test_workers_keep_the_order_and_pass_errors_on():
    assert Workers(3).map(lambda number: number * number, range(50)) == [number * number for number in range(50)]
    assert Workers(3).map(len, []) == []
    with pytest.raises(ZeroDivisionError):
        Workers(3).map(lambda number: 1 // number, [1, 2, 0, 3])
    assert [*Workers(3).in_order(lambda number: number * number, iter(range(3 * BATCH + 1)))] == [number * number for number in range(3 * BATCH + 1)]
    with pytest.raises(ZeroDivisionError):
        [*Workers(3).in_order(lambda number: 1 // number, [1, 2, 0, 3])]
