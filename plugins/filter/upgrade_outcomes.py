# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter upgrade_outcomes."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.upgrade_outcome import outcome_of

DOCUMENTATION = r"""
name: upgrade_outcomes
short_description: What has become of hosts in an upgrade
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Tells from what the tasks of the role C(upgrade) said of each host whether it has come to the release, and if not, why.
options:
  _input:
    description: The variables of the hosts, as of C(hostvars).
    type: list
    elements: dict
    required: true
  down:
    description: The variable C(otp_down) of the role, what becomes of a host that is down.
    type: str
    default: fail
"""

EXAMPLES = r"""
- name: Say what has become of the fleet
  ansible.builtin.debug:
    msg: "{{ groups['otp'] | map('extract', hostvars) | erlang.otp.upgrade_outcomes | map(attribute='outcome') }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - For each host C(outcome), C(reason), C(before) and C(now) (releases), C(ended), C(seconds), C(down) (seconds without an answer),
      C(is_due), C(is_over) and C(is_lost).
  type: list
  elements: dict
"""


def upgrade_outcomes(hosts: t.Any, *, down: str = "fail") -> list[dict[str, t.Any]]:
    """The outcome of each host."""
    if isinstance(hosts, (str, t.Mapping)) or not isinstance(hosts, t.Iterable):
        raise AnsibleFilterError("upgrade_outcomes needs a list of variables of hosts, such as ansible_play_hosts_all | map('extract', hostvars)")
    return [outcome_of(host, down=str(down)) for host in hosts]


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"upgrade_outcomes": upgrade_outcomes}
