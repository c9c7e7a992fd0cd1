# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module for the operator, and notes when the task ended."""

from __future__ import annotations

import time
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.vaulted import without_vaulted
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import StdinTransport
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.this_run import run_as_operator

TRANSPORT = StdinTransport("otp_client_node")


class ActionModule(ActionBase):
    """Otherwise the module does everything."""

    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        has_steps = boolean(arguments.pop("_has_steps", False), strict=False)
        result.update(run_as_operator(self, TRANSPORT, arguments, task_vars))
        result.update(ended=time.time(), has_steps=has_steps)
        return without_vaulted(result, task_vars, self._task.args)
