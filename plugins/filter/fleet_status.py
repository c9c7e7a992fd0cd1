# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter fleet_status."""

from __future__ import annotations

import html
import os
import re
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import is_directory_name
from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import cleaned
from ansible_collections.erlang.otp.plugins.module_utils._core.values import mapped

DOCUMENTATION = r"""
name: fleet_status
short_description: What runs where in a fleet, for a terminal, a page and other programs
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Makes one report of the results of M(erlang.otp.otp_release_info) for all hosts. The playbook C(erlang.otp.status) shows it.
  - A host that was not reached, or on which the module failed, is in the report as such.
  - A client node, a host with C(otp_master), is below its master.
positional: _input
options:
  _input:
    description: The variables of all hosts, C(hostvars).
    type: dict
    required: true
  hosts:
    description: The hosts to report on, in this order.
    type: list
    elements: str
    required: true
  register:
    description: The name of the variable in which each host has the result of M(erlang.otp.otp_release_info).
    type: str
    required: true
  verified:
    description: The name of the variable in which hosts that were verified have the result of M(erlang.otp.otp_release_verify).
    type: str
    default: ''
  time:
    description: The time of the report in UTC, as C(2026-01-31 12:00:00).
    type: str
    required: true
  packages:
    description: A directory of the controller with packages C(NAME-VERSION.tar.gz). Hosts that have a release from another package are reported.
    type: path
    default: ''
  application:
    description:
      - The name of an application, or V(erts). The report then says which version of it is in which release, and on which hosts that release runs or
        is installed.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Ask the hosts
  erlang.otp.otp_release_info:
    root: "{{ otp_root }}"
    node: "{{ otp_node_name }}"
    cookie: "{{ otp_cookie }}"
  register: asked
  # A host that fails, or that cannot be reached, is in the report too.
  ignore_errors: true
  ignore_unreachable: true

- name: Report what runs where
  ansible.builtin.debug:
    msg: "{{ (hostvars | erlang.otp.fleet_status(hosts=ansible_play_hosts_all, register='asked', time=now(utc=true, fmt='%Y-%m-%d %H:%M:%S'))).lines }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The report.
  type: dict
  contains:
    lines:
      description: The report for a terminal of 100 columns. In a fleet of more than 30 hosts, those that run well on the same release share a row.
      type: list
      elements: str
    page:
      description:
        - The report as data for a template, C(time), C(rows), C(notes), C(releases), C(states), C(mixed) and C(application).
        - All text in it is escaped for HTML.
      type: dict
    data:
      description: The report for other programs, as C(docs/status.schema.json) of the collection describes it.
      type: dict
    metrics:
      description: The report for Prometheus, as a file of the textfile collector of its C(node_exporter).
      type: str
"""


def fleet_status(
    hostvars: t.Any, *, hosts: t.Iterable[str], register: str, time: str, packages: str = "", application: str = "", verified: str = ""
) -> dict[str, t.Any]:
    """The report on the hosts."""
    if not isinstance(hostvars, t.Mapping):
        raise AnsibleFilterError("fleet_status needs hostvars, the variables of all hosts")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", time):
        raise AnsibleFilterError(f"fleet_status needs a time such as 2026-01-31 12:00:00, and not {time!r}")
    # Here, as Ansible loads all filters of the collection for any of them.
    from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet import describe_fleet
    from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_data import fleet_data
    from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_metrics import fleet_metrics
    from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_text import fleet_lines

    known = {host: _known_of(hostvars[host], register, verified) for host in hosts}
    has_clients = any((host["result"] or {}).get("clients") for host in known.values())
    everybody = [_known_of(variables, register) for variables in hostvars.values()] if has_clients else []
    clients = {(host["master"], host["node"]) for host in everybody}
    compared = _packages(known, packages) if packages else None
    fleet = cleaned(describe_fleet(known, time=time, clients=clients, packages=compared, application=application))
    # Escaped here, so that no template can forget a text.
    page = mapped(fleet, lambda value: html.escape(value) if isinstance(value, str) else value, keys=True)
    data = cleaned(fleet_data(fleet, known))
    return {"lines": fleet_lines(fleet), "page": page, "data": data, "metrics": fleet_metrics(data)}


def _packages(known: t.Mapping[str, dict[str, t.Any]], directory: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Path and sha256 of the packages in the directory, by name and version of the releases that the hosts have."""
    releases = [release for host in known.values() for release in (host["result"] or {}).get("releases", [])]
    paths = {(release["name"], release["version"]): os.path.join(directory, f"{release['name']}-{release['version']}.tar.gz") for release in releases}
    # A host says what its releases are.
    return {key: (path, sha256(path)) for key, path in paths.items() if all(map(is_directory_name, key)) and os.path.isfile(path)}


def _known_of(variables: t.Mapping[str, t.Any], register: str, verified: str = "") -> dict[str, t.Any]:
    # The value of a template with an undefined variable is not a string.
    node, master = (value if isinstance(value, str) else "" for value in map(variables.get, ("otp_node_name", "otp_master")))
    found = {"result": variables.get(register), "verified": variables.get(verified) or {}}
    return {**found, "node": node, "master": master, "groups": variables.get("group_names")}


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"fleet_status": fleet_status}
