#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_run_record
short_description: Record what became of the hosts of a run
version_added: 0.1.0
description:
  - Appends a line of JSON to a file of the controller, with the operator, the playbooks, the hosts and their outcomes. The playbooks of this
    collection use it at their end.
  - A file that cannot be written is a warning and no failure, because what the run has done is done.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each run has its line.
options:
  path:
    description: The file on the controller. It is created. Empty, nothing is written.
    type: path
    default: ''
  template:
    description:
      - A template of the controller that is to be posted, with the record as its variable C(otp_run). It is only tried. One that cannot be rendered is
        a warning.
    type: path
    default: ''
  hosts:
    description: What became of the hosts, C(report) of the filters P(erlang.otp.upgrade_state#filter) and P(erlang.otp.deploy_state#filter).
    type: list
    elements: dict
    required: true
  is_well:
    description: Whether no host counts as failed.
    type: bool
    required: true
seealso:
  - plugin: erlang.otp.upgrade_state
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Record the run
  erlang.otp.otp_run_record:
    path: "{{ inventory_dir }}/.runs.jsonl"
    hosts: "{{ state.report }}"
    is_well: "{{ state.is_well }}"
  vars:
    state: "{{ ansible_play_hosts_all | map('extract', hostvars) | erlang.otp.upgrade_state }}"
  run_once: true
"""

RETURN = r"""
template_is_well:
  description: Whether O(template) can be rendered. Without one, true.
  returned: always
  type: bool
run:
  description: The record.
  returned: always
  type: dict
  contains:
    schema:
      description: The number of its format. It changes with each change that would break a reader.
      type: int
      sample: 1
    time:
      description: When the run ended, in UTC.
      type: str
      sample: "2026-01-31T12:00:00Z"
    operator:
      description: User and host name of the controller.
      type: str
      sample: alice@laptop
    run:
      description: The process of the run, as in RV(erlang.otp.otp_release_info#module:upgrading).
      type: str
      sample: 4711-99-0a1b2c3d
    playbooks:
      description: The playbooks of the command.
      type: list
      elements: str
      sample: [erlang.otp.upgrade]
    outcome:
      description: V(ok), or V(failed) if a host counts as failed.
      type: str
    hosts:
      description: For each host C(host), the releases C(before) and C(now), C(outcome), C(reason) and C(seconds). What is not known is null.
      type: list
      elements: dict
      sample: [{host: north, before: "1.0", now: "2.0", outcome: done, reason: null, seconds: 1.5}]
"""
