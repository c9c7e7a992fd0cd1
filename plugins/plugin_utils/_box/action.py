# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module of a task on a box without Python: no module is sent there, the controller does its work."""

from __future__ import annotations

import json
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.plugin_utils._box.arguments import argument_validator, masked, secret_values


def is_box(action: ActionBase, task_vars: dict[str, t.Any] | None) -> bool:
    """Whether otp_box in the inventory says that the task's host is a box without Python, and no other host does the task for it.

    Raises AnsibleActionFail.
    """
    otp_box = (task_vars or {}).get("otp_box", False)
    try:
        return not action._task.delegate_to and boolean(action._templar.template(otp_box) if isinstance(otp_box, str) else otp_box)
    except TypeError:
        raise AnsibleActionFail(f"otp_box is {otp_box!r}: set it to true or false.") from None


def on_box(action: ActionBase, module: str, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None, *, package: str | None = None) -> dict[str, t.Any]:
    """The module's result for these arguments. package: a file of the controller, in the place of that option."""
    # Most runs have no box, and need nothing of what works on one.
    from ansible_collections.erlang.otp.plugins.plugin_utils._box.modules import run_on_box

    validator, _paths = argument_validator(module)
    valid = validator.validate(arguments)
    if valid.error_messages:
        return {"failed": True, "msg": "; ".join(valid.error_messages)}
    # As a module gets them: without Ansible's own kinds of text.
    parameters = json.loads(json.dumps(valid.validated_parameters))
    result: dict[str, t.Any] = masked(run_on_box(action, module, parameters, task_vars, package), secret_values(valid))
    return result
