#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_package_sbom
short_description: Write what a release package was built from
version_added: 0.1.0
description:
  - Writes a document of CycloneDX 1.6 (JSON) beside a release package on the controller. It names the package with its digest, its applications with their
    versions, digests and directories, Erlang/OTP and ERTS, the builder, the time of the build, the git revision of each application whose
    directory is in a checkout, and the releases from which the relup leads.
  - Each application has a package URL, by which scanners look for advisories. It is C(pkg:hex/NAME@VERSION) if C(hex_metadata.config) in its directory
    names it, as in what rebar3 has fetched, and C(pkg:otp/NAME@VERSION) otherwise.
  - The task runs on the host that has built the package. There it asks git, which runs neither hooks nor filters of a checkout.
  - A document of this very package is kept. With O(key), only if it has a signature by that key.
  - The Python of Ansible on the controller needs C(cyclonedx-python-lib) 11 or newer.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  package:
    description: The release package on the controller, C(NAME-VERSION.tar.gz). The document is C(NAME-VERSION.cdx.json) beside it.
    type: path
    required: true
  build:
    description: The result of M(erlang.otp.otp_release_build).
    type: dict
    required: true
  key:
    description:
      - Sign the document with this key of OpenSSH on the controller, as C(NAME-VERSION.cdx.json.sig), as the module
        M(erlang.otp.otp_package_signature) signs a package.
    type: path
seealso:
  - module: erlang.otp.otp_release_build
  - module: erlang.otp.otp_package_signature
"""

EXAMPLES = r"""
- name: Build the release package
  erlang.otp.otp_release_build:
    rel: exchange.rel
    code_path: [_build/default/lib/*/ebin]
    output_dir: ~/packages
  register: build

- name: Bring it to the controller
  ansible.builtin.fetch:
    src: "{{ build.package }}"
    dest: packages/exchange-1.0.tar.gz
    flat: true

- name: Write what it was built from
  erlang.otp.otp_package_sbom:
    package: packages/exchange-1.0.tar.gz
    build: "{{ build }}"
"""

RETURN = r"""
document:
  description: The path of the document on the controller.
  type: str
  returned: success
  sample: /home/user/fleet/.packages/exchange-1.0.cdx.json
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.erlang.otp.plugins.module_utils._build.provenance import provenance_of
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

ARGUMENT_SPEC: dict = {
    "package": {"type": "path", "required": True},
    "build": {"type": "dict", "required": True},
    # A path, and no secret.
    "key": {"type": "path", "no_log": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        module.exit_json(changed=False, provenance=provenance_of(module.params["build"]))
    except OtpError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
