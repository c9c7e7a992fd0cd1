# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages name the variable of a role beside the option of a module; the roles give each option that variable; no message has such an option alone."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.options import VARIABLES, named

TOP = Path(__file__).parents[5]
ROLES = "\n".join(path.read_text() for part in ("tasks", "vars") for path in sorted(TOP.glob(f"roles/*/{part}/*.yml")))
# Words with an underscore, which are nothing but options. Those of a single word have a verb before them.
ALONE = [rf"(?<!option )(?<![\w.'=-]){name}(?![\w'(=])" for name in VARIABLES if "_" in name]
ALONE += [rf"\b([Ss]et|[Gg]ive|and|or) {name}( |:|,|\.|$)(?!is|it |has)" for name in ("checksum", "node", "force", "erts", "down")]


def test_a_name() -> None:
    assert named("otp_root") == "otp_erlang_root (option otp_root)"


@pytest.mark.parametrize("option", sorted(VARIABLES))
def test_the_roles_give_the_option_its_variable(option: str) -> None:
    assert re.search(rf'^ +{option}: "\{{\{{ .*\b_?{VARIABLES[option]}\b', ROLES, re.MULTILINE)


def messages() -> t.Iterator[tuple[str, str]]:
    """The sentences of the code, without docstrings, and where they are."""
    for path in sorted([*TOP.glob("plugins/module_utils/**/*.py"), *TOP.glob("plugins/action/*.py")]):
        tree = ast.parse(path.read_text())
        bodies = [node.body for node in ast.walk(tree) if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef))]
        docstrings = {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings and node.value.count(" ") > 1:
                yield f"{path.name}:{node.lineno}", node.value


def test_no_message_has_an_option_alone() -> None:
    found = list(messages())
    assert len(found) > 500
    assert [(place, text) for place, text in found if any(re.search(word, text) for word in ALONE) and "\n" not in text] == []
