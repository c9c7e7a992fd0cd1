#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_release_info
short_description: Tell which releases a target system has
version_added: 0.1.0
description:
  - Tells what lies below the root directory of a target system, however it came there; its releases and their status, the one
    that boots next, ERTS versions, and packages that wait to be unpacked.
  - Says where C(RELEASES), C(start_erl.data) and the files disagree.
  - A damaged system is reported, and is no failure. A root directory that is not there has RV(installed=false).
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
  - erlang.otp._attributes.info_module
options:
  root:
    description:
      - The root directory of the system, C($ROOT), as the system itself calls it.
    type: path
    required: true
  destdir:
    description:
      - A prefix below which the tree lies, as of the image of a host that does not run.
    type: path
    default: ""
seealso:
  - module: erlang.otp.otp_release_install
"""

EXAMPLES = r"""
- name: See what is installed
  erlang.otp.otp_release_info:
    root: /srv/exchange
  register: system

- name: Stop here when files disagree
  ansible.builtin.assert:
    that: system.disagreements == []
"""

RETURN = r"""
installed:
  description: Whether there is a system, or what is left of one.
  returned: always
  type: bool
permanent:
  description: The release that boots next, as C(start_erl.data) says. Null when nothing says so.
  returned: always
  type: dict
  sample: {release: "1.0", erts_version: 13.1.5}
  contains:
    release:
      description: Its version.
      type: str
    erts_version:
      description: The ERTS it boots on.
      type: str
releases:
  description: The releases in the order of C(RELEASES), then those that only have a directory.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name of the release.
      type: str
      sample: exchange
    version:
      description: Its version.
      type: str
      sample: "1.0"
    erts_version:
      description: The ERTS it runs on.
      type: str
      sample: 13.1.5
    status:
      description: V(permanent), V(unpacked), V(old) or V(tmp_current). Null when C(RELEASES) does not list it.
      type: str
      sample: permanent
    applications:
      description: The versions of its applications, by name.
      type: dict
      sample: {kernel: "8.5.3", stdlib: "4.2"}
    directory:
      description: Its release directory.
      type: str
      sample: /srv/exchange/releases/1.0
    package_sha256:
      description: The digest of the package it was installed from. Null when this collection did not install it.
      type: str
    has_relup:
      description: Whether it has a C(relup).
      type: bool
    has_sys_config:
      description: Whether it has a C(sys.config).
      type: bool
erts_versions:
  description: The versions of ERTS below the root directory.
  returned: always
  type: list
  elements: str
  sample: [13.1.5]
packages:
  description: Packages in C(releases), as C(release_handler:unpack_release/1) looks for them.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: Where it is.
      type: str
      sample: /srv/exchange/releases/exchange-2.0.tar.gz
    size:
      description: Its size in bytes.
      type: int
disagreements:
  description: What does not fit together, a sentence each.
  returned: always
  type: list
  elements: str
  sample: ["start_erl.data boots release 1.0, RELEASES calls 2.0 permanent"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._target import describe_target, read_target


def main() -> None:
    module = AnsibleModule(
        argument_spec={"root": {"type": "path", "required": True}, "destdir": {"type": "path", "default": ""}},
        supports_check_mode=True,
    )
    try:
        result = describe_target(read_target(module.params["root"], module.params["destdir"]))
    except OtpError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
