# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter fleet_problems."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.client import client_problems
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.upgrade import shared_systems

DOCUMENTATION = r"""
name: fleet_problems
short_description: What does not fit between the hosts of an inventory
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Without O(clients), finds hosts that have the same address and port, or a local connection, and the same C(otp_root). They are one
    system, which two tasks would change at the same time.
  - With O(clients), checks that each host names a master that exists, with the same root directory and cookie, and that a client
    without a disk has all that it boots with.
positional: _input
options:
  _input:
    description: The variables of all hosts, C(hostvars).
    type: dict
    required: true
  hosts:
    description: The hosts to check.
    type: list
    elements: str
    required: true
  clients:
    description: Whether the hosts are to be client nodes.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Check that each host is a separate system
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: "{{ hostvars | erlang.otp.fleet_problems(hosts=ansible_play_hosts_all) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: One sentence for each problem. Empty without problems.
  type: list
  elements: str
"""


def fleet_problems(hostvars: t.Any, hosts: t.Iterable[str], *, clients: bool = False) -> list[str]:
    """What does not fit between hosts."""
    if not isinstance(hostvars, t.Mapping):
        raise AnsibleFilterError("fleet_problems needs hostvars, the variables of all hosts")
    return [*client_problems(hostvars, hosts)] if clients else [*shared_systems(hostvars[host] for host in hosts)]


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"fleet_problems": fleet_problems}
