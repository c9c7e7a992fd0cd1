# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter boot_server_clients."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory import client as _client_inventory

DOCUMENTATION = r"""
name: boot_server_clients
short_description: The addresses of the client nodes that boot from a master
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Finds the hosts that name the master as C(otp_master) and have C(otp_client_loader=inet), except those with C(otp_client_state=absent).
  - The role C(erlang.otp.target_system) lets its boot server answer these addresses only.
positional: _input, master, hosts
options:
  _input:
    description: The variables of all hosts, C(hostvars).
    type: dict
    required: true
  master:
    description: The inventory's name of the master.
    type: str
    required: true
  hosts:
    description: The hosts whose C(otp_client_state) counts; all by default. With C(-e otp_client_state=absent) every host of the inventory has it.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: List the clients of this host's boot server
  ansible.builtin.debug:
    msg: "{{ hostvars | erlang.otp.boot_server_clients(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: Their IPv4 addresses, in order, each once.
  type: list
  elements: str
"""


def boot_server_clients(hostvars: t.Any, master: str, hosts: t.Collection[str] | None = None) -> list[str]:
    """The IPv4 addresses of the master's clients without a disk."""
    if not isinstance(hostvars, t.Mapping):
        raise AnsibleFilterError("boot_server_clients needs hostvars, the variables of all hosts")
    return _client_inventory.boot_server_clients(hostvars, master, hosts)


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"boot_server_clients": boot_server_clients}
