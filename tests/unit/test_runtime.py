# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What meta/runtime.yml and the README say of the collection, against what is in it.

Rules: each module is in the action group and each plugin in the README; a filter documents how its arguments are given; the address in galaxy.yml,
which is a placeholder, is nowhere else; no sanity test is switched off.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (TOP / "plugins" / "modules").glob("*.py"))


def test_every_module_is_in_the_action_group() -> None:
    runtime = yaml.safe_load((TOP / "meta" / "runtime.yml").read_text())
    assert runtime["action_groups"]["otp"] == MODULES


@pytest.mark.parametrize(
    "name",
    [
        *MODULES,
        *sorted(path.stem for path in (TOP / "plugins" / "filter").glob("*.py")),
        *sorted(path.stem for path in (TOP / "plugins" / "callback").glob("*.py")),
        *sorted(path.name for path in (TOP / "roles").iterdir()),
        *sorted(path.stem for path in (TOP / "playbooks").glob("[!_]*.yml")),
    ],
)
def test_the_readme_has_a_line_on_everything(name: str) -> None:
    assert f"`erlang.otp.{name}`" in (TOP / "README.md").read_text()


@pytest.mark.parametrize("name", [path.stem for path in sorted((TOP / "plugins" / "filter").glob("*.py"))])
def test_a_filter_documents_its_positional_arguments(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.erlang.otp.plugins.filter.{name}")
    documentation = yaml.safe_load(module.DOCUMENTATION)
    given = inspect.signature(module.FilterModule().filters()[name]).parameters.values()
    positional = [each.name for each in given if each.kind is each.POSITIONAL_OR_KEYWORD]
    assert documentation["positional"].split(", ") == ["_input", *positional[1:]]


def test_the_address_that_is_a_placeholder_is_in_one_file() -> None:
    address = yaml.safe_load((TOP / "galaxy.yml").read_text("utf-8"))["repository"].rpartition("://")[2].split("/")[1]
    files = [*TOP.glob("*.*"), *(path for name in ("docs", "examples", "meta", "playbooks", "plugins", "roles") for path in (TOP / name).rglob("*"))]
    texts = [path for path in files if path.suffix in (".md", ".rst", ".yml", ".py", ".j2", ".svg")]
    assert [path.name for path in texts if address in path.read_text("utf-8")] == ["galaxy.yml"]


def test_no_sanity_test_is_switched_off() -> None:
    assert [*(TOP / "tests").glob("sanity/ignore*")] == []
