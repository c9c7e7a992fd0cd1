# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter deploy_state."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet import deploy_state as _deploy_state
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.run import run

DOCUMENTATION = r"""
name: deploy_state
short_description: What became of hosts in a deployment, and what follows for their nodes
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Derives from what M(erlang.otp.otp_target_system) returned for each host, and from a restart of its node, what became of it.
  - The playbook C(erlang.otp.deploy) decides by it which nodes are started and restarted, and shows its report.
positional: _input
options:
  _input:
    description: The variables of the hosts, as in C(hostvars), with C(inventory_hostname) and the result in C(_otp_system).
    type: list
    elements: dict
    required: true
  check_mode:
    description: Whether the run is in check mode.
    type: bool
    default: false
  down:
    description: The variable C(otp_down) of the role C(erlang.otp.upgrade).
    type: str
    default: fail
  max_fail_percentage:
    description: How many hosts of a hundred may fail before no node is restarted.
    type: float
    default: 0
  playing:
    description: The hosts that Ansible has not lost, C(ansible_play_hosts). All by default.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Report what runs where
  ansible.builtin.debug:
    msg: "{{ (ansible_play_hosts_all | map('extract', hostvars) | erlang.otp.deploy_state(check_mode=ansible_check_mode)).lines }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The state of the hosts.
  type: dict
  contains:
    hosts:
      description: For each host C(outcome), C(reason), C(is_bad) (it counts as failed) and C(is_shown) (Ansible has shown why).
      type: list
      elements: dict
    starts:
      description: Whether a node waits for the hook C(start).
      type: bool
    to_restart:
      description: The names of the hosts whose nodes are to be restarted. Empty if too many hosts failed, and in check mode.
      type: list
      elements: str
    is_well:
      description: Whether no host counts as failed.
      type: bool
    report:
      description: The same as data, for each host C(host), C(before), C(now), C(seconds), C(outcome) and C(reason).
      type: list
      elements: dict
    lines:
      description: The report, a table, and below it what is left to do, or why a host failed.
      type: list
      elements: str
"""


def deploy_state(hosts: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """The state of the hosts."""
    if isinstance(hosts, (str, t.Mapping)) or not isinstance(hosts, t.Iterable):
        raise AnsibleFilterError("deploy_state needs a list of variables of hosts, such as ansible_play_hosts_all | map('extract', hostvars)")
    # Where the checks of the variables were left out, by --skip-tags or --start-at-task.
    for problem in run({"otp_max_fail_percentage": options.get("max_fail_percentage", 0)}):
        raise AnsibleFilterError(problem)
    return _deploy_state.deploy_state([*hosts], **options)


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"deploy_state": deploy_state}
