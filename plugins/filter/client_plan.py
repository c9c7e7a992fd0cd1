# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter client_plan."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: client_plan
short_description: What to do for a client node, and on its master
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Decides where the files of a client node are, on which host and whose, and whether its node starts or stops, and what the table says of it.
  - The role C(erlang.otp.clients) acts by it.
positional: _input, hostvars
options:
  _input:
    description:
      - The variables of the role C(erlang.otp.clients) and the results of its tasks that are listed as C(_otp_client_known) in its C(vars).
        A task that has not run has an empty result.
    type: dict
    required: true
  hostvars:
    description: The variables of all hosts, for the plan of the master instead.
    type: dict
"""

EXAMPLES = r"""
# In a task of the role
- name: Stop the node
  ansible.builtin.include_tasks: stop.yml
  when: (known | erlang.otp.client_plan).stops
"""

RETURN = r"""
_value:
  description: The plan.
  type: dict
  contains:
    root:
      description: The root directory with the libraries of the client, that of its machine type if it has one.
      type: str
    directory:
      description: The client's own directory.
      type: str
    scripts:
      description: The options of P(erlang.otp.client_files#filter).
      type: dict
    files:
      description:
        - The files that M(erlang.otp.otp_release_client) does not write, each with C(name), as in the result of P(erlang.otp.client_files#filter),
          C(path), C(mode) and C(owner), which is null for the user that writes it.
      type: list
      elements: dict
    files_host:
      description: The host where these files are.
      type: str
    keep_in:
      description: Where earlier files of the client are kept, the option of M(erlang.otp.otp_client_files).
      type: str
    home:
      description: The directory with the cookie file.
      type: str
    cookie_host:
      description: The host where the cookie file is.
      type: str
    cookie_owner:
      description: The owner of the cookie file.
      type: str
    units:
      description: The units of systemd, each with C(name), and C(file), its name in the result of P(erlang.otp.client_files#filter).
      type: list
      elements: dict
    directories:
      description: The directories that a client without a disk has itself, each with C(path), C(mode) and C(owner), as C(files).
      type: list
      elements: dict
    programs:
      description: The programs of the emulator that a client without a disk has itself.
      type: list
      elements: str
    runs:
      description: Whether a process of the node runs on its host.
      type: bool
    is_down:
      description: Whether its host has reported that no process of the node runs.
      type: bool
    emulator:
      description: What identifies the emulator that runs; empty if none does.
      type: str
    pid:
      description: Its process on its host. Null if none runs.
      type: int
    is_lost:
      description: Whether a task could not reach its host.
      type: bool
    system:
      description: The client in the table of P(erlang.otp.deploy_state#filter), in the form of the result of M(erlang.otp.otp_target_system).
      type: dict
    stops:
      description: Whether to stop the node.
      type: bool
    starts:
      description: Whether to start the node.
      type: bool
    added:
      description: The addresses to add to the list of the boot server. Like C(removed) and C(pruned), in the plan of a master.
      type: list
      elements: str
    removed:
      description: The addresses to remove from that list.
      type: list
      elements: str
    pruned:
      description: The clients whose directories are to be removed, each with C(client) and C(type).
      type: list
      elements: dict
    warnings:
      description: Sentences to show as warnings.
      type: list
      elements: str
"""


def client_plan(variables: t.Any, hostvars: t.Any = None) -> dict[str, t.Any]:
    """The plan for a client or, with the variables of all hosts, for its master."""
    if not isinstance(variables, t.Mapping):
        raise AnsibleFilterError("client_plan needs a mapping of variables")
    # Here, as Ansible loads all filters of the collection for any of them.
    from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
    from ansible_collections.erlang.otp.plugins.plugin_utils._clients import client_plan as _client_plan
    from ansible_collections.erlang.otp.plugins.plugin_utils._clients import master_plan as _master_plan
    from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.specs import of_their_kinds

    try:
        known = of_their_kinds(variables)
        return _client_plan.client_plan(known) if hostvars is None else _master_plan.master_plan(known, hostvars)
    except KeyError as error:
        raise AnsibleFilterError(f"client_plan lacks a variable: {error}") from error
    except OtpError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"client_plan": client_plan}
