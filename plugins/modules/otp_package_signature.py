#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_package_signature
short_description: Sign a release package, and verify its signature
version_added: 0.1.0
description:
  - Signs a file on the controller with a key of OpenSSH, as C(ssh-keygen -Y sign -n erlang.otp) does, and verifies its signature. The signature is the file
    C(PACKAGE.sig) beside the package. It runs on the controller, whatever host the task is for, and needs C(ssh-keygen) of OpenSSH 8.2 or newer there.
  - The role C(erlang.otp.release) uses it with C(otp_sign_key). Tasks that bring a package to a host verify it themselves, where C(otp_allowed_signers) is set.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
attributes:
  check_mode:
    support: full
    details:
      - A package that would be signed is not verified.
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - A signature by O(key) that fits is kept. That of a key whose public part cannot be read without a passphrase is made anew.
options:
  package:
    description: The package, on the controller.
    type: path
    required: true
  checksum:
    description: The package's checksum, C(sha256:) and 64 hexadecimal digits. Another package is neither signed nor verified.
    type: str
  key:
    description:
      - The file of a private key on the controller. If the key is in an agent or in a hardware token, the file with its public part.
      - A key with a passphrase must be in an agent. A token waits for a touch. If it asks for a PIN, set C(SSH_ASKPASS) in the environment of Ansible.
    type: path
  allowed_signers:
    description:
      - The file with those who may sign, as C(ALLOWED SIGNERS) in C(ssh-keygen(1)) describes it. An absolute path. The task fails if none of them has signed
        the package.
      - At least one of O(key) and O(allowed_signers) is required.
    type: path
  revoked_keys:
    description: A file with keys that count no more, a revocation list (KRL) of OpenSSH or public keys, one on each line.
    type: path
seealso:
  - module: erlang.otp.otp_release_build
"""

EXAMPLES = r"""
- name: Sign a package that rebar3 has made
  erlang.otp.otp_package_signature:
    package: packages/exchange-1.0.tar.gz
    key: ~/.ssh/id_release.pub

- name: Check who has signed a package
  erlang.otp.otp_package_signature:
    package: packages/exchange-1.0.tar.gz
    allowed_signers: "{{ inventory_dir }}/allowed_signers"
    revoked_keys: "{{ inventory_dir }}/revoked_keys"
  register: signature
"""

RETURN = r"""
package:
  description: The package's absolute path.
  type: str
  returned: success
signature:
  description: The file of its signature.
  type: str
  returned: success
sha256:
  description: The package's digest. With O(allowed_signers), of the very bytes that were verified.
  type: str
  returned: success
signer:
  description: Who has signed it, by its name in O(allowed_signers). Empty without that option.
  type: str
  returned: success
  sample: release@example.com
key:
  description: The fingerprint of the key. Empty without O(allowed_signers).
  type: str
  returned: success
  sample: SHA256:qvP9KUhfb1r2yLIzvZD9Grec5SSyMT0KbtcmDWITdlo
"""
