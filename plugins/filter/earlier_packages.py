# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter earlier_packages."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

DOCUMENTATION = r"""
name: earlier_packages
short_description: From which packages a relup is to be made
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Finds the packages of the releases that the hosts have, and of those from which the last package of the same release has a relup.
positional: _input, directory, name, version, stored, store
options:
  _input:
    description: The results of M(erlang.otp.otp_release_info), by host. A host without an answer is left out.
    type: dict
    required: true
  directory:
    description: The directory on the controller with the packages, each C(NAME-VERSION.tar.gz).
    type: path
    required: true
  name:
    description: The name of the release for which the relup is made.
    type: str
    required: true
  version:
    description: Its version. Hosts that have it are left out.
    type: str
    required: true
  stored:
    description: The packages of a package store, as M(erlang.otp.otp_package_store) returns them. They count as if they were in O(directory).
    type: list
    elements: dict
    default: []
  store:
    description: Where that package store is, for messages.
    type: str
    default: ""
seealso:
  - module: erlang.otp.otp_release_info
  - module: erlang.otp.otp_release_build
"""

EXAMPLES = r"""
- name: Show from which packages a relup is made
  ansible.builtin.debug:
    # {"packages": ["exchange-FIRST.tar.gz"], "problems": [], "between": {}}
    msg: "{{ {'north': asked} | erlang.otp.earlier_packages('packages', 'exchange', 'SECOND') }}"
"""

RETURN = r"""
_value:
  description: What was found.
  type: dict
  contains:
    packages:
      description: The names of the packages in the directory.
      type: list
      elements: str
    between:
      description:
        - By the name of a package of what the hosts have, the packages in the directory to which a node can go from it without a restart, by one relup after
          the other. The nearest come first.
      type: dict
    problems:
      description: One sentence for each release that a host has and that has no package there.
      type: list
      elements: str
"""


def earlier_packages(answers: t.Any, directory: str, name: str, version: str, stored: t.Any = (), store: str = "") -> dict[str, t.Any]:
    """What a relup for the release is made from."""
    # Here, as every fork of Ansible loads all filters of the collection for any of them.
    from ansible_collections.erlang.otp.plugins.plugin_utils._package.earlier import find_earlier

    if not isinstance(answers, t.Mapping):
        raise AnsibleFilterError("earlier_packages needs the results of otp_release_info, by host")
    try:
        return find_earlier(answers, os.path.expanduser(directory), name, version, stored or (), store)._asdict()
    except (OtpError, OSError) as error:
        raise AnsibleFilterError(f"earlier_packages: {error}") from error


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"earlier_packages": earlier_packages}
