# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter upgrade_state."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet import upgrade_state as _upgrade_state
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.run import run

DOCUMENTATION = r"""
name: upgrade_state
short_description: What became of hosts in an upgrade, and what follows for their batch
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Derives from the results of the tasks of the role C(erlang.otp.upgrade) whether each host has come to the release, and if not, why.
  - The role decides by it whether a batch goes on, is rolled back, or ends the run, and shows its report.
positional: _input
options:
  _input:
    description: The variables of the hosts, as in C(hostvars).
    type: list
    elements: dict
    required: true
  down:
    description: The variable C(otp_down) of the role, what to do with a host whose node is down.
    type: str
    default: fail
  check_mode:
    description: Whether the run is in check mode.
    type: bool
    default: false
  max_fail_percentage:
    description: How many hosts of a hundred may fail before the run ends.
    type: float
    default: 0
  playing:
    description: The hosts that Ansible has not lost, C(ansible_play_hosts). All by default.
    type: list
    elements: str
  serial:
    description: The batches, as in the keyword C(serial) of a play.
    type: raw
    default: 1
"""

EXAMPLES = r"""
- name: Report the outcome of the fleet
  ansible.builtin.debug:
    msg: "{{ (groups['otp'] | map('extract', hostvars) | erlang.otp.upgrade_state).hosts | map(attribute='outcome') }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The state of the hosts.
  type: dict
  contains:
    hosts:
      description:
        - For each host C(outcome), C(reason), C(before) and C(now) (releases), C(back) (the release that a failure leads back to), C(seconds),
          C(down) (seconds without an answer), C(is_another) (another emulator runs than before), C(can_go), C(is_due),
          C(is_lost) (a task was left out), C(is_over), C(is_bad), C(is_shown) (Ansible has shown why), C(no_release) (why none is known), C(is_held) and
          C(is_back) (the rollback has succeeded).
      type: list
      elements: dict
    is_refused:
      description: Whether more hosts than may fail cannot be upgraded.
      type: bool
    is_failed:
      description: Whether more hosts than may fail have failed, or the nodes of a cluster say that no other batch may follow.
      type: bool
    short:
      description: The hosts of the batch that cannot be changed because too few nodes of their cluster would run then, and why.
      type: dict
    broken:
      description: The gate of a cluster that has failed, and how. Empty if none has.
      type: str
    running:
      description: The hosts of the clusters whose nodes ran when the batch began.
      type: list
      elements: str
    watched:
      description: The hosts of the batch whose nodes are watched, or were.
      type: list
      elements: str
    reports_before:
      description: The most error reports that a node of the batch before had while it was watched.
      type: int
    has_failed:
      description: Whether the node of a host was rolled back, or is not back.
      type: bool
    is_over:
      description: Whether nothing is left to do on any host.
      type: bool
    is_well:
      description: Whether no host counts as failed, and the run was not stopped.
      type: bool
    stop:
      description: Why the run has stopped before a batch, as C(otp_stop_file) says; empty if it has not.
      type: str
    cause:
      description: Which host has failed, and why, in one line; the first if several have. Empty if none has.
      type: str
    is_reached:
      description: Whether the run has come to each host.
      type: bool
    is_one_batch:
      description: Whether the first batch has all of the hosts.
      type: bool
    report:
      description: The same as data, for each host C(host), C(before), C(now), C(seconds), C(outcome) and C(reason).
      type: list
      elements: dict
    lines:
      description: The report, a table with the reasons below it.
      type: list
      elements: str
"""


def upgrade_state(hosts: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """The state of the hosts."""
    if isinstance(hosts, (str, t.Mapping)) or not isinstance(hosts, t.Iterable):
        raise AnsibleFilterError("upgrade_state needs a list of variables of hosts, such as ansible_play_hosts_all | map('extract', hostvars)")
    # Where the checks of the variables were left out, by --skip-tags or --start-at-task.
    for problem in run({"otp_serial": options.get("serial", 1), "otp_max_fail_percentage": options.get("max_fail_percentage", 0)}):
        raise AnsibleFilterError(problem)
    return _upgrade_state.upgrade_state([*hosts], **options)


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"upgrade_state": upgrade_state}
