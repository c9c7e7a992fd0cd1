# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter fleet_problems."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.client import client_problems
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.cluster import of_clusters
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.fleet import of_hosts, shared_systems
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.run import extra_variables, in_the_inventory

DOCUMENTATION = r"""
name: fleet_problems
short_description: What does not fit between the hosts of an inventory
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Without O(clients), returns what P(erlang.otp.inventory_problems#filter) has found for single hosts and the role keeps in C(_otp_problems), each
    problem once with the names of its hosts.
  - It then finds hosts that have the same connection, address and port, or a local connection, and the same C(otp_root). They are one
    system, which two tasks would change at the same time.
  - It refuses C(otp_hosts), C(otp_builders), C(otp_serial) and C(otp_max_fail_percentage) in the inventory. Plays do not see them there.
  - It checks that the hosts of a cluster (C(otp_cluster)) are one group.
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


def fleet_problems(hostvars: t.Any, *, hosts: t.Iterable[str], clients: bool = False) -> list[str]:
    """What does not fit between hosts."""
    if not isinstance(hostvars, t.Mapping):
        raise AnsibleFilterError("fleet_problems needs hostvars, the variables of all hosts")
    if clients:
        return [*client_problems(hostvars, hosts)]
    variables = [hostvars[host] for host in hosts]
    return [*of_hosts(variables), *of_clusters(hostvars, hosts), *in_the_inventory(variables, extra_variables()), *shared_systems(variables)]


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"fleet_problems": fleet_problems}
