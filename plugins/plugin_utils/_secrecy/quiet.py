# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module in Ansible's own way, but without the line with its options that AnsibleModule writes to the log of the host."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import cleaned
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.numbers import refuse_numbers
from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.vaulted import without_vaulted

# Documented with Ansible's configuration as DEFAULT_NO_TARGET_SYSLOG.
QUIET = {"ansible_no_target_syslog": True}


def execute_quietly(action: ActionBase, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """The result of the task's module for these arguments. Configuration, environment and scripts among them have secrets without a mark."""
    variables = {**(task_vars or {}), **QUIET}
    result: dict[str, t.Any] = action._execute_module(module_args=arguments, task_vars=variables, wrap_async=action._task.async_val)
    return result


class QuietAction(ActionBase):
    """An action plugin for a module that only goes to the host."""

    # The module's name, in each action plugin.
    module = ""
    TRANSFERS_FILES = False
    _supports_async = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        refuse_numbers(self._task.args)
        result.update(execute_quietly(self, dict(self._task.args), task_vars))
        return without_vaulted(cleaned(result), task_vars, self._task.args)
