# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles' argument specs: which variables there are, and the kind of each."""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ROLES = Path(__file__).parents[3] / "roles"
KINDS = {"list": (list, "a list"), "dict": (dict, "a mapping")}


@functools.cache
def options() -> dict[str, dict[str, t.Any]]:
    """The options of all roles' main entry points, by name."""
    import yaml

    found: dict[str, dict[str, t.Any]] = {}
    for path in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        found.update(yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["argument_specs"]["main"]["options"])
    return found


@functools.cache
def validator(name: str) -> ArgumentSpecValidator:
    """Of a single text, number or boolean. A path of a host is not expanded on the controller."""
    spec = options()[name]
    return ArgumentSpecValidator({name: {"type": spec["type"].replace("path", "str"), "choices": spec.get("choices")}})


def typed(variables: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
    """The variables that there are and that are not null, of the kinds that their specs say; and a sentence for each that is of another kind.

    A list or a mapping must be one: the roles do not convert it. Numbers and booleans may be text, as in an INI inventory or on a command line.
    """
    found, problems = {}, []
    for name, value in variables.items():
        kind = options().get(name, {}).get("type", "raw")
        if value is None or kind == "raw":
            continue
        found[name] = value
        if kind in KINDS:
            if not isinstance(value, KINDS[kind][0]):
                problems.append(f"{name} must be {KINDS[kind][1]}.")
        elif isinstance(value, (list, dict)):
            problems.append(f"{name} must be a single value, not a list or a mapping.")
        else:
            result = validator(name).validate({name: value})
            found[name] = result.validated_parameters[name]
            problems += [f"{name}: {message}." for message in result.error_messages]
    return found, problems
