# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: each message that names a variable, an option or a playbook is in the table of ways_out.py, with a test that exists; the table has no other one.

Of a check of a variable (plugin_utils/_inventory) the tests of that package have the variable.
"""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.tests.unit.ways_out import FACTS, TASKS, WAYS

TOP = Path(__file__).parents[2]
NAMES = re.compile(r"\botp_[a-z_]+|\berlang\.otp\.\w+|--limit|\boption \w+")
CHECKS = "plugins/plugin_utils/_inventory"


def text_of(node: ast.AST) -> str:
    """A text, with the expressions in it in braces, but for names of options."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [value.value if isinstance(value, ast.Constant) else f"{{{ast.unparse(t.cast(ast.FormattedValue, value).value)}}}" for value in node.values]
        return re.sub(r"\{named\('(\w+)'\)\}", lambda match: named(match[1]), "".join(map(str, parts)))
    return ""


def messages(path: Path) -> t.Iterator[str]:
    """The sentences of a file that name what an operator can set or run."""
    nodes = [*ast.walk(ast.parse(path.read_text("utf-8")))]
    skipped = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    skipped |= {id(value) for node in nodes if isinstance(node, ast.JoinedStr) for value in node.values}
    for text in (text_of(node) for node in nodes if id(node) not in skipped):
        if " " in text.strip() and NAMES.search(text) and not text.startswith(("import ", "{host.get")):
            yield text


FILES = [path for kind in ("module_utils", "plugin_utils", "action") for path in sorted((TOP / "plugins" / kind).rglob("*.py"))]
FOUND = [(str(path.relative_to(TOP)), text) for path in FILES for text in messages(path)]


def texts_of_tasks(value: t.Any) -> t.Iterator[str]:
    """What fails or warns in tasks."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            for key, inner in item.items():
                texts = inner if isinstance(inner, list) else [inner]
                yield from (" ".join(text.split()) for text in texts if key.endswith(("msg", "warnings", "_refusal")) and isinstance(text, str))
                yield from texts_of_tasks(inner)


def test_each_message_has_its_row() -> None:
    unknown = [
        f"{path}: {text}"
        for path, text in FOUND
        if not path.startswith(CHECKS) and sum(piece in text for piece in WAYS) != 1 and not any(fact in text for fact in FACTS)
    ]
    assert unknown == [], "give each a row in tests/unit/ways_out.py, with a test that goes the way out"
    assert [piece for piece in (*WAYS, *FACTS) if not any(piece in text for _path, text in FOUND)] == []


def test_each_message_of_a_task_has_its_row() -> None:
    found = [
        text
        for path in sorted([*TOP.glob("roles/*/tasks/*.yml"), *TOP.glob("playbooks/**/*.yml")])
        for text in texts_of_tasks(yaml.safe_load(path.read_text("utf-8")))
        if NAMES.search(re.sub(r"\{\{.*?\}\}", "", text))
    ]
    assert [text for text in found if sum(piece in text for piece in TASKS) != 1] == []
    assert [piece for piece in TASKS if not any(piece in text for text in found)] == []


@pytest.mark.parametrize("test", sorted({*WAYS.values(), *TASKS.values()}))
def test_the_test_of_a_row_exists(test: str) -> None:
    path, _colons, name = test.partition("::")
    assert f"\ndef {name}(" in (TOP / path).read_text("utf-8")


def test_a_check_of_a_variable_is_in_its_tests() -> None:
    tests = "".join(path.read_text("utf-8") for path in (TOP / "tests/unit" / CHECKS).glob("test_*.py"))
    assert [text for path, text in FOUND if path.startswith(CHECKS) and t.cast(re.Match, NAMES.search(text))[0] not in tests] == []
