# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: docs/design.md lists each private name of ansible-core that the plugins use, and nothing else; the transport does without each of its own
names that is missing, by Ansible's way, with a warning.
"""

from __future__ import annotations

import ast
import re
import types
import typing as t
from pathlib import Path

import pytest
from ansible.utils.display import Display

from ansible_collections.erlang.otp.plugins.plugin_utils._transport import conditions
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import StdinTransport
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._transport.tasks import Action, interpreter, make_action

TRANSPORT = StdinTransport("otp_target_system")
ROOT = Path(__file__).parents[2]
FILES = [path for kind in ("action", "callback", "filter", "plugin_utils") for path in sorted((ROOT / "plugins" / kind).rglob("*.py"))]
# Of Python's own named tuples and contexts.
OF_PYTHON = {"_asdict", "_replace", "_fields", "_make"}
# What Ansible reads of a class of ours.
OVERRIDDEN = {"omit_exception_key"}


def trees() -> list[ast.Module]:
    return [ast.parse(path.read_text()) for path in FILES]


def own_names() -> set[str]:
    """The private names that these plugins themselves define: functions, classes, variables, attributes of self; and their packages."""
    found = {part for path in (ROOT / "plugins").rglob("*.py") for part in (path.stem, path.parent.name)}
    for node in (node for tree in trees() for node in ast.walk(tree)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name) and node.value.id == "self":
            found.add(node.attr)
    return found


def used_names() -> set[str]:
    """Private attributes of other objects than ours, and what is used of ansible.constants, whose names are not documented for plugins."""
    found = set()
    for node in (node for tree in trees() for node in ast.walk(tree)):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            found.add(node.attr)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "C":
            found.add(f"C.{node.attr}")
        elif isinstance(node, ast.Constant) and node.value in ("SHELL_FAMILY", "INTERPRETER_PYTHON", "INTERPRETER_PYTHON_FALLBACK"):
            found.add(str(node.value))
        elif isinstance(node, ast.ImportFrom) and re.match(r"ansible\b(?!_collections)", node.module or ""):
            assert not any(part.startswith("_") for item in node.names for part in [*str(node.module).split("."), item.name]), ast.unparse(node)
    return found - own_names() - OF_PYTHON | own_names() & OVERRIDDEN


def listed_names() -> set[str]:
    section = (ROOT / "docs/design.md").read_text().partition("### Private names of ansible-core\n")[2].partition("\n### ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_the_design_lists_what_the_plugins_use() -> None:
    assert listed_names() == used_names()


class Without:
    """What raises AttributeError for a name, as if it were not there any more."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: t.Any, owner: type) -> t.Any:
        raise AttributeError(f"no attribute {self.name!r}")


MISSING = {
    "_is_pipelining_enabled": type("NoPipelining", (Action,), {"_is_pipelining_enabled": Without()}),
    "_low_level_execute_command": type("NoCommand", (Action,), {"_low_level_execute_command": Without()}),
    "_compute_environment_string": type("NoEnvironment", (Action,), {"_compute_environment_string": Without()}),
}


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    shown: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda _self, text, **_options: shown.append(text))
    return shown


def goes_ansibles_way(action: Action, variables: dict[str, t.Any], warnings: list[str], name: str) -> None:
    TRANSPORT.execute(action, {"root": "/nowhere/srv", "checksum": "sha256:" + 64 * "0"}, variables)
    assert action.went_ansibles_way == 1
    assert len(warnings) == 1 and name in warnings[0]


@pytest.mark.parametrize("name", MISSING)
def test_a_method_that_is_missing(tmp_path: Path, warnings: list[str], name: str) -> None:
    goes_ansibles_way(make_action(kind=MISSING[name]), interpreter(tmp_path), warnings, name)


@pytest.mark.parametrize("name", ["_connection", "_templar"])
def test_an_attribute_that_is_missing(tmp_path: Path, warnings: list[str], name: str) -> None:
    action = make_action()
    delattr(action, name)
    goes_ansibles_way(action, interpreter(tmp_path), warnings, name)


def test_an_attribute_of_the_connection_that_is_missing(tmp_path: Path, warnings: list[str]) -> None:
    action = make_action()
    del action._connection._shell
    goes_ansibles_way(action, interpreter(tmp_path), warnings, "_shell")


def test_a_shell_without_a_family(tmp_path: Path, warnings: list[str]) -> None:
    action = make_action()
    action._connection._shell = object()
    goes_ansibles_way(action, interpreter(tmp_path), warnings, "the shell of the host is not a POSIX shell")


def test_a_configuration_without_its_method(tmp_path: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "C", types.SimpleNamespace(config=object()))
    goes_ansibles_way(make_action(), interpreter(tmp_path), warnings, "get_config_value")


def test_a_validator_that_tells_no_secrets(tmp_path: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    real = ArgumentSpecValidator.validate

    def validate(*arguments: t.Any) -> t.Any:
        result = real(*arguments)
        del result._no_log_values
        return result

    monkeypatch.setattr(ArgumentSpecValidator, "validate", validate)
    goes_ansibles_way(make_action(), interpreter(tmp_path), warnings, "_no_log_values")
