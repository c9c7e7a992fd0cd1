# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For which machine a program was made: the few fields of an ELF header that show whether this host can run it (elf(5))."""

from __future__ import annotations

import os
import struct
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import open_file
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host

MACHINES = {3: "i386", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv", 258: "loongarch"}
# What runs this process, by a link of the kernel's: its directory may be one that only root can enter.
THIS_PROGRAM = "/proc/self/exe"
_PT_INTERP = 3
_HEADERS = 64
# Bytes of the names of sections; real ones have some hundred.
_NAMES = 1 << 20
# What a machine of the first kind runs as well, where the C library for it is installed.
_RUNS_TOO = {62: 3, 183: 40}


class Program(t.NamedTuple):
    """bits and order of bytes, the number of the machine, and what loads the program ("" for a static one)."""

    bits: int
    order: str
    machine: int
    interpreter: str

    @property
    def kind(self) -> str:
        """For a sentence: "x86_64, 64 bits"."""
        return f"{MACHINES.get(self.machine, f'machine {self.machine}')}, {self.bits} bits"

    def is_like(self, other: Program) -> bool:
        """Whether both are for one kind of machine."""
        return (self.bits, self.order, self.machine) == (other.bits, other.order, other.machine)


def machine_of(head: bytes) -> Program | None:
    """For which machine a program is, by its first 64 bytes; without its interpreter. None if it is not an ELF file."""
    if len(head) < 52 or head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    order = "<" if head[5] == 1 else ">"
    return Program(64 if head[4] == 2 else 32, order, struct.unpack_from(order + "H", head, 18)[0], "")


def read_program(path: str) -> Program:
    """The program by the header of the file. Raises OtpError if it is not an ELF program, OSError."""
    with open_file(path) as file:
        return parse_program(file, path)


def parse_program(file: t.BinaryIO, path: str) -> Program:
    """The same for an open file, or its beginning."""
    head = file.read(64)
    program = machine_of(head)
    if program is None:
        raise OtpError(f"{path} is not a program of this kind of system (ELF)")
    wide, order = program.bits == 64, program.order
    try:
        (offset,) = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)
        size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
        return program._replace(interpreter=_interpreter(file, wide, order, offset, size, min(count, _HEADERS)))
    except (struct.error, ValueError, OverflowError):
        raise OtpError(f"{path} is damaged: its ELF header leads nowhere") from None


def section_names(file: t.BinaryIO) -> list[bytes]:
    """The names of the sections of the open file; none if it is not an ELF file, or is damaged. Raises OSError."""
    file.seek(0)
    head = file.read(64)
    program = machine_of(head)
    if program is None:
        return []
    wide, order = program.bits == 64, program.order
    try:
        (table,) = struct.unpack_from(order + ("Q" if wide else "I"), head, 40 if wide else 32)
        size, dummy, number = struct.unpack_from(order + "HHH", head, 58 if wide else 46)
        file.seek(table + number * size)
        place, length = struct.unpack_from(order + ("QQ" if wide else "II"), file.read(size), 24 if wide else 16)
        file.seek(place)
        return file.read(min(length, _NAMES)).split(b"\0")
    except (struct.error, ValueError, OverflowError):
        return []


def _interpreter(file, wide: bool, order: str, offset: int, size: int, count: int) -> str:
    for number in range(count):
        file.seek(offset + number * size)
        header = file.read(size)
        (kind,) = struct.unpack_from(order + "I", header, 0)
        if kind == _PT_INTERP:
            place, dummy, dummy, length = struct.unpack_from(order + ("QQQQ" if wide else "IIII"), header, 8 if wide else 4)
            file.seek(place)
            return os.fsdecode(file.read(min(length, 4096)).rstrip(b"\0"))
    return ""


def why_not_here(path: str, *, like: str) -> str | None:
    """Why this host, which runs the program at ``like``, cannot run the one at the path; None if it can. Raises OSError."""
    try:
        return why_not(read_program(path), path, like=like)
    except OtpError as error:
        return str(error)


def why_not(program: Program, path: str, *, like: str) -> str | None:
    """The same for a program whose header is known. Raises OtpError if the file at ``like`` is not a program, OSError."""
    other = read_program(like)
    if not program.is_like(other) and program.machine != _RUNS_TOO.get(other.machine):
        return f"{path} was made for {program.kind}, and this host runs {other.kind}"
    is_there = remote_host().has if remote_host() else os.path.exists
    # That of a program of another host, such as a client's emulator, is there.
    if program.interpreter and program.interpreter != other.interpreter and not is_there(program.interpreter):
        return f"{path} needs {program.interpreter}, which this host does not have: it was made for another C library"
    return None


def find_incompatible(programs: t.Mapping[str, Program], emulator: Program | None) -> str | None:
    """The first of the programs and libraries, by path, that the emulator (or the first of them) cannot load or run, as a sentence.

    Libraries are called ``.so``, and programs are in a ``bin``: a file elsewhere, such as firmware of another device, is only data here.
    """
    for path, program in programs.items():
        if not path.endswith(".so") and "/bin/" not in path:
            continue
        emulator = emulator or program
        if not program.is_like(emulator):
            return f"{path} was made for {program.kind}, and the emulator is for {emulator.kind}"
    return None
