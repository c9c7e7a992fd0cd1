# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: only ELF files with debug symbols are stripped, by a program that is for their machine; what none is for stays, with a warning.

tests/real/test_native_code.py has the program at work.
"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build import native_code as _native_code
from ansible_collections.erlang.otp.plugins.module_utils._build.package_members import EXTRA_FILES, Group
from ansible_collections.erlang.otp.plugins.module_utils._formats.elf import THIS_PROGRAM, read_program
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_writer import PackageMember

HERE = read_program(THIS_PROGRAM)


def elf(machine: int, *, bits: int = 64, section: str = ".debug_info") -> bytes:
    """A head, code with a text in it, the names of sections, and the table of one section, which has the names."""
    wide = bits == 64
    size, entry = (64, 64) if wide else (52, 40)
    code, names = b"code about \0.debug_info\0", f"\0{section}\0.shstrtab\0".encode()
    place = size + len(code)
    ident = b"\x7fELF" + bytes([bits // 32, 1]) + bytes(10)
    head = ident + struct.pack("<HHI" + ("QQQ" if wide else "III") + "IHHHHHH", 3, machine, 1, 0, 0, place + len(names), 0, size, 0, 0, entry, 1, 0)
    table = struct.pack("<IIQQQQ" if wide else "<IIIIII", 1, 3, 0, 0, place, len(names))
    return head + code + names + table.ljust(entry, b"\0")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("pea.so", elf(62), True),
        ("pea.so", elf(62, section=".zdebug_info"), True),
        ("pea.so", elf(40, bits=32), True),
        ("pea.so", elf(62, section=".symtab"), False),
        ("pea.so", elf(40, bits=32, section=".symtab"), False),
        ("pea.so", elf(62)[:-40], False),
        ("pea.txt", b"\0.debug_info\0", False),
        ("pea.so", b"", False),
    ],
)
def test_what_has_debug_symbols(tmp_path: Path, name: str, content: bytes, expected: bool) -> None:
    (tmp_path / name).write_bytes(content)
    members = [PackageMember(f"lib/pea-1/priv/{name}", source=str(tmp_path / name)), PackageMember("x", content=content)]
    assert _native_code.native_code(Group("lib/pea-1", members)) == ([str(tmp_path / name)] if expected else [])
    assert _native_code.native_code(Group(EXTRA_FILES, members)) == []


@pytest.mark.parametrize(
    ("machine", "there", "program"),
    [
        (HERE.machine, ["strip"], "strip"),
        (HERE.machine, [], ""),
        (258, ["strip"], ""),
        (22 if HERE.machine != 22 else 62, ["strip"], ""),
        (22 if HERE.machine != 22 else 62, ["strip", "s390x-linux-gnu-strip", "x86_64-linux-gnu-strip"], "linux-gnu-strip"),
    ],
)
def test_which_program_strips_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: int, there: list[str], program: str) -> None:
    path = tmp_path / "pea.so"
    path.write_bytes(elf(machine, bits=HERE.bits))
    monkeypatch.setattr(_native_code, "_found", lambda name: name if name in there else "")
    monkeypatch.setattr(_native_code, "_version", lambda name: f"version of {name}")
    assert _native_code.treatment([str(path)]).rstrip("']").endswith(program) and bool(_native_code.treatment([str(path)])) == bool(program)
    warnings = [*_native_code.notes([str(path)])]
    assert bool(warnings) != bool(program)
    if not program:
        assert warnings[0].kind == "strip" and f"{path} keeps its debug symbols" in warnings[0].sentence
        assert _native_code.strip_native([str(path)], str(tmp_path)) == {}
