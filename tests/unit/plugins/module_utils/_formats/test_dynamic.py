# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a program needs of other libraries.

Rules: names, symbol versions and search paths are read as the loader reads them; a file that leads nowhere, or round in a circle, has none, in bounded time.
tests/real/test_native.py compares this with readelf.
"""

from __future__ import annotations

import io
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.erlang.otp.plugins.module_utils._formats.dynamic import Dynamic, read_dynamic
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.elf_files import elf_file

NEEDS = {"libc.so.6": ["GLIBC_2.2.5", "GLIBC_2.34"], "libz.so.1": [], "libcrypto.so.3": ["OPENSSL_3.0.0"]}


def read(content: bytes) -> Dynamic | None:
    return read_dynamic(io.BytesIO(content))


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_what_is_read(bits: int, order: str) -> None:
    content = elf_file(NEEDS, search="$ORIGIN/x::/opt/lib", versions=["A_1", "A_2"], interpreter="/lib/ld.so", bits=bits, order=order)
    assert read(content) == Dynamic(NEEDS, ["$ORIGIN/x", "/opt/lib"], ["A_1", "A_2"])
    assert read(elf_file({}, bits=bits, order=order)) == Dynamic({}, [], [])


def test_the_older_search_path() -> None:
    assert read(elf_file(search="/opt/lib", tag=15)) == Dynamic({}, ["/opt/lib"], [])


def test_a_version_that_may_be_missing() -> None:
    assert read(elf_file({"libc.so.6": ["GLIBC_2.34"]}, weak=True)) == Dynamic({"libc.so.6": []}, [], [])


def test_this_python() -> None:
    with open(sys.executable, "rb") as file:
        found = read_dynamic(file)
    assert found and any(name.startswith("libc.") for name in found.needs)


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF" + bytes(100), elf_file(NEEDS)[:64], elf_file(NEEDS)[:300]])
def test_what_is_none(content: bytes) -> None:
    assert read(content) is None


def test_a_circle_of_versions() -> None:
    """The distance to the next entry is one that leads back, or to itself."""
    content = elf_file({"libc.so.6": ["GLIBC_2.34"]})
    entry = struct.pack("<HHIII", 1, 1, 1, 16, 0)
    assert content.count(entry) == 1
    assert read(content.replace(entry, struct.pack("<HHIII", 1, 1, 1, 16, 0xFFFF0000))) is None
    assert read(content.replace(entry, struct.pack("<HHIII", 1, 0xFFFF, 1, 16, 0))) is None
    own = elf_file(versions=["A_1"])
    last = struct.pack("<HHHHIII", 1, 0, 2, 1, 0, 20, 0)
    assert own.count(last) == 1
    assert read(own.replace(last, struct.pack("<HHHHIII", 1, 0, 2, 1, 0, 20, 0xFFFFFFE4))) is None


def test_names_are_bounded() -> None:
    assert read(elf_file({"x" * 255: []})) == Dynamic({"x" * 255: []}, [], [])
    assert read(elf_file({"x" * 256: []})) is None


@given(st.data())
def test_any_bytes(data: st.DataObject) -> None:
    content = bytearray(elf_file(NEEDS, search="/opt/lib", versions=["A_1"], bits=data.draw(st.sampled_from([32, 64]))))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=8)):
        content[place] = data.draw(st.integers(0, 255))
    found = read(bytes(content[: data.draw(st.integers(0, len(content)))]))
    # 1024 versions can be of one library only if the table has as many, 16 bytes each.
    assert found is None or sum(len(versions) + 1 for versions in found.needs.values()) <= len(content)
