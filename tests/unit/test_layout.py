# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layout of plugins: packages only, imports one way, no circle; the READMEs and docs/design.md name what is there.

Rules: a file of module_utils or plugin_utils is in a package; a package imports only what the README of its folder lists above it;
no circle of files, with lazy imports counted; every package is in the lists and tables. No file and no function is too long to be read at once,
and no variable has a name that sanity refuses.
Each file of unit tests has a docstring with its rules, and each file of the packages one with what it carries out. That the packages are private is
in the READMEs of their folders, and in no file.
"""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._transport.imports import PACKAGE, imports

TOP = Path(__file__).parents[2]
PLUGINS = TOP / "plugins"
FOLDERS = ("module_utils", "plugin_utils")


def order(folder: str) -> dict[str, int]:
    """The line of each package in the list of its folder's README."""
    lines = re.findall(r"```text\n(.*?)```", (PLUGINS / folder / "README.md").read_text(), re.DOTALL)[-1].splitlines()
    return {package: number for number, line in enumerate(lines) for package in line.split()}


def packages(folder: str) -> list[str]:
    return sorted(path.name for path in (PLUGINS / folder).iterdir() if path.is_dir() and path.name != "__pycache__")


@functools.lru_cache(maxsize=None)
def edges() -> dict[str, list[str]]:
    """What each file of plugins imports of plugins, by dotted names without the beginning."""
    found = {}
    for path in PLUGINS.rglob("*.py"):
        name = ".".join(path.relative_to(PLUGINS).with_suffix("").parts)
        found[name] = [imported[len(PACKAGE) + 1 :] for imported in imports(compile(path.read_text(), name, "exec"))]
    return found


def level(name: str) -> tuple[int, int]:
    """How far up a file is: all of module_utils, then modules, then all of plugin_utils, then the other plugins."""
    kind, package = name.split(".")[:2]
    return (
        ["module_utils", "modules", "plugin_utils"].index(kind) if kind in (*FOLDERS, "modules") else 3,
        order(kind)[package] if kind in FOLDERS else 0,
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_only_packages_on_the_first_level(folder: str) -> None:
    assert [path.name for path in (PLUGINS / folder).iterdir() if path.is_file()] == ["README.md"], (
        "move the file into the package that it serves; the README of the folder lists them"
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_readme_names_every_package(folder: str) -> None:
    assert sorted(order(folder)) == packages(folder)
    tables = re.findall(r"^\|.*", (PLUGINS / folder / "README.md").read_text(), re.MULTILINE)
    assert set(re.findall(r"`(_\w+)`", "\n".join(tables))) == set(packages(folder))


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_tests_mirror_the_packages(folder: str) -> None:
    tests = sorted(path.name for path in (TOP / "tests" / "unit" / "plugins" / folder).iterdir() if path.is_dir() and path.name != "__pycache__")
    assert tests == packages(folder), "the unit tests of a package are in the directory of the same name"


def test_the_design_names_every_package() -> None:
    rows = re.findall(r"^\| `(\w+/_\w+)` \|", (TOP / "docs" / "design.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(f"{folder}/{package}" for folder in FOLDERS for package in packages(folder))


def test_the_design_names_no_file_that_is_not_there() -> None:
    named = set(re.findall(r"`((?:module_utils|plugin_utils)/_\w+/\w+|_[a-z_]+/\w+)(?:\.py)?`", (TOP / "docs" / "design.md").read_text()))
    there = {".".join(path.with_suffix("").parts[-3:]).replace(".", "/") for folder in FOLDERS for path in (PLUGINS / folder).rglob("*.py")}
    assert {name for name in named if not any(path == name or path.endswith(f"/{name}") for path in there)} == set()


def test_imports_run_one_way() -> None:
    wrong = []
    for name, imported in edges().items():
        package = name.split(".")[:2]
        wrong += [
            f"{name} imports {other}"
            for other in imported
            if other.split(".")[:2] != package and level(other) >= level(name) and not (level(name)[0] == 3 and level(other)[0] == 3)
        ]
    assert wrong == [], "move what both need into a package further up: see plugins/module_utils/README.md"


def test_no_files_import_each_other() -> None:
    left = edges()
    while free := [name for name, imported in left.items() if not any(other in left for other in imported)]:
        left = {name: imported for name, imported in left.items() if name not in free}
    # What is left is in a circle, or imports what is.
    assert left == {}, "these files import each other in circles, or import some that do: move what both need into a file of its own"


def length(node: ast.FunctionDef) -> int:
    """The lines of a function without its signature and its docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return node.end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]


def test_no_file_and_no_function_is_too_long() -> None:
    """As CONTRIBUTING.md has it; what a module documents does not count."""
    too_long = []
    for path in PLUGINS.rglob("*.py"):
        text = path.read_text("utf-8")
        tree = ast.parse(text)
        documented = [node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("DOCUMENTATION", "EXAMPLES", "RETURN")]
        lines = text.count("\n") - sum(node.end_lineno - node.lineno + 1 for node in documented)  # type: ignore[operator]
        too_long += [f"{path.name}: {lines} lines"] if lines > 400 else []
        too_long += [f"{path.name}: {node.name}: {length(node)}" for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and length(node) > 50]
    too_long += [path.name for path in (TOP / "tests").rglob("test_*.py") if path.read_text("utf-8").count("\n") > 400]
    assert too_long == [], "cut it where one idea ends and another begins"


def test_no_variable_has_a_name_that_sanity_refuses() -> None:
    """ansible-test's pylint does so, after minutes."""
    refused = {"_", "bar", "baz", "foo", "tata", "toto", "tutu"}
    texts = {path: path.read_text("utf-8") for folder in (PLUGINS, TOP / "tests", TOP / "playbooks") for path in folder.rglob("*.py")}
    # Each file parsed would take seconds.
    written = re.compile(rf"\b(?:{'|'.join(refused)})\b")
    trees = {path: ast.parse(text) for path, text in texts.items() if written.search(text)}
    found = [(path, node) for path, tree in trees.items() for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    assert [f"{path.name}:{node.lineno}: {node.id}" for path, node in found if node.id in refused] == [], "call it dummy"


def test_each_file_of_tests_says_what_it_guards() -> None:
    files = sorted((TOP / "tests" / "unit").rglob("test_*.py"))
    without = [str(path.relative_to(TOP)) for path in files if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert len(files) > 50 and without == [], "the docstring of a file of tests is to name the rules whose loss it notices"


def test_each_file_of_a_package_says_what_it_carries_out() -> None:
    files = [path for folder in FOLDERS for path in (PLUGINS / folder).rglob("*.py")]
    assert len(files) > 100
    assert [path.name for path in files if not ast.get_docstring(ast.parse(path.read_text("utf-8")))] == []


def test_that_the_packages_are_private_is_in_the_readmes_only() -> None:
    private = re.compile(r"private part of\s+the\s+collection", re.IGNORECASE)
    found = [path.name for path in PLUGINS.rglob("*") if path.suffix in (".py", ".md", ".sh") and private.search(path.read_text("utf-8"))]
    assert found and set(found) == {"README.md"}
