# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Native code without its debug symbols: the emulator and its helpers, NIFs, drivers, port programs.

strip(1) of GNU binutils makes the copies. The symbols by which a library is loaded and called stay, and the originals are not touched.
"""

from __future__ import annotations

import functools
import os
import shutil
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.package_members import EXTRA_FILES, Group
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import Diagnostic
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.run import PATH, run
from ansible_collections.erlang.otp.plugins.module_utils._formats.elf import THIS_PROGRAM, Program, machine_of, read_program, section_names

TIMEOUT = 300
# Beginnings of names of sections (elf(5)).
DEBUG_SECTIONS = (b".debug_", b".zdebug_")
# What binutils for another machine type are called.
PREFIXES = {3: "i686-linux-gnu", 22: "s390x-linux-gnu", 40: "arm-linux-gnueabihf", 62: "x86_64-linux-gnu", 183: "aarch64-linux-gnu", 243: "riscv64-linux-gnu"}


def native_code(group: Group) -> list[str]:
    """The paths of the group's files that have debug symbols. Files of the user's, as they are, are not among them."""
    if group.name == EXTRA_FILES:
        return []
    return sorted({member.source for member in group.members if member.source and not member.name.endswith(".beam") and _has_symbols(member.source)})


def treatment(paths: t.Iterable[str]) -> str:
    """What the stripped files depend on, beside the originals; "" if all of them stay as they are."""
    programs = {_strip_for(path) for path in paths} - {""}
    return repr([_version(program) for program in sorted(programs)]) if programs else ""


def strip_native(paths: t.Iterable[str], directory: str) -> dict[str, str]:
    """Make the stripped files in the directory. Returns the one for the path of each; those that no program here can strip are left out."""
    stripped = {}
    for number, path in enumerate(paths):
        program, to = _strip_for(path), os.path.join(directory, f"{number}.native")
        if program and run([program, "--strip-debug", "-o", to, os.path.abspath(path)], timeout=TIMEOUT)[0] == 0:
            stripped[path] = to
    return stripped


def notes(paths: t.Iterable[str]) -> t.Iterator[Diagnostic]:
    """A warning about each of the files that keeps its debug symbols for want of a program."""
    for path in paths:
        if not _strip_for(path):
            program = " or ".join(_names(_machine(path))) or "strip"
            sentence = f"{path} keeps its debug symbols: {program} of GNU binutils is not on the build host. Install it there, or strip the file."
            yield Diagnostic("strip", path, sentence)


def _has_symbols(path: str) -> bool:
    with open(path, "rb") as file:
        return any(name.startswith(DEBUG_SECTIONS) for name in section_names(file))


def _machine(path: str) -> Program | None:
    with open(path, "rb", buffering=0) as file:
        return machine_of(file.read(64))


def _strip_for(path: str) -> str:
    """The program that can strip the file; "" if there is none."""
    return next(filter(None, map(_found, _names(_machine(path)))), "")


def _names(machine: Program | None) -> list[str]:
    if machine is None:
        return []
    names = [f"{PREFIXES[machine.machine]}-strip"] if machine.machine in PREFIXES else []
    return ["strip", *names] if machine.is_like(read_program(THIS_PROGRAM)) else names


@functools.lru_cache(maxsize=None)
def _found(name: str) -> str:
    return shutil.which(name, path=PATH) or ""


@functools.lru_cache(maxsize=None)
def _version(program: str) -> str:
    code, output = run([program, "--version"], timeout=TIMEOUT)
    if code != 0:
        raise OtpError(f"{program} does not run: {output}")
    return output.partition("\n")[0]
