# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter verify_state."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet import verify_state as _verify_state

DOCUMENTATION = r"""
name: verify_state
short_description: What differs on hosts from packages and inventory
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Derives from what M(erlang.otp.otp_release_verify) returned for each host, and M(erlang.otp.otp_target_system) in check mode, what differs there.
  - The playbook C(erlang.otp.verify) shows its report, and fails by it.
positional: _input
options:
  _input:
    description:
      - The variables of the hosts, as in C(hostvars), with C(inventory_hostname), the result of M(erlang.otp.otp_release_verify) in C(_otp_verified), and that
        of M(erlang.otp.otp_target_system) in C(_otp_system).
    type: list
    elements: dict
    required: true
  check_mode:
    description: Whether the run is in check mode.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Report what differs
  ansible.builtin.debug:
    msg: "{{ (ansible_play_hosts_all | map('extract', hostvars) | erlang.otp.verify_state).lines }}"
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
    is_well:
      description: Whether no host counts as failed.
      type: bool
    report:
      description: The same as data, for each host C(host), C(before), C(now), C(seconds), C(outcome) and C(reason).
      type: list
      elements: dict
    lines:
      description: The report, a table, and below it what differs, and what to do.
      type: list
      elements: str
"""


def verify_state(hosts: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """The state of the hosts."""
    if isinstance(hosts, (str, t.Mapping)) or not isinstance(hosts, t.Iterable):
        raise AnsibleFilterError("verify_state needs a list of variables of hosts, such as ansible_play_hosts_all | map('extract', hostvars)")
    return _verify_state.verify_state([*hosts], **options)


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"verify_state": verify_state}
