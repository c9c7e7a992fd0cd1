# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action otp_warning, which has no module on the host."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import cleaned


class ActionModule(ActionBase):
    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        options = self.validate_argument_spec({"warnings": {"type": "list", "elements": "str", "required": True}})[1]
        return {**super().run(tmp, task_vars), "changed": False, "warnings": cleaned(options["warnings"])}
