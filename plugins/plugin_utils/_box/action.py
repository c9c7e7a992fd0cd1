# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a task's host is a box without Python, and then its module's work done from here: no module is sent there."""

from __future__ import annotations

import importlib
import json
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

MODULES = "ansible_collections.erlang.otp.plugins.modules"


def is_box(action: ActionBase, task_vars: dict[str, t.Any] | None) -> bool:
    """Whether the inventory says so, by otp_box. Somebody else may do the task for the box."""
    said = (task_vars or {}).get("otp_box", False)
    return not action._task.delegate_to and boolean(action._templar.template(said) if isinstance(said, str) else said, strict=False)


def on_box(action: ActionBase, module: str, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None, *, package: str | None = None) -> dict[str, t.Any]:
    """The module's result for these arguments. package: a file of the controller, in the place of that option."""
    # Most runs have no box, and need nothing of what works on one.
    from ansible_collections.erlang.otp.plugins.plugin_utils._box.modules import run_on_box

    specification = dict(importlib.import_module(f"{MODULES}.{module}").SPECIFICATION)
    specification.pop("supports_check_mode")
    # Paths are the box's, and nothing of the controller stands for a ~ in them.
    options = {name: {**entry, "type": "str"} if entry["type"] == "path" else entry for name, entry in specification.pop("argument_spec").items()}
    valid = ArgumentSpecValidator(options, **specification).validate(arguments)
    if valid.error_messages:
        return {"failed": True, "msg": "; ".join(valid.error_messages)}
    # As a module gets them: without Ansible's own kinds of text.
    parameters = json.loads(json.dumps(valid.validated_parameters))
    result: dict[str, t.Any] = remove_values(run_on_box(action, module, parameters, task_vars, package), valid._no_log_values)
    return result
