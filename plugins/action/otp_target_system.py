# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks the host once for all of a target system, and brings the package over only when the host lacks it."""

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.modules.otp_target_system import ARGUMENT_SPEC
from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.vaulted import without_vaulted
from ansible_collections.erlang.otp.plugins.plugin_utils._target_system import rendering as _rendering
from ansible_collections.erlang.otp.plugins.plugin_utils._target_system.own_files import own_files
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import StdinTransport
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.this_run import run_as_operator

TRANSPORT = StdinTransport("otp_target_system")


class ActionModule(ActionBase):
    """Otherwise the module does everything."""

    # Ansible makes no temporary directory on the host, which costs a round trip, until it is needed.
    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        began = time.monotonic()
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        variables = arguments.pop("_role_variables", None)
        if variables:
            try:
                files = own_files(self, variables.get("otp_files") or [], task_vars)
                arguments = {**_rendering.named(variables, ARGUMENT_SPEC), **_rendering.options(variables), "own_files": files, **arguments}
            except OtpError as error:
                return {**result, "failed": True, "msg": str(error)}
        result.update(run_as_operator(self, TRANSPORT, arguments, task_vars))
        if result.get("needs_package"):
            result.update(failed=True, msg=f"{result['msg']}, and no package is given: set otp_package, or have one built.")
        # Ansible's own way repeats the options, and files of otp_files may have secrets.
        result.pop("invocation", None)
        result["seconds"] = round(time.monotonic() - began, 3)
        return without_vaulted(result, task_vars, self._task.args)
