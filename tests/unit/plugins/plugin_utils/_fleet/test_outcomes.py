# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: each word of a report has one definition, which is in the guide; no other words are used."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.outcomes import BAD, DEPLOYED, OUTCOMES, RESTARTED

TOP = Path(__file__).parents[5]
FLEET = TOP / "plugins" / "plugin_utils" / "_fleet"


@pytest.mark.parametrize(("name", "defined"), [("upgrade", OUTCOMES), ("deploy", DEPLOYED)])
def test_the_guide_has_the_table(name: str, defined: dict[str, str]) -> None:
    guide = (TOP / f"docs/docsite/rst/guide_{name}.rst").read_text()
    table = guide.partition("   * - Outcome\n     - Meaning\n")[2].partition("\n\n")[0]
    assert dict(re.findall(r"   \* - ``(.*)``\n     - (.*)", table)) == defined


def words(node: ast.AST) -> set[str]:
    """The text that the expression has as a value, in either case of a condition."""
    if isinstance(node, ast.IfExp):
        return words(node.body) | words(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def test_no_other_words_are_used() -> None:
    used = set(BAD)
    for name in ("upgrade_outcome", "upgrade_state"):
        for node in ast.walk(ast.parse((FLEET / f"{name}.py").read_text())):
            if isinstance(node, ast.Dict):
                used |= {word for key, value in zip(node.keys, node.values) if key and words(key) == {"outcome"} for word in words(value)}
            elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
                used |= words(node.value.elts[0])
    assert used == set(OUTCOMES)


def test_no_other_words_are_used_of_a_deployment() -> None:
    used = set(RESTARTED.values())
    for node in ast.walk(ast.parse((FLEET / "deploy_state.py").read_text())):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in ("outcome", "changed", "removed"):
            used |= words(node.value)
    assert used == set(DEPLOYED) and set(RESTARTED) <= set(OUTCOMES)
