# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""roles/upgrade/tasks/hook.yml alone, with the callback plugin of the playbooks: a hook that cannot reach a host has failed, and its rest is left out.

test_upgrade_failing.py has what becomes of the host and its batch.
"""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml
from waiting import free_port

TOP = Path(__file__).parents[2]
LIMIT = 600


def run_hook(directory: Path, hook: str, *tasks: dict[str, t.Any]) -> str:
    """The hook of a play with these tasks, and what Ansible prints: `came back` where the hook failed as a task that a rescue can take."""
    (directory / "hook.yml").write_text(yaml.safe_dump(tasks))
    role = {"ansible.builtin.include_role": {"name": "erlang.otp.upgrade", "tasks_from": "hook.yml"}, "vars": {"_otp_hook": hook}}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"otp_hooks": {hook: str(directory / "hook.yml")}},
        "tasks": [{"block": [role], "rescue": [{"ansible.builtin.debug": {"msg": "came back: {{ ansible_failed_result.msg }}"}}]}],
    }
    (directory / "play.yml").write_text(yaml.safe_dump([play]))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-c", "local", str(directory / "play.yml")]
    environment = {**os.environ, "ANSIBLE_CALLBACK_PLUGINS": str(TOP / "playbooks/callback_plugins")}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT, check=False)
    return done.stdout


def test_a_hook_that_cannot_reach_a_host_has_failed_and_its_rest_is_left_out(tmp_path: Path) -> None:
    away = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": free_port()}
    ping = {"name": "Ask the balancer", "ansible.builtin.ping": {}, "delegate_to": "balancer", "vars": away}
    rest = {"name": "Report", "ansible.builtin.debug": {"msg": "the rest is done"}}
    output = run_hook(tmp_path, "gate", ping, rest)
    assert "came back: hook gate: Ask the balancer: a host cannot be reached: " in output and "the rest is done" not in output
    output = run_hook(tmp_path, "gate", rest)
    assert "the rest is done" in output and "came back" not in output
