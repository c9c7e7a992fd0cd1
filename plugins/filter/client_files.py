# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter client_files."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: client_files
short_description: The scripts and units of a client node
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Renders C(bin/start), C(bin/stop), C(bin/environment) and the units of a client node. The role C(erlang.otp.clients) uses it.
positional: _input
options:
  _input:
    description: The variables of the role C(erlang.otp.target_system) for the client's host, by their names.
    type: dict
    required: true
  root:
    description: The root directory with the client's libraries, as its machine type has it.
    type: str
    required: true
  directory:
    description: The client's own directory.
    type: str
    required: true
  home:
    description: The directory with the cookie file.
    type: str
    required: true
  run_dir:
    description: A directory for pipes and the process number, which the client's host can write to.
    type: str
    required: true
  log_dir:
    description: A directory for logs, which the client's host can write to.
    type: str
    required: true
  static:
    description: Whether the client has a static emulator.
    type: bool
    default: false
  erts_version:
    description: The version of that emulator.
    type: str
    default: ""
  hosts:
    description: The IPv4 addresses of the boot servers of a client without a disk.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show how a client would be started
  ansible.builtin.debug:
    msg: "{{ (variables | erlang.otp.client_files(root='/srv/exchange', directory='/srv/exchange/clients/exchange@north',
      home='/var/lib/exchange', run_dir='/run/exchange', log_dir='/var/log/exchange')).start }}"
"""

RETURN = r"""
_value:
  description: The texts.
  type: dict
  contains:
    start:
      description: The script C(bin/start).
      type: str
    stop:
      description: The script C(bin/stop).
      type: str
    environment:
      description: The file C(bin/environment), with the environment variables of the node.
      type: str
    start_erl.data:
      description: Which emulator C(bin/start) starts.
      type: str
      returned: when O(static) is true
    node.service:
      description: The unit of the node.
      type: str
      returned: when C(otp_service_manager) is V(systemd)
    epmd.service:
      description: The unit of its EPMD.
      type: str
      returned: when C(otp_service_manager) is V(systemd)
"""


def client_files(variables: t.Any, **place: t.Any) -> dict[str, str]:
    """The scripts and units of a client node."""
    if not isinstance(variables, t.Mapping):
        raise AnsibleFilterError("client_files needs a mapping of variables")
    # Each process of Ansible that needs a filter loads all of them, and this is most of the work.
    from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
    from ansible_collections.erlang.otp.plugins.plugin_utils._target_system import rendering as _rendering

    try:
        return _rendering.client_files(variables, _rendering.Client(**{**place, "hosts": tuple(place.get("hosts", ()))}))
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(f"client_files lacks a variable or an option: {error}") from error
    except OtpError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"client_files": client_files}
