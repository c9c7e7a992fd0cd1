# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter package_problems."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

DOCUMENTATION = r"""
name: package_problems
short_description: Whether a package that was built may take the place of one on the controller
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - A package of a release is made once. If the package on the controller has the same release and version, and other content, the filter says what differs.
positional: _input, path
options:
  _input:
    description: The result of M(erlang.otp.otp_release_build).
    type: dict
    required: true
  path:
    description: The path on the controller. There may be no file.
    type: str
    required: true
seealso:
  - module: erlang.otp.otp_release_build
"""

EXAMPLES = r"""
- name: Check that the controller has no other package of this version
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: "{{ build | erlang.otp.package_problems('packages/exchange-1.0.tar.gz') }}"
"""

RETURN = r"""
_value:
  description: One sentence for each problem. Empty without problems.
  type: list
  elements: str
"""


def package_problems(build: t.Any, path: str) -> list[str]:
    """What forbids that the package of this build takes the place of the one at the path."""
    # Here, as every fork of Ansible loads all filters of the collection for any of them.
    from ansible_collections.erlang.otp.plugins.module_utils._build.once import refuse_other_content
    from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256

    if not isinstance(build, t.Mapping) or "digests" not in build:
        raise AnsibleFilterError("package_problems needs the result of otp_release_build")
    path = os.path.expanduser(path)
    try:
        if not os.path.isfile(path) or sha256(path) == build["sha256"]:
            return []
        refuse_other_content(build["name"], build["version"], build["digests"], path, way_out="If no host has the earlier one, remove that file.")
    except OtpError as error:
        return [str(error)]
    return []


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"package_problems": package_problems}
