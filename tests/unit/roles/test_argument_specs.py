# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the roles.

Rules: argument specs and defaults agree; every variable is used by a task, is in a guide or an example, and in
a test; every file of tasks that a
playbook or another role imports has an argument spec.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.specs import options as known_options

TOP = Path(__file__).parents[3]
ROLES = TOP / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir())


def options(role):
    return yaml.safe_load((ROLES / role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]


def defaults(role):
    return yaml.safe_load((ROLES / role / "defaults" / "main.yml").read_text())


def test_there_are_roles():
    assert {"release", "target_system"} <= set(NAMES)


@pytest.mark.parametrize("role", NAMES)
def test_every_variable_has_a_spec_and_a_default(role):
    assert set(options(role)) == set(defaults(role))
    assert all(name.startswith("otp_") for name in options(role))


@pytest.mark.parametrize("role", NAMES)
def test_defaults_agree_with_the_specs(role):
    values = defaults(role)
    for name, option in options(role).items():
        is_computed = isinstance(values[name], str) and "{{" in values[name]
        if is_computed or option.get("required"):
            assert "default" not in option, f"{name} has a default that argument_specs.yml cannot tell"
        else:
            assert option.get("default") == values[name] and "default" in option, name


@pytest.mark.parametrize("role", NAMES)
def test_what_is_computed_or_required_is_said_in_words(role):
    for name, option in options(role).items():
        words = " ".join(option["description"])
        assert words.endswith("."), name
        if "default" not in option and not option.get("required"):
            assert "By default" in words, name


def test_the_preflight_knows_every_variable():
    assert set(known_options()) == {name for role in NAMES for name in options(role)}


def test_roles_share_no_variable():
    seen = {}
    for role in NAMES:
        for name in options(role):
            assert name not in seen, f"{name} belongs to {seen.get(name)} and {role}"
            seen[name] = role


@pytest.mark.parametrize("role", NAMES)
def test_tasks_are_given_every_variable(role):
    text = "".join(path.read_text() for part in ("tasks", "templates", "vars") for path in (ROLES / role).glob(f"{part}/*"))
    # A filter reads this one for the host's master.
    for name in set(options(role)) - {"otp_client_address"}:
        assert name in text, f"{name} is used nowhere"


def texts(*patterns):
    return "".join(path.read_text() for pattern in patterns for path in sorted(TOP.glob(pattern)) if path.is_file() and path != Path(__file__))


def test_every_variable_is_in_a_guide_or_an_example():
    words = set(re.findall(r"otp_\w+", texts("docs/docsite/rst/*.rst", "examples/**/*.yml", "examples/**/*.md", "examples/**/*.py")))
    assert sorted({name for role in NAMES for name in options(role)} - words) == []


def test_every_variable_is_in_a_test():
    words = set(re.findall(r"otp_\w+", texts("tests/unit/plugins/**/*.py", "tests/real/*.py", "tests/integration/**/*", "extensions/molecule/**/*.*")))
    assert sorted({name for role in NAMES for name in options(role)} - words) == []


def test_every_entry_point_of_a_playbook_has_a_spec():
    used = re.findall(r"name: erlang\.otp\.(\w+)\n +tasks_from: (\w+)\.yml", texts("playbooks/*.yml", "roles/*/tasks/*.yml"))
    assert len(set(used)) > 5
    for role, entry in set(used):
        assert entry in yaml.safe_load((ROLES / role / "meta" / "argument_specs.yml").read_text())["argument_specs"], (role, entry)
