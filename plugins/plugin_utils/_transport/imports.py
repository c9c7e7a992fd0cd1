# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the collection's own Python files a file needs, read from its import statements, lazy ones included."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

PACKAGE = "ansible_collections.erlang.otp.plugins"
DIRECTORY = Path(__file__).parents[2]


def sources(name: str) -> dict[str, str]:
    """The texts of a module of the collection and of all that it can import of the collection, by their dotted names."""
    found: dict[str, str] = {}
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = source(name)
            waiting += imports(found[name], name)
    return found


def source(name: str) -> str:
    """The text of a module of the collection. Raises OSError."""
    return _path(name).read_text(encoding="utf-8")


def imports(text: str, name: str) -> list[str]:
    """The modules of the collection that the text of the module ``name`` imports, wherever in it, by their dotted names, sorted."""
    return sorted({found for node in ast.walk(ast.parse(text)) for found in _candidates(node, name) if _path(found).is_file()})


def _candidates(node: ast.AST, name: str) -> t.Iterator[str]:
    """What an import statement may name: ``from a import b`` the module a.b as well as the name b of the module a."""
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [item.name for item in node.names]
    elif isinstance(node, ast.ImportFrom):
        # from . is the package of the importing module, from .. the one above.
        above = name.split(".")[: -node.level] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        names = [base, *(f"{base}.{item.name}" for item in node.names)]
    return (item for item in names if item.startswith(f"{PACKAGE}."))


def _path(name: str) -> Path:
    return DIRECTORY.joinpath(*name[len(PACKAGE) + 1 :].split(".")).with_suffix(".py")
