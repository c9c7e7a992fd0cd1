# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of a module that has no package of the controller: it goes to the host, or works on the controller for a box without Python."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import cleaned
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.numbers import refuse_numbers
from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.quiet import execute_quietly
from ansible_collections.erlang.otp.plugins.plugin_utils._secrecy.vaulted import without_vaulted
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import StdinTransport


class TransportAction(ActionBase):
    """Otherwise the module does everything."""

    # In each action plugin.
    transport: StdinTransport
    TRANSFERS_FILES = False

    def __init__(self, *arguments: t.Any, **named: t.Any) -> None:
        super().__init__(*arguments, **named)
        self._supports_async = not self.transport.for_boxes

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        refuse_numbers(self._task.args)
        # Such a module answers in a file, later.
        execute = execute_quietly if self._task.async_val else self.transport.execute
        result.update(execute(self, dict(self._task.args), task_vars))
        return without_vaulted(cleaned(result), task_vars, self._task.args)
