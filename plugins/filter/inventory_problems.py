# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter inventory_problems."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.checks import problems

DOCUMENTATION = r"""
name: inventory_problems
short_description: What is wrong with the otp_* variables of a host
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Checks a host's variables on the controller, before the host is changed.
  - Names every variable at fault and the way out. A variable that no role of this collection has is reported with the most similar name.
  - Types and choices are those of the roles' argument specs.
positional: _input
options:
  _input:
    description: The host's variables that begin with C(otp_), and their values.
    type: dict
    required: true
  target:
    description: Whether the host is to have a target system. V(false) checks what a builder needs.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Check the variables before any host is changed
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    names: "{{ query('ansible.builtin.varnames', '^otp_') }}"
    problems: "{{ dict(names | zip(query('ansible.builtin.vars', *names))) | erlang.otp.inventory_problems }}"
"""

RETURN = r"""
_value:
  description: One sentence for each problem. Empty without problems.
  type: list
  elements: str
"""


def inventory_problems(variables: t.Any, *, target: bool = True) -> list[str]:
    """What is wrong with the variables, by all roles' argument specs."""
    if not isinstance(variables, dict):
        raise AnsibleFilterError(f"inventory_problems needs a mapping of variables, not {type(variables).__name__}")
    return problems(variables, target=target)


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"inventory_problems": inventory_problems}
