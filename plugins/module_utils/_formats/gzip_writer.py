# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gzip file put together from fragments that were compressed apart.

A fragment is a deflate stream (RFC 1951) that ends at a byte boundary and refers to nothing before it, so that a fragment
whose content has not changed can be used again. All of them together are ONE gzip member (RFC 1952): erl_tar reads the first
member of a file and no more.
"""

from __future__ import annotations

import hashlib
import threading
import typing as t
import zlib

from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_writer import TarBytes

# Counts up when the same content is to be compressed to other bytes.
KEY_FORMAT = 1
# Levels of zlib. SMALL takes twice the time of FAST for 1 % fewer bytes: worth it for stripped code.
FAST, SMALL = 4, 6
# Less memory means shorter blocks, each with its Huffman codes, which suits code better than the default, 8.
MEMORY_LEVEL = 7
BLOCK_SIZE = 128 * 1024
WINDOW = 32 * 1024
LARGEST_STORED_BLOCK = 65535
THREADS = 2

# No name, no time, no flags: nothing about where and when it was made. The last byte says that the system is unknown.
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
LAST_DEFLATE_BLOCK = b"\x03\x00"


class Fragment(t.NamedTuple):
    """A compressed piece of the package, and what the piece was: its length and CRC-32."""

    deflated: bytes
    size: int
    crc: int

    def pack(self) -> bytes:
        return b"%d %d\n%b" % (self.size, self.crc, self.deflated)

    @staticmethod
    def unpack(packed: bytes) -> Fragment:
        head, deflated = packed.split(b"\n", 1)
        size, crc = head.split()
        return Fragment(deflated, int(size), int(crc))


def fragment_key(parts: t.Iterable[bytes], *, level: int, treatment: str) -> str:
    """What the fragment's bytes depend on: the content, what is done to it, and how and by which zlib it is compressed."""
    digest = hashlib.sha256(repr((KEY_FORMAT, zlib.ZLIB_RUNTIME_VERSION, level, treatment)).encode())
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def make_fragment(tar: TarBytes, workers: Workers, *, level: int) -> Fragment:
    """Compress; the blocks in parallel. The bytes do not depend on the number of workers."""
    blocks = workers.map(lambda block: _deflate(tar.data, level, *block), _blocks(tar))
    return Fragment(b"".join(blocks), len(tar.data), zlib.crc32(tar.data))


def _blocks(tar: TarBytes) -> list[tuple[int, int, bool]]:
    """(start, end, whether to store): what is compressed already is stored, which is faster and smaller."""
    blocks: list[tuple[int, int, bool]] = []
    position = 0
    for start, end in [*tar.deflated, (len(tar.data), len(tar.data))]:
        blocks += [(at, min(at + BLOCK_SIZE, start), False) for at in range(position, start, BLOCK_SIZE)]
        if end > start:
            blocks.append((start, end, True))
        position = end
    return blocks


def _deflate(data: bytes, level: int, start: int, end: int, store: bool) -> bytes:
    if store:
        return b"".join(
            b"\x00%b%b%b" % (size.to_bytes(2, "little"), (size ^ 0xFFFF).to_bytes(2, "little"), data[at : at + size])
            for at in range(start, end, LARGEST_STORED_BLOCK)
            for size in [min(LARGEST_STORED_BLOCK, end - at)]
        )
    # What the block before it holds is what this one may refer to, as if they were one.
    before = data[max(0, start - WINDOW) : start]
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15, MEMORY_LEVEL, zlib.Z_DEFAULT_STRATEGY, *([before] if before else []))
    return compressor.compress(data[start:end]) + compressor.flush(zlib.Z_SYNC_FLUSH)


def gzip_parts(fragments: t.Iterable[Fragment]) -> t.Iterator[bytes]:
    """The gzip file as consecutive parts."""
    yield GZIP_HEADER
    size = crc = 0
    for fragment in fragments:
        crc = crc32_combine(crc, fragment.crc, fragment.size)
        size += fragment.size
        yield fragment.deflated
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
