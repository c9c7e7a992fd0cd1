# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gzip file put together from fragments that were compressed apart.

A fragment is a deflate stream (RFC 1951) that ends at a byte boundary and refers to nothing before it, so that a fragment
whose content has not changed can be used again. All of them together are ONE gzip member (RFC 1952): erl_tar reads the first
member of a file and no more. A fragment is made while it is written, so it may be of any size.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import struct
import threading
import typing as t
import zlib

from ansible_collections.erlang.otp.plugins.module_utils._formats.large_file import PIECE
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_writer import Piece

# Counts up when the same content is to be compressed to other bytes, or a packed fragment looks different.
KEY_FORMAT = 2
# Levels of zlib. SMALL takes twice the time of FAST for 1 % fewer bytes: worth it for stripped code.
FAST, SMALL = 4, 6
# Less memory means shorter blocks, each with its Huffman codes, which suits code better than the default, 8.
MEMORY_LEVEL = 7
BLOCK_SIZE = 128 * 1024
WINDOW = 32 * 1024
LARGEST_STORED_BLOCK = 65535
THREADS = 2
# Blocks in memory at a time: 8 MiB. More of them cost nothing but memory, fewer of them let threads wait for each other.
BATCH = 64

# No name, no time, no flags: nothing about where and when it was made. The last byte says that the system is unknown.
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
LAST_DEFLATE_BLOCK = b"\x03\x00"


class Fragment:
    """A compressed piece of the package: consecutive parts, to be taken once. Then it is known what the piece was: its length and CRC-32."""

    _SUMS = struct.Struct(">QI")

    def __init__(self, parts: t.Iterable[bytes] = (), size: int = 0, crc: int = 0) -> None:
        self.parts = parts
        self.size = size
        self.crc = crc

    def load(self) -> Fragment:
        """Have all parts in memory, to be taken more than once."""
        self.parts = [*self.parts]
        return self

    def sums(self) -> bytes:
        """What follows the parts in a packed fragment."""
        return self._SUMS.pack(self.size, self.crc)

    @classmethod
    def unpack(cls, file: t.BinaryIO) -> Fragment:
        """The fragment of which the file has the parts and the sums. It is closed after its last part was taken."""
        start = file.seek(0, os.SEEK_CUR)
        end = file.seek(0, os.SEEK_END) - cls._SUMS.size
        file.seek(end)
        sums = cls._SUMS.unpack(file.read())
        file.seek(start)
        return cls(_read(file, end - start), *sums)


def _read(file: t.BinaryIO, size: int) -> t.Iterator[bytes]:
    with file:
        while size > 0:
            part = file.read(min(PIECE, size))
            if not part:
                raise OSError("an entry of the cache became shorter while it was read")
            size -= len(part)
            yield part


def key_digest(*, level: int, treatment: str) -> t.Any:
    """A digest that becomes the key of the fragment once it has its content."""
    return hashlib.sha256(repr((KEY_FORMAT, zlib.ZLIB_RUNTIME_VERSION, level, treatment)).encode())


def fragment_key(parts: t.Iterable[bytes], *, level: int, treatment: str) -> str:
    """What the fragment's bytes depend on: the content, what is done to it, and how and by which zlib it is compressed."""
    digest = key_digest(level=level, treatment=treatment)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()  # type: ignore[no-any-return]


def make_fragment(pieces: t.Iterable[Piece], workers: Workers, *, level: int) -> Fragment:
    """Compress while the parts are taken; the blocks in parallel. The bytes depend neither on the number of workers nor on how the pieces are divided."""
    fragment = Fragment()

    def counted() -> t.Iterator[Piece]:
        for piece in pieces:
            fragment.size += len(piece.data)
            fragment.crc = zlib.crc32(piece.data, fragment.crc)
            yield piece

    fragment.parts = workers.in_order(lambda block: _store(block.data) if block.is_deflated else _deflate(block, level), _blocks(counted()))
    return fragment


class _Block(t.NamedTuple):
    """What is compressed or stored at a time, and the end of what comes before it: to that it may refer, as if they were one."""

    before: bytes
    data: bytes
    is_deflated: bool


