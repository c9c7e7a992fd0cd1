# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the roles.

Rules: argument specs and defaults agree; every variable is used by a task, is in a guide or an example, and is set in a test; every file of tasks
that a playbook or another role imports has an argument spec, with the variables that it reads.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.specs import OF_PLAYBOOKS
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.specs import options as known_options

TOP = Path(__file__).parents[3]
ROLES = TOP / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir())
# By action plugins, and by the filter boot_server_clients for a host's master.
READ_BY_PLUGINS = {"otp_allowed_signers", "otp_box", "otp_client_address", "otp_revoked_keys"}


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
    assert set(known_options()) == {name for role in NAMES for name in options(role)} | set(OF_PLAYBOOKS)


def test_roles_share_no_variable():
    seen = {}
    for role in NAMES:
        for name in options(role):
            assert name not in seen, f"{name} belongs to {seen.get(name)} and {role}"
            seen[name] = role


def words(value):
    return set(re.findall(r"\w+", str(value)))


def files_of(role, entry):
    """The texts of a file of tasks and of those that it includes, also of several of which a template selects one."""
    found, left = {}, [ROLES / role / "tasks" / f"{entry}.yml"]
    while left:
        path = left.pop()
        if path not in found:
            found[path] = re.sub(r"^ *#.*", "", path.read_text(), flags=re.MULTILINE)
            for name in re.findall(r'(?:import|include)_tasks: "?(.*\.yml)', found[path]):
                left += path.parent.glob(re.sub(r"\{\{.*\}\}", "*", name))
    return found.values()


def read_by(role, entry):
    """The variables that the tasks of an entry point mention, or that are in the value of a variable which they mention."""
    found = words(" ".join(files_of(role, entry)))
    values = {}
    for part in ("defaults", "vars"):
        path = ROLES / role / part / "main.yml"
        values |= yaml.safe_load(path.read_text()) if path.exists() else {}
    left = found & set(values)
    while left:
        new = {word for name in left for word in words(values[name])} - found
        found |= new
        left = new & set(values)
    return found & set(options(role))


def entry_points(role):
    return yaml.safe_load((ROLES / role / "meta" / "argument_specs.yml").read_text())["argument_specs"]


ENTRY_POINTS = [(role, entry) for role in NAMES for entry in entry_points(role)]


@pytest.mark.parametrize(("role", "entry"), ENTRY_POINTS)
def test_an_entry_point_has_the_options_that_it_reads(role, entry):
    expected = read_by(role, entry)
    if (role, entry) == ("target_system", "preflight"):
        assert "varnames', '^otp_'" in (ROLES / role / "tasks" / "preflight.yml").read_text()
        expected = set(options(role))
    elif entry in ("main", "system", "start"):
        expected |= READ_BY_PLUGINS & set(options(role))
    assert entry_points(role)[entry]["options"] == {name: option for name, option in options(role).items() if name in expected}


def texts(*patterns):
    return "".join(path.read_text() for pattern in patterns for path in sorted(TOP.glob(pattern)) if path.is_file() and path != Path(__file__))


def test_every_variable_is_in_a_guide_or_an_example():
    words = set(re.findall(r"otp_\w+", texts("docs/docsite/rst/*.rst", "examples/**/*.yml", "examples/**/*.md", "examples/**/*.py")))
    assert sorted({name for role in NAMES for name in options(role)} - words) == []


# Unit tests of what a filter or a template makes of it.
SET_IN_UNIT_TESTS = {"otp_static_emulator", "otp_boot_server_clients"}


def test_a_test_sets_every_variable():
    """To another value than its default, in an inventory or with -e, in a run on a host."""
    tests = texts("tests/real/*", "tests/integration/**/*", "extensions/molecule/**/*.*")
    values = {}
    # A key of YAML or of a dict, a keyword argument, or NAME=VALUE.
    for name, value in re.findall(r"""(?<![\w.])(otp_\w+)(?:["']?:\s| ?=(?!=))(?=["']?(.*))""", tests):
        values.setdefault(name, []).append(value.lower())
    unset = set()
    for name, default in {name: value for role in NAMES for name, value in defaults(role).items()}.items():
        # With a default that is computed, each value is another one.
        same = re.compile(re.escape(str(default).lower()) + r"(?![\w./-])")
        if not [value for value in values.get(name, []) if not (same.match(value) if str(default) else value[:1] in ("", '"', "'"))]:
            unset.add(name)
    assert unset == SET_IN_UNIT_TESTS


def test_every_entry_point_of_a_playbook_has_a_spec():
    used = re.findall(r"name: erlang\.otp\.(\w+)\n +tasks_from: (\w+)\.yml", texts("playbooks/**/*.yml", "roles/*/tasks/*.yml"))
    assert len(set(used)) > 5
    for role, entry in set(used):
        assert entry in yaml.safe_load((ROLES / role / "meta" / "argument_specs.yml").read_text())["argument_specs"], (role, entry)


def test_the_package_is_read_only_for_what_needs_it():
    # Jinja evaluates each variable that a template names, in a branch that is not taken as well. A lookup names it in quotes.
    names = [name for role in NAMES for name, value in defaults(role).items() if re.search(r"(?<!')\b_otp_package_node\b", str(value))]
    assert names == ["otp_node_name"]
