# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter inventory_problems."""

from __future__ import annotations

import glob
import os
import re
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
  - Checks a host's variables on the controller, before the host is touched.
  - Names every variable at fault and the way out. A variable that no role of this collection has is reported
    with the nearest name that there is.
options:
  _input:
    description: The host's variables that begin with C(otp_), and their values.
    type: dict
    required: true
  target:
    description: Whether the host is to have a target system. V(false) checks the names of the variables only, as on a builder.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Check the variables before any host is touched
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    names: "{{ query('ansible.builtin.varnames', '^otp_') }}"
    problems: "{{ dict(names | zip(query('ansible.builtin.vars', *names))) | erlang.otp.inventory_problems }}"
"""

RETURN = r"""
_value:
  description: One sentence a problem; empty when there is none.
  type: list
  elements: str
"""

OPTION = re.compile(r"^      (otp_\w+):", re.MULTILINE)
ROLES = os.path.join(os.path.dirname(__file__), "..", "..", "roles")


def inventory_problems(variables: t.Any, *, target: bool = True) -> list[str]:
    """What is wrong with the variables, by all roles' argument specs."""
    if not isinstance(variables, dict):
        raise AnsibleFilterError(f"inventory_problems needs a mapping of variables, not {type(variables).__name__}")
    return problems(variables, known=known_variables(), target=target)


def known_variables() -> set[str]:
    """The names of all variables of all roles: the options in their argument specs, found by their place in the line.

    This runs for each host, and YAML would take longer than all the rest.
    """
    names: set[str] = set()
    for path in glob.glob(os.path.join(ROLES, "*", "meta", "argument_specs.yml")):
        with open(path, encoding="utf-8") as file:
            names.update(OPTION.findall(file.read()))
    return names


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"inventory_problems": inventory_problems}
