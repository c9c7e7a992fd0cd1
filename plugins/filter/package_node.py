# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter package_node."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: package_node
short_description: The name that a release package gives its node
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - The name in the C(vm.args) of a package, as relx has it, or that of a release of mix. It is the default of C(otp_node_name).
positional: _input, variables
options:
  _input:
    description: The path of the package on the controller. It may be empty, or a URL; then the name is not known.
    type: str
    required: true
  variables:
    description: Values for the variables in C(vm.args.src).
    type: dict
    default: {}
  unknown:
    description:
      - The name to return if the C(env.sh) of the package computes it. Without this option the filter fails then.
    type: str
    default: ""
seealso:
  - plugin: erlang.otp.package_problems
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the name of the node
  ansible.builtin.debug:
    msg: "{{ ('packages/exchange-1.0.tar.gz' | erlang.otp.package_node).name }}"
"""

RETURN = r"""
_value:
  description: The name.
  type: dict
  contains:
    name:
      description: The name, with or without a host. Empty if the node is not distributed, or if the package does not say.
      type: str
    long:
      description: Whether it is a long name.
      type: bool
"""


def package_node(package: t.Any, variables: t.Mapping[str, t.Any] | None = None, *, unknown: str = "") -> dict[str, t.Any]:
    """The name and its kind."""
    path = os.path.expanduser(str(package or ""))
    if not os.path.isfile(path):
        # A URL, or a path that the checks report.
        return {"name": "", "long": False}
    # Here, as every fork of Ansible loads all filters of the collection for any of them.
    from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
    from ansible_collections.erlang.otp.plugins.module_utils._core.values import texts
    from ansible_collections.erlang.otp.plugins.module_utils._package.extract import PackageError
    from ansible_collections.erlang.otp.plugins.plugin_utils._package.node_name import node_name_of

    try:
        return node_name_of(path, texts("otp_config_variables", dict(variables or {})))._asdict()
    except (PackageError, OSError):
        # The installation says what is wrong with the package.
        return {"name": "", "long": False}
    except OtpError as error:
        if unknown:
            return {"name": unknown, "long": False}
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"package_node": package_node}
