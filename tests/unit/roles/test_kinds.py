# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Booleans and numbers may be text, as from ``-e NAME=VALUE`` or an INI inventory.

Rules: text means what the value means, for each variable of the argument specs; what is neither is refused, and counts as nothing; in YAML each use of such a
variable is a whole option, which a module converts, or has a filter that converts it.
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.filter.client_plan import client_plan
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.checks import problems
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.specs import SINGLE, of_their_kinds
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.specs import options as all_options
from ansible_collections.erlang.otp.plugins.plugin_utils._target_system.rendering import Client, client_files, options
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._clients.test_client_plan import OLD, RUNS
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._clients.test_client_plan import VARIABLES as OF_A_CLIENT
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._target_system.role_variables import VARIABLES as OF_A_SYSTEM

TOP = Path(__file__).parents[3]
KINDS = {name: option["type"] for name, option in all_options().items() if option["type"] in SINGLE}
GOOD = {"otp_root": "/srv/exchange", "otp_node_name": "x@h.example", "otp_cookie": "s3cret", "otp_dist_ports": "9100"}
TEXTS: dict[str, dict[t.Any, tuple[str, ...]]] = {
    "bool": {True: ("true", "True", "yes", "1", "on"), False: ("false", "False", "no", "0", "off")},
    "int": {1000: ("1000",)},
    "float": {60.0: ("60", "60.0")},
}
SYSTEM = {**OF_A_SYSTEM, "otp_node_name": "x@h.example", "otp_service_manager": "systemd", "otp_log_dir": "/srv/x/log"}
CLIENT = Client("/srv/x", "/srv/x/clients/x", "/home/x", "/run/x", "/run/x/log")


def made(variables: dict[str, t.Any]) -> list[t.Any]:
    """What the roles make of variables."""
    system, client = {**SYSTEM, **variables}, {**OF_A_CLIENT, **RUNS, "_otp_client": OLD, **variables}
    return [options(system), client_files({**system, "otp_environment_secrets": {}}, CLIENT), client_plan(client), client_plan(client, {"north": {}})]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_text_is_what_it_means(name: str) -> None:
    for value, texts in TEXTS[KINDS[name]].items():
        for text in texts:
            assert of_their_kinds({name: text}) == {name: value}
            if name != "otp_long_names":
                assert problems({**GOOD, name: text}) == problems({**GOOD, name: value}) == []
            assert made({name: text}) == made({name: value})


def test_a_boolean_makes_a_difference() -> None:
    makes = {name for name, kind in KINDS.items() if kind == "bool" and made({name: True}) != made({name: False})}
    assert makes >= {"otp_heart", "otp_long_names", "otp_unit_hardening", "otp_start_at_boot", "otp_restart_on_change", "otp_static_emulator"}


@pytest.mark.parametrize("name", sorted(KINDS))
@pytest.mark.parametrize("value", ["maybe", "", None, [1]])
def test_what_is_neither_is_refused(name: str, value: t.Any) -> None:
    assert [sentence for sentence in problems({**GOOD, name: value}) if sentence.startswith(name)]
    with pytest.raises(OtpError, match=name):
        of_their_kinds({name: value})


def uses() -> t.Iterator[tuple[str, str, str]]:
    """The name of a variable, the line that uses it, and where."""
    for path in [*TOP.glob("roles/*/tasks/*.yml"), *TOP.glob("roles/*/vars/*.yml"), *TOP.glob("roles/*/defaults/*.yml"), *TOP.glob("playbooks/**/*.yml")]:
        for line in path.read_text().splitlines():
            for name in re.findall(r"(?<!\w)(otp_\w+)(?!\w|:)", re.sub(r"^ *#.*", "", line)):
                if name in KINDS:
                    yield name, line, path.name


def test_each_use_in_yaml_says_its_kind() -> None:
    found = list(uses())
    assert len({name for name, _line, _file in found}) > 20
    for name, line, file in found:
        is_listed = re.fullmatch(rf" *- {name}", line)
        is_option = re.fullmatch(rf' +\w+: "\{{\{{ {name}( \| default\(.*\))? \}}\}}"', line)
        is_option = is_option or re.fullmatch(rf' +\w+: "\{{\{{ lookup\(.*, \'{name}\', default=.*\}}\}}"', line)
        is_converted = re.search(rf"{name}( \| default\(\w+\))? \| (bool|int|string)\b", line)
        is_converted = is_converted or re.search(rf"map\(attribute='{name}', default=\w+\) \| map\('(bool|int|string)'\)", line)
        # A text with a number in it, or one that names the variable.
        is_text = f"~ {name}" in line or f"as {name} says" in line
        assert is_listed or is_option or is_converted or is_text, (file, line)
