# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the collection's own Python files a file needs, lazy imports included, read from what the files compile to.

A syntax tree would say the same, but to walk those of all files takes twice as long as to compile them.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import types
import typing as t
from pathlib import Path

PACKAGE = "ansible_collections.erlang.otp.plugins"
DIRECTORY = str(Path(__file__).parents[2])


class Source(t.NamedTuple):
    """A file of the collection: its text, and what that compiles to."""

    text: str
    code: types.CodeType


def sources(name: str) -> dict[str, Source]:
    """A module of the collection and all that it can import of the collection, by their dotted names."""
    found: dict[str, Source] = {}
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = compiled(name)
            waiting += imports(found[name].code)
    return found


@functools.cache
def compiled(name: str) -> Source:
    """A module of the collection, as the loader of Python has it: most are imported here as well, and are not compiled twice. Raises ImportError, OSError."""
    spec: t.Any = importlib.util.find_spec(name)
    return Source(source(name), spec.loader.get_code(name))


def source(name: str) -> str:
    """The text of a module of the collection. Raises OSError."""
    with open(_path(name), encoding="utf-8") as file:
        return file.read()


def imports(code: types.CodeType) -> list[str]:
    """The modules of the collection that the code imports, wherever in it, by their dotted names, sorted. Relative imports are not found."""
    return sorted(set(_imports(code)))


def _imports(code: types.CodeType) -> t.Iterator[str]:
    """Of ``from a import b``, code has a among its names, and a tuple with b among its constants: here a is the module, or a package that has it."""
    for name in code.co_names:
        if name.startswith(f"{PACKAGE}."):
            inner = [f"{name}.{part}" for constant in code.co_consts if isinstance(constant, tuple) for part in constant]
            yield from filter(_is_file, [name] if _is_file(name) else inner)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _imports(constant)


def _is_file(name: str) -> bool:
    return os.path.isfile(_path(name))


def _path(name: str) -> str:
    return os.path.join(DIRECTORY, *name[len(PACKAGE) + 1 :].split(".")) + ".py"
