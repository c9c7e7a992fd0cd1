# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of a module that has no package, and goes to the host as it is, or works on the controller for a box without Python."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import cleaned
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.numbers import refuse_numbers
from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.vaulted import without_vaulted
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import StdinTransport


class TransportAction(ActionBase):
    """Otherwise the module does everything."""

    # In each action plugin.
    transport: StdinTransport
    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        refuse_numbers(self._task.args)
        result.update(self.transport.execute(self, dict(self._task.args), task_vars))
        return without_vaulted(cleaned(result), task_vars, self._task.args)
