# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action otp_run_record, which has no module on the host."""

from __future__ import annotations

import os
import time
import typing as t

from ansible import context
from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.run_log import append, record_of
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.this_run import operator, run_of


class ActionModule(ActionBase):
    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        rows = {"type": "list", "elements": "dict", "required": True}
        options = self.validate_argument_spec({"path": {"type": "path", "default": ""}, "hosts": rows, "is_well": {"type": "bool", "required": True}})[1]
        record = record_of(
            options["hosts"],
            is_well=options["is_well"],
            time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            operator=operator(),
            # Ansible forks for each task.
            run=run_of(os.getppid()),
            playbooks=context.CLIARGS.get("args") or (),
        )
        result = {**super().run(tmp, task_vars), "changed": False, "run": record}
        if options["path"] and not self._task.check_mode:
            try:
                append(options["path"], record)
            except OtpError as error:
                # What the run has done is done.
                result["warnings"] = [str(error)]
        return result
