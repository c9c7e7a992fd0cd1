# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter shared_systems."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory import upgrade as _upgrade_inventory

DOCUMENTATION = r"""
name: shared_systems
short_description: Hosts of an inventory that are one and the same system
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Finds hosts that have the same address and port, or a local connection, and the same C(otp_root).
  - Two hosts that are one system would be worked on at the same time, each as if the other was not there.
options:
  _input:
    description: The variables of the hosts, as of C(hostvars).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Check that each host is a system of its own
  ansible.builtin.assert:
    that: shared | length == 0
    fail_msg: "{{ shared | join(' ') }}"
  vars:
    shared: "{{ ansible_play_hosts_all | map('extract', hostvars) | erlang.otp.shared_systems }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: One sentence for each host that is another one as well; empty when there is none.
  type: list
  elements: str
"""


def shared_systems(hosts: t.Any) -> list[str]:
    """Sentences, each with two hosts that are one system."""
    if isinstance(hosts, (str, t.Mapping)) or not isinstance(hosts, t.Iterable):
        raise AnsibleFilterError("shared_systems needs a list of variables of hosts, such as ansible_play_hosts_all | map('extract', hostvars)")
    return [*_upgrade_inventory.shared_systems(hosts)]


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"shared_systems": shared_systems}
