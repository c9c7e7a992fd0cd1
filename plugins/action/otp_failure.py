# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action otp_failure, which has no module on the host."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean


class ShownBefore(AnsibleActionFail):
    """A failure of which Ansible's callbacks show the result, and no block ``[ERROR]`` before it."""

    omit_exception_key = True


class ActionModule(ActionBase):
    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        spec: dict[str, t.Any] = {"msg": {"type": "str", "required": True}, "shown": {"type": "bool", "default": True}}
        options = self.validate_argument_spec(spec)[1]
        raise (ShownBefore if options["shown"] else AnsibleActionFail)(clean(options["msg"]))
