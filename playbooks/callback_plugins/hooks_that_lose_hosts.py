# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notes which hook or gate could not reach a host. Ansible loads the callback plugins beside a playbook by itself.

A host that is lost in a task is lost for the run, past every rescue; with the keyword ignore_unreachable nothing says that the task was not done. Here the
hook's task file (roles/upgrade/tasks/hook.yml) learns it, from the variable ``_otp_lost``.
"""

from __future__ import annotations

import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: hooks_that_lose_hosts
type: aggregate
short_description: Hooks that could not reach a host
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Part of the playbooks of C(erlang.otp), beside which it is. Internal.
"""


class CallbackModule(CallbackBase):
    """Writes variables of hosts, and nothing to the terminal."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "hooks_that_lose_hosts"

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self.variables = play.get_variable_manager()
        # Where this plugin is not loaded, as with a copy of a playbook, nothing may be ignored.
        play.vars["_otp_is_watched"] = True

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        hook = result.task.get_vars().get("_otp_hook")
        if hook:
            lost = {"hook": hook, "task": result.task.name or result.task.get_name(), "msg": str(result.result.get("msg") or "")}
            self.variables.set_nonpersistent_facts(result.host.get_name(), {"_otp_lost": lost})
