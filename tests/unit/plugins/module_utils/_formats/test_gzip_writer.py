# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fragments are inflated by gzip, and have the same bytes whatever the number of threads."""

from __future__ import annotations

import gzip
import random
import zlib

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_writer import (
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
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_writer import TarBytes

RANDOM = random.Random(1)


def text(size: int) -> bytes:
    words = [b"application", b"kernel", b"stdlib", b"\0\1\2", b"supervisor "]
    return b"".join(RANDOM.choice(words) for _number in range(size // 6))[:size]


def noise(size: int) -> bytes:
    return bytes(RANDOM.getrandbits(8) for _number in range(size))


SIZES = [0, 1, 511, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 3 * BLOCK_SIZE + 7]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("level", [FAST, SMALL])
def test_fragments_are_one_gzip_file(size, level):
    contents = [text(size), noise(70000), b"", text(200000)]
    fragments = [make_fragment(TarBytes(content, []), Workers(2), level=level) for content in contents]
    packed = b"".join(gzip_parts(fragments))
    inflater = zlib.decompressobj(31)
    assert inflater.decompress(packed) == b"".join(contents)
    assert inflater.eof and not inflater.unused_data
    assert gzip.decompress(packed) == b"".join(contents)


def test_a_fragment_refers_to_nothing_before_it():
    content = text(300000)
    fragment = make_fragment(TarBytes(content, []), Workers(1), level=FAST)
    assert zlib.decompressobj(-15).decompress(fragment.deflated) == content
    first = Fragment(*fragment)
    assert gzip.decompress(b"".join(gzip_parts([first, fragment, first]))) == 3 * content


@pytest.mark.parametrize("size", [5, 65535, 65536, 200000])
def test_what_is_compressed_already_is_stored(size):
    stored = noise(size)
    content = text(1000) + stored + text(1000) + stored
    tar = TarBytes(content, [(1000, 1000 + size), (2000 + size, 2000 + 2 * size)])
    fragment = make_fragment(tar, Workers(1), level=FAST)
    assert zlib.decompressobj(-15).decompress(fragment.deflated) == content
    assert stored[:5] in fragment.deflated


def test_bytes_do_not_depend_on_the_number_of_threads():
    tar = TarBytes(text(900000) + noise(5000) + text(100000), [(900000, 905000)])
    assert len({make_fragment(tar, Workers(threads), level=FAST) for threads in (1, 2, 7)}) == 1


def test_compression_across_blocks_is_as_good_as_in_one():
    content = noise(20000) * 20
    assert len(make_fragment(TarBytes(content, []), Workers(2), level=SMALL).deflated) < 1.05 * len(zlib.compress(content, SMALL))


@pytest.mark.parametrize(("first", "second"), [(b"", b""), (b"a", b""), (b"", b"b"), (b"abc", bytes(100000)), (text(5000), noise(70001))])
def test_crc32_combine(first, second):
    assert crc32_combine(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


def test_pack_and_unpack():
    fragment = Fragment(b"a\nb\n", 7, 2**32 - 1)
    assert Fragment.unpack(fragment.pack()) == fragment


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
