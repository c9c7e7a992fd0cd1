# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks with Ansible's own classes and its connection plugin local, so that what is tested is what runs in a playbook."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import connection_loader
from ansible.template import Templar


class Action(ActionBase):
    """Ansible's own way only notes that it was taken."""

    went_ansibles_way = 0

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        raise NotImplementedError

    def _execute_module(self, *dummy: t.Any, **options: t.Any) -> dict[str, t.Any]:
        self.went_ansibles_way += 1
        return {"arguments": options["module_args"]}


def make_action(*, pipelining: bool = True, check_mode: bool = False, async_seconds: int = 0, kind: type[Action] = Action) -> Action:
    context, loader = PlayContext(), DataLoader()
    connection = connection_loader.get("local", context)
    connection.set_options()
    connection.set_option("pipelining", pipelining)
    task = Task()
    task.check_mode, task.async_val = check_mode, async_seconds
    return kind(task, connection, context, loader, Templar(loader=loader), None)


def interpreter(directory: Path, before: str = "", after: str = "") -> dict[str, t.Any]:
    """Variables of a host whose Python is a script that does more: before and after it, as a login shell or sudo may."""
    script = directory / "python"
    script.write_text(f'#!/bin/sh\n{before}\n{sys.executable} "$@"\nstatus=$?\n{after}\nexit $status\n')
    script.chmod(0o755)
    return {"ansible_python_interpreter": str(script)}
