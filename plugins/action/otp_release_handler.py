# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings the package over only when the host lacks it."""

from __future__ import annotations

import time
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.vaulted import without_vaulted
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import StdinTransport
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.this_run import run_as_operator

TRANSPORT = StdinTransport("otp_release_handler")


class ActionModule(ActionBase):
    """Otherwise the module does everything."""

    # Ansible makes no temporary directory on the host, which costs a round trip, until it is needed.
    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if no_release := arguments.pop("_no_release", None):
            return {**result, "failed": True, "msg": no_release}
        has_steps, starts = (boolean(arguments.pop(name, False), strict=False) for name in ("_has_steps", "_starts"))
        result.update(run_as_operator(self, TRANSPORT, arguments, task_vars))
        if result.get("needs_package") and not result.get("failed"):
            result.update(failed=True, msg=f"{result['msg']}: set {named('package')}.")
        if starts and result.get("way") == "none" and result["before"]["running"] is None:
            result["way"] = "start"
        result.update(ended=time.time(), has_steps=has_steps)
        return without_vaulted(result, task_vars, arguments)
