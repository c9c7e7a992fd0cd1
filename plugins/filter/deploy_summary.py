# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter deploy_summary."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.summary import deploy_lines

DOCUMENTATION = r"""
name: deploy_summary
short_description: The table at the end of a deployment
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Makes a table from what M(erlang.otp.otp_target_system) returned for each host. The playbook C(erlang.otp.deploy) shows it.
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
"""

EXAMPLES = r"""
- name: Report what runs where
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts_all | map('extract', hostvars) | erlang.otp.deploy_summary(check_mode=ansible_check_mode) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The lines of the table, and below it what is left to do, or why a host failed.
  type: list
  elements: str
"""


def deploy_summary(hosts: t.Any, *, check_mode: bool = False) -> list[str]:
    """The lines."""
    if isinstance(hosts, (str, t.Mapping)) or not isinstance(hosts, t.Iterable):
        raise AnsibleFilterError("deploy_summary needs a list of variables of hosts, such as ansible_play_hosts_all | map('extract', hostvars)")
    return deploy_lines([(host["inventory_hostname"], host.get("_otp_system") or {}) for host in hosts], check_mode=check_mode)


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"deploy_summary": deploy_summary}
