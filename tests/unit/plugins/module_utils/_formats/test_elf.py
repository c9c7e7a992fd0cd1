# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine type of a program.

Rules: it is read from the ELF header; a file that is not an ELF program has none; a machine runs what its kernel runs as well; the program that
does not fit is found.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.elf import Program, find_incompatible, machine_of, read_program, why_not_here


def elf(*, bits: int = 64, order: str = "<", machine: int = 62, interpreter: str = "") -> bytes:
    """A header, and a program header when there is an interpreter."""
    wide = bits == 64
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    size = 64 if wide else 52
    entry = 56 if wide else 32
    address = "Q" if wide else "I"
    head = struct.pack(order + "HHI" + address * 3 + "IHHHHHH", 3, machine, 1, 0, size, 0, 0, size, entry, 2, 0, 0, 0)
    name = interpreter.encode() + b"\0"
    place = size + 2 * entry
    if wide:
        load = struct.pack(order + "II6Q", 1, 0, 0, 0, 0, 0, 0, 0)
        interp = struct.pack(order + "II6Q", 3 if interpreter else 4, 0, place, 0, 0, len(name), 0, 0)
    else:
        load = struct.pack(order + "8I", 1, 0, 0, 0, 0, 0, 0, 0)
        interp = struct.pack(order + "8I", 3 if interpreter else 4, place, 0, 0, len(name), 0, 0, 0)
    return ident + head + load + interp + name


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_header(tmp_path: Path, bits: int, order: str) -> None:
    path = tmp_path / "beam.smp"
    path.write_bytes(elf(bits=bits, order=order, machine=183, interpreter="/lib/ld.so"))
    assert read_program(str(path)) == Program(bits, order, 183, "/lib/ld.so")


def test_this_python_runs_here() -> None:
    assert why_not_here(sys.executable, like=sys.executable) is None


def test_another_machine_and_another_library(tmp_path: Path) -> None:
    here, other = tmp_path / "here", tmp_path / "beam.smp"
    here.write_bytes(elf())
    other.write_bytes(elf(machine=183))
    assert "was made for aarch64, 64 bits, and this host runs x86_64, 64 bits" in (why_not_here(str(other), like=str(here)) or "")
    other.write_bytes(elf(interpreter="/lib/ld-no-such-library.so.1"))
    assert "ld-no-such-library.so.1, which this host does not have" in (why_not_here(str(other), like=str(here)) or "")
    # What is at hand is a program of another host, which has what that needs.
    here.write_bytes(elf(interpreter="/lib/ld-no-such-library.so.1"))
    assert why_not_here(str(other), like=str(here)) is None
    other.write_bytes(elf(interpreter=str(here)))
    assert why_not_here(str(other), like=str(here)) is None


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF" + bytes(60), elf()[:40], elf(interpreter="/x")[:70]])
def test_what_is_no_program(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "beam.smp"
    path.write_bytes(content)
    with pytest.raises(OtpError, match="beam.smp"):
        read_program(str(path))


def test_what_a_machine_runs_as_well(tmp_path: Path) -> None:
    """Where the C library for it is installed, which its loader tells."""
    here, other = tmp_path / "here", tmp_path / "beam.smp"
    here.write_bytes(elf(machine=183))
    other.write_bytes(elf(bits=32, machine=40, interpreter=str(here)))
    assert why_not_here(str(other), like=str(here)) is None
    other.write_bytes(elf(bits=32, machine=40, interpreter="/lib/ld-none.so"))
    assert "ld-none.so, which this host does not have" in (why_not_here(str(other), like=str(here)) or "")
    other.write_bytes(elf(bits=32, machine=3))
    assert "was made for i386, 32 bits, and this host runs aarch64, 64 bits" in (why_not_here(str(other), like=str(here)) or "")


def test_the_program_that_does_not_fit() -> None:
    arm, intel = machine_of(elf(machine=183)), machine_of(elf())
    assert arm and intel and machine_of(b"\x7fELF") is None and machine_of(bytes(64)) is None
    assert find_incompatible({}, arm) is None and find_incompatible({"a.so": arm, "b.so": arm}, arm) is None and find_incompatible({"a.so": arm}, None) is None
    assert find_incompatible({"a.so": arm, "b.so": intel}, arm) == "b.so was made for x86_64, 64 bits, and the emulator is for aarch64, 64 bits"
    assert find_incompatible({"a.so": arm, "b.so": intel}, None)
    assert find_incompatible({"lib/os_mon-2.8/priv/bin/memsup": intel}, arm) and find_incompatible({"lib/mast-1.0/priv/firmware.elf": intel}, arm) is None
