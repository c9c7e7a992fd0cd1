#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_warning
short_description: Show warnings of Ansible
version_added: 0.1.0
description:
  - Shows warnings as Ansible shows its own, for what only a role knows. It runs on the controller and does nothing else.
  - Ansible shows equal warnings once in a run. The role C(erlang.otp.clients) uses it.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
  - erlang.otp._attributes.info_module
options:
  warnings:
    description: The warnings. Without any, the task shows nothing.
    type: list
    elements: str
    required: true
seealso:
  - module: ansible.builtin.debug
"""

EXAMPLES = r"""
- name: Warn about nodes that share a host
  erlang.otp.otp_warning:
    warnings: ["{{ inventory_hostname }} runs two nodes: an upgrade of both takes twice the memory."]
  when: nodes | length > 1
"""

RETURN = r"""#"""
