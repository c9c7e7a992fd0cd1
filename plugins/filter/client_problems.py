# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter client_problems."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory import client as _client_inventory

DOCUMENTATION = r"""
name: client_problems
short_description: What does not fit between client nodes and their masters in an inventory
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Checks on the controller, before any host is touched, that each client names a master that there is, with the same root directory and
    cookie, and that a client without a disk has all that it boots with.
options:
  _input:
    description: The variables of all hosts, C(hostvars).
    type: dict
    required: true
  hosts:
    description: The hosts that are to be client nodes.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Check that clients and masters fit
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: "{{ hostvars | erlang.otp.client_problems(hosts=ansible_play_hosts_all) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: One sentence a problem, which begins with the host; empty when there is none.
  type: list
  elements: str
"""


def client_problems(hostvars: t.Any, hosts: t.Iterable[str]) -> list[str]:
    """What does not fit between clients and masters."""
    if not isinstance(hostvars, t.Mapping):
        raise AnsibleFilterError("client_problems needs hostvars, the variables of all hosts")
    return [*_client_inventory.client_problems(hostvars, hosts)]


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"client_problems": client_problems}