def _blocks(pieces: t.Iterable[Piece]) -> t.Iterator[_Block]:
    """The pieces as blocks. What is compressed already is stored, which is faster and smaller, so it is in separate blocks."""
    before, data, is_deflated = b"", bytearray(), False

    def block(size: int) -> _Block:
        nonlocal before
        with memoryview(data) as view:
            made = _Block(before, bytes(view[:size]), is_deflated)
        del data[:size]
        before = made.data[-WINDOW:] if len(made.data) >= WINDOW else (before + made.data)[-WINDOW:]
        return made

    for piece in pieces:
        if piece.is_deflated != is_deflated:
            if data:
                yield block(len(data))
            is_deflated = piece.is_deflated
        data += piece.data
        size = 2 * LARGEST_STORED_BLOCK if is_deflated else BLOCK_SIZE
        while len(data) >= size:
            yield block(size)
    if data:
        yield block(len(data))


def _store(data: bytes) -> bytes:
    return b"".join(
        b"\x00%b%b%b" % (size.to_bytes(2, "little"), (size ^ 0xFFFF).to_bytes(2, "little"), data[at : at + size])
        for at in range(0, len(data), LARGEST_STORED_BLOCK)
        for size in [min(LARGEST_STORED_BLOCK, len(data) - at)]
    )


def _deflate(block: _Block, level: int) -> bytes:
    dictionary = [block.before] if block.before else []
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15, MEMORY_LEVEL, zlib.Z_DEFAULT_STRATEGY, *dictionary)
    return compressor.compress(block.data) + compressor.flush(zlib.Z_SYNC_FLUSH)


def gzip_parts(fragments: t.Iterable[Fragment]) -> t.Iterator[bytes]:
    """The gzip file as consecutive parts."""
    yield GZIP_HEADER
    size = crc = 0
    for fragment in fragments:
        yield from fragment.parts
        crc = crc32_combine(crc, fragment.crc, fragment.size)
        size += fragment.size
    yield LAST_DEFLATE_BLOCK + crc.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")


POLYNOMIAL = 0xEDB88320


def _multiply(a: int, b: int) -> int:
    """The product of two polynomials modulo CRC-32's, bits reflected: the highest bit is the coefficient of 1."""
    product = 0
    mask = 1 << 31
    while a:
        if a & mask:
            product ^= b
            a ^= mask
        mask >>= 1
        b = (b >> 1) ^ POLYNOMIAL if b & 1 else b >> 1
    return product


def _powers() -> list[int]:
    """x^8, x^16, x^32...: what appending 1, 2, 4... bytes multiplies by."""
    power = 1 << 23
    powers = []
    for _bit in range(48):
        powers.append(power)
        power = _multiply(power, power)
    return powers


POWERS = _powers()


def crc32_combine(first: int, second: int, length: int) -> int:
    """The CRC-32 of two pieces put together, from that of each and the length of the second in bytes."""
    for bit, power in enumerate(POWERS):
        if length >> bit & 1:
            first = _multiply(power, first)
    return first ^ second


class Workers:
    """Threads for work that lets go of Python's lock: reading, hashing, compressing."""

    def __init__(self, threads: int = THREADS) -> None:
        self.threads = threads

    def map(self, function: t.Callable[[t.Any], t.Any], items: t.Iterable[t.Any]) -> list[t.Any]:
        """function(item) of each, in the order of the items; the calling thread works as well. Raises what a call raised."""
        work = list(enumerate(items))
        results: list[t.Any] = [None] * len(work)
        work.reverse()
        errors: list[BaseException] = []

        def run() -> None:
            while work and not errors:
                try:
                    index, item = work.pop()
                except IndexError:
                    return
                try:
                    results[index] = function(item)
                except BaseException as error:
                    errors.append(error)

        helpers = [threading.Thread(target=run) for _number in range(min(self.threads, len(work)) - 1)]
        for helper in helpers:
            helper.start()
        run()
        for helper in helpers:
            helper.join()
        if errors:
            raise errors[0]
        return results

    def in_order(self, function: t.Callable[[t.Any], t.Any], items: t.Iterable[t.Any]) -> t.Iterator[t.Any]:
        """The same, a batch at a time, so that neither all items nor all results are in memory."""
        items = iter(items)
        while batch := [*itertools.islice(items, BATCH)]:
            yield from self.map(function, batch)
