# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module in Ansible's own way, but without the line with its options that AnsibleModule writes to the log of the host."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

# Documented with Ansible's configuration as DEFAULT_NO_TARGET_SYSLOG.
QUIET = {"ansible_no_target_syslog": True}


def execute_quietly(action: ActionBase, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """The result of the task's module for these arguments. Configuration, environment and scripts among them have secrets without a mark."""
    variables = {**(task_vars or {}), **QUIET}
    result: dict[str, t.Any] = action._execute_module(module_args=arguments, task_vars=variables, wrap_async=action._task.async_val)
    return result
