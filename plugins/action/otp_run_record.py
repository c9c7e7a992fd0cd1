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
from ansible.plugins.loader import lookup_loader

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.run_log import append, record_of
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.this_run import operator, run_of


class ActionModule(ActionBase):
    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        rows = {"type": "list", "elements": "dict", "required": True}
        path = {"type": "path", "default": ""}
        options = self.validate_argument_spec({"path": path, "template": path, "hosts": rows, "is_well": {"type": "bool", "required": True}})[1]
        record = record_of(
            options["hosts"],
            is_well=options["is_well"],
            time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            operator=operator(),
            # Ansible forks for each task.
            run=run_of(os.getppid()),
            playbooks=context.CLIARGS.get("args") or (),
        )
        warnings: list[str] = []
        result = {**super().run(tmp, task_vars), "changed": False, "run": record, "template_is_well": True, "warnings": warnings}
        # What the run has done is done, so that nothing here is a failure.
        if options["path"] and not self._task.check_mode:
            try:
                append(options["path"], record)
            except OtpError as error:
                warnings.append(str(error))
        if options["template"]:
            lookup = lookup_loader.get("ansible.builtin.template", loader=self._loader, templar=self._templar)
            try:
                lookup.run([options["template"]], {**(task_vars or {}), "otp_run": record})
            except Exception as error:  # noqa: BLE001 as Jinja, filters and tests raise what they like
                result["template_is_well"] = False
                warnings.append(f"otp_notify.template: {options['template']} cannot be rendered, so that the record itself is posted: {error}")
        return result
