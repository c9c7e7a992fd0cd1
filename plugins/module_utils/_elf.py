# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is a private part of the collection: only its own plugins may use it.

"""For which machine a program was made: the few fields of an ELF header that tell whether this host can run it (elf(5))."""

from __future__ import annotations

import os
import struct
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._elsewhere import elsewhere
from ansible_collections.erlang.otp.plugins.module_utils._errors import OtpError

MACHINES = {3: "i386", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv", 258: "loongarch"}
_PT_INTERP = 3
_HEADERS = 64


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


def read_program(path: str) -> Program:
    """What the file's header says. Raises OtpError for a file that is no ELF program, OSError."""
    with open(path, "rb") as file:
        head = file.read(64)
        if len(head) < 52 or head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] not in (1, 2):
            raise OtpError(f"{path} is not a program of this kind of system (ELF)")
        wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
        try:
            (machine,) = struct.unpack_from(order + "H", head, 18)
            (offset,) = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)
            size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
            interpreter = _interpreter(file, wide, order, offset, size, min(count, _HEADERS))
        except (struct.error, ValueError, OverflowError):
            raise OtpError(f"{path} is damaged: its ELF header leads nowhere") from None
    return Program(64 if wide else 32, order, machine, interpreter)


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
    """Why this host cannot run the program, as it runs the one at ``like``; None when nothing speaks against it. Raises OSError."""
    try:
        program, other = read_program(path), read_program(like)
    except OtpError as error:
        return str(error)
    if (program.bits, program.order, program.machine) != (other.bits, other.order, other.machine):
        return f"{path} was made for {program.kind}, and this host runs {other.kind}"
    is_there = elsewhere().has if elsewhere() else os.path.exists
    if program.interpreter and not is_there(program.interpreter):
        return f"{path} needs {program.interpreter}, which this host has not: it was made for another C library"
    return None
