#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_failure
short_description: Fail a host whose error was shown before
version_added: 0.1.0
description:
  - Fails the host without another block C([ERROR]), for a failure that an earlier task has shown, and that was rescued or ignored since.
  - The playbooks and roles of this collection use it, so that a failure has one such block. It runs on the controller and does nothing else.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
  - erlang.otp._attributes.info_module
options:
  msg:
    description: Why the host fails.
    type: str
    required: true
  shown:
    description: Whether the error was shown before. Otherwise it is shown, as M(ansible.builtin.fail) does.
    type: bool
    default: true
seealso:
  - module: ansible.builtin.fail
"""

EXAMPLES = r"""
- name: Put the node back into service, whatever became of it
  block:
    - name: Restart the exchange
      erlang.otp.otp_node:
        root: /srv/exchange
        state: restarted
  rescue:
    - name: Switch the load balancer
      ansible.builtin.command: /usr/local/bin/balance --away {{ inventory_hostname }}
      delegate_to: balancer
      changed_when: true

    - name: Fail the host
      erlang.otp.otp_failure:
        msg: "{{ ansible_failed_task.name }} has failed, see above"
"""

RETURN = r"""#"""
