# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks a module's options and masks its secrets on the controller, for a module that does not go to the host in Ansible's own way."""

from __future__ import annotations

import importlib
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.erlang.otp.plugins.module_utils._core.values import mapped

MODULES = "ansible_collections.erlang.otp.plugins.modules"
Spec = t.Dict[str, t.Dict[str, t.Any]]


def argument_validator(module: str) -> tuple[ArgumentSpecValidator, list[str]]:
    """What checks the options of the module of this name, and its options that are paths or lists of paths: ``src``, in others ``files.src``.

    The validator takes a path for text: it is a path of the host, and the controller must not expand ~ in it.
    """
    loaded = importlib.import_module(f"{MODULES}.{module}")
    return ArgumentSpecValidator(_as_text(loaded.ARGUMENT_SPEC), **getattr(loaded, "ARGUMENT_RULES", {})), list(_paths(loaded.ARGUMENT_SPEC))


def _as_text(spec: Spec) -> Spec:
    found = {}
    for option, entry in spec.items():
        found[option] = {**entry, **{kind: "str" for kind in ("type", "elements") if entry.get(kind) == "path"}}
        if "options" in entry:
            found[option]["options"] = _as_text(entry["options"])
    return found


def _paths(spec: Spec, above: str = "") -> t.Iterator[str]:
    for option, entry in spec.items():
        if "path" in (entry["type"], entry.get("elements")):
            yield above + option
        yield from _paths(entry.get("options", {}), f"{above}{option}.")


def secret_values(valid: t.Any) -> list[str]:
    """The values of the options with no_log that a validator found, the longest first."""
    return sorted(filter(None, map(str, valid._no_log_values)), key=len, reverse=True)


def masked(value: t.Any, secrets: list[str]) -> t.Any:
    """The value, a result or a part of it, without these secrets. Ansible's own function for this ends with ansible-core 2.25."""

    def mask(single: t.Any) -> t.Any:
        if isinstance(single, bool) or not isinstance(single, (str, int, float)):
            return single
        text = str(single)
        for secret in secrets:
            text = text.replace(secret, "********")
        return single if text == str(single) else text

    return mapped(value, mask)
