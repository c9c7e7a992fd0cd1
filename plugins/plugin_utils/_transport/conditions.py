# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a module cannot go through standard input, and which command runs it there. docs/design.md lists the private names of Ansible used here."""

from __future__ import annotations

import os
import shlex
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

VARIABLE = "otp_stdin_transport"
ENVIRONMENT_VARIABLE = "ERLANG_OTP_STDIN_TRANSPORT"


class NotAvailable(Exception):
    """A condition of the transport that a task does not meet."""


def is_switched_on(action: ActionBase, variables: dict[str, t.Any]) -> bool:
    """Whether the inventory, or else the environment of Ansible, leaves the transport switched on. Raises AnsibleActionFail."""
    name, value = VARIABLE, variables.get(VARIABLE)
    if value is None:
        name, value = ENVIRONMENT_VARIABLE, os.environ.get(ENVIRONMENT_VARIABLE) or True
    try:
        return boolean(action._templar.template(value) if isinstance(value, str) else value)
    except TypeError:
        raise AnsibleActionFail(f"{name} is {value!r}, which is not a boolean. Set it to true or false.") from None


def check_conditions(action: ActionBase) -> None:
    """Raises NotAvailable with the reason if this task cannot use the transport."""
    if action._task.async_val:
        raise NotAvailable("the task is asynchronous (async)")
    if getattr(action._connection._shell, "SHELL_FAMILY", "") != "sh":
        raise NotAvailable("the shell of the host is not a POSIX shell")
    if not action._is_pipelining_enabled("new"):
        cause = "the connection or become plugin does not support it, or ANSIBLE_KEEP_REMOTE_FILES is set"
        raise NotAvailable(f"pipelining is off (set ansible_pipelining to true), or {cause}")


def variables_of_connection(action: ActionBase, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
    """The variables of the host that the task is connected to: with delegate_to, those of that host."""
    if not action._task.delegate_to:
        return task_vars
    return {"ansible_facts": {}, **task_vars.get("ansible_delegated_vars", {}).get(action._task.delegate_to, {})}


def python_command(action: ActionBase, variables: dict[str, t.Any], program: str) -> str:
    """What runs a program in the host's Python: that of the inventory, or the first that exists of those that Ansible looks for."""
    arguments = f"-I -S -c {shlex.quote(program)}"
    environment = action._compute_environment_string()
    interpreter = action._templar.template(C.config.get_config_value("INTERPRETER_PYTHON", variables=variables))
    if not interpreter or interpreter.startswith("auto"):
        interpreter = variables.get("ansible_facts", {}).get("discovered_interpreter_python")
    if interpreter:
        return f"{environment} {interpreter} {arguments}".strip()
    known = C.config.get_config_value("INTERPRETER_PYTHON_FALLBACK", variables=variables)
    search = f'for python in {shlex.join(known)}; do command -v "$python" >/dev/null && exec "$python" {arguments}; done; exit 127'
    return f"{environment} /bin/sh -c {shlex.quote(search)}".strip()
