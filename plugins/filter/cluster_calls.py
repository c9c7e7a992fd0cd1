# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter cluster_calls."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: cluster_calls
short_description: How to call the nodes of a cluster
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Makes of the inventory the calls of M(erlang.otp.otp_rpc) that ask the nodes of a cluster, also those of hosts that the run does not come to.
  - The role C(erlang.otp.upgrade) asks by it which nodes run, and checks C(otp_cluster_gates).
positional: _input
options:
  _input:
    description: The variables of all hosts, C(hostvars).
    type: dict
    required: true
  hosts:
    description: The hosts whose nodes are called.
    type: list
    elements: str
    required: true
  gates:
    description: The calls, as the variable C(otp_cluster_gates) of the role has them.
    type: list
    elements: dict
    required: true
  nodes:
    description: The hosts whose nodes C(expect_nodes) of a gate means.
    type: list
    elements: str
    default: []
  more:
    description: What each item has besides.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show how to ask the nodes of a cluster whether they run
  ansible.builtin.debug:
    msg: "{{ hostvars | erlang.otp.cluster_calls(hosts=groups['otp'], gates=[{'rpc': {'module': 'init', 'function': 'get_status'}}]) }}"
"""

RETURN = r"""
_value:
  description:
    - For each host and gate C(host), C(place) (where the task runs), C(gate) (its name), and of the options of M(erlang.otp.otp_rpc) C(node), C(pipe_dir),
      C(epmd_port), C(module), C(function), C(arguments), C(expect) and C(expect_nodes).
  type: list
  elements: dict
"""


def cluster_calls(
    hostvars: t.Any, *, hosts: t.Sequence[str], gates: t.Sequence[t.Mapping[str, t.Any]], nodes: t.Sequence[str] = (), more: t.Mapping[str, t.Any] | None = None
) -> list[dict[str, t.Any]]:
    """The calls."""
    if not isinstance(hostvars, t.Mapping):
        raise AnsibleFilterError("cluster_calls needs hostvars, the variables of all hosts")
    # Here, as every fork of Ansible loads all filters of the collection for any of them.
    from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
    from ansible_collections.erlang.otp.plugins.plugin_utils._fleet import cluster_calls as _cluster_calls

    try:
        return _cluster_calls.cluster_calls(hostvars, [*hosts], [*gates], [*nodes], more or {})
    except OtpError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"cluster_calls": cluster_calls}
