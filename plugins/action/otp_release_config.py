# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Has the module run on the host, or, where that is a box without Python, its work done from here."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.plugin_utils._box.action import is_box, on_box


class ActionModule(ActionBase):
    """Otherwise the module does everything."""

    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        if is_box(self, task_vars):
            result.update(on_box(self, "otp_release_config", dict(self._task.args), task_vars))
        else:
            result.update(self._execute_module(task_vars=task_vars))
        return result
