# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles' argument specs: which variables there are, and the kind of each."""

from __future__ import annotations

import functools
import re
import typing as t
from pathlib import Path

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

ROLES = Path(__file__).parents[3] / "roles"
# What becomes of a run; no role has it. The guide on playbooks describes these.
OF_PLAYBOOKS: dict[str, dict[str, t.Any]] = {
    "otp_run_log": {"type": "path"},
    "otp_repair": {"type": "bool"},
    "otp_verify_ignore": {"type": "list", "elements": "str"},
    "otp_notify": {
        "type": "dict",
        "options": {"url": {"type": "str", "required": True}, "headers": {"type": "dict"}, "template": {"type": "path"}, "only_failures": {"type": "bool"}},
    },
}
KINDS = {"list": (list, "a list"), "dict": (dict, "a mapping")}
SINGLE = {"bool": "true or false", "int": "a number", "float": "a number"}


@functools.cache
def options() -> dict[str, dict[str, t.Any]]:
    """The options of all roles' main entry points, and those of the playbooks, by name."""
    import yaml

    found: dict[str, dict[str, t.Any]] = {**OF_PLAYBOOKS}
    for path in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        found.update(yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["argument_specs"]["main"]["options"])
    return found


@functools.cache
def validator(name: str) -> ArgumentSpecValidator:
    """Of one variable, with what its elements and its keys are."""
    return ArgumentSpecValidator({name: of_a_value(options()[name])})


def of_a_value(spec: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The part of a spec that a validator needs. A path of a host is not expanded on the controller."""
    found = {key: spec[key] for key in ("choices", "required") if key in spec}
    found.update({key: spec[key].replace("path", "str") for key in ("type", "elements") if key in spec})
    if "options" in spec:
        found["options"] = {name: of_a_value(part) for name, part in spec["options"].items()}
    return found


def typed(variables: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
    """The variables that there are and that are not null, of the kinds that their specs say; and a sentence for each that is of another kind.

    A list or a mapping must be one: the roles do not convert it. Numbers and booleans may be text, as in an INI inventory or on a command line.
    """
    found, problems = {}, []
    for name, value in variables.items():
        spec = options().get(name, {"type": "raw"})
        if value is None and (kind := SINGLE.get(spec["type"]) or KINDS.get(spec["type"], ("", ""))[1]):
            problems.append(f"{name} has no value: set it to {kind}, or remove it.")
        if value is None or spec["type"] == "raw":
            continue
        found[name] = value
        if sentence := another_shape(name, value, spec):
            problems.append(sentence)
        else:
            result = validator(name).validate({name: plain(value)})
            if spec["type"] not in KINDS:
                found[name] = result.validated_parameters[name]
            problems += [*sentences(name, result.errors)]
    return found, problems


def of_their_kinds(variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The variables, with booleans and numbers that may have been text. Raises OtpError for what is neither, so that no other value counts as false."""
    found, problems = typed({name: value for name, value in variables.items() if options().get(name, {}).get("type") in SINGLE})
    if problems:
        raise OtpError(" ".join(problems))
    return {**variables, **found}


def plain(value: t.Any) -> t.Any:
    """Without Ansible's own kinds of values, of which a copy copies all that Ansible knows of them, and its templating."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    kind = next((kind for kind in (bool, int, float, str) if isinstance(value, kind)), None)
    return kind(value) if kind else value


def another_shape(name: str, value: t.Any, spec: t.Mapping[str, t.Any]) -> str:
    """What Ansible would make something of: a list of a text with commas, a text of a list. Empty when there is nothing to say."""
    kind, elements = spec["type"], spec.get("elements", "raw")
    if kind in KINDS:
        if not isinstance(value, KINDS[kind][0]):
            return f"{name} must be {KINDS[kind][1]}."
        if kind == "list" and elements == "dict" and not all(isinstance(item, dict) for item in value):
            return f"{name} must be a list of mappings, each with any of {', '.join(spec.get('options', ()))}."
        if kind == "list" and elements not in ("raw", "dict") and any(isinstance(item, (list, dict)) for item in value):
            return f"{name} must be a list of single values, not of lists or mappings."
    elif isinstance(value, (list, dict)):
        return f"{name} must be a single value, not a list or a mapping."
    return ""


def sentences(name: str, errors: t.Iterable[Exception]) -> t.Iterator[str]:
    """What the validator found, each once, and each with the name of the variable."""
    for message in dict.fromkeys(str(error) for error in errors if isinstance(error, UnsupportedError)):
        unknown, _dot, known = message.partition(". Supported parameters include: ")
        yield f"{unknown} is unknown: there are {known.rstrip('.')}."
    others = [str(error).rstrip(".") for error in errors if not isinstance(error, UnsupportedError)]
    others = [re.sub(r"[.] Valid booleans.*", ": write true or false", message) for message in dict.fromkeys(others)]
    # Without a name: the same as another one.
    yield from (f"{name}: {message}." for message in others if "requested" not in message or "argument" in message)
