# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings the package over only when the host lacks it."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import cleaned
from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.quiet import execute_quietly
from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.vaulted import without_vaulted
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.packages import run_module


class ActionModule(ActionBase):
    """Otherwise the module does everything."""

    # Ansible makes no temporary directory on the host, which costs a round trip, until it is needed.
    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if arguments.get("state") == "absent":
            result.update(cleaned(execute_quietly(self, arguments, task_vars)))
        else:
            result.update(run_module(self, None, arguments, task_vars))
        return without_vaulted(result, task_vars, arguments)
