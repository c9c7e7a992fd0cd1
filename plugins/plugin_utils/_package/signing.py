# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signs a package, or the document about it, on the controller, where the key is, or its agent, or its hardware token: no key goes to a builder."""

from __future__ import annotations

import os
import re

from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import digest_of
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import write_file
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import checksum_of
from ansible_collections.erlang.otp.plugins.plugin_utils._package.keygen import NAMESPACE, fingerprint_of, keygen
from ansible_collections.erlang.otp.plugins.plugin_utils._package.signature import SUFFIX


def is_signed(package: str, key: str) -> bool:
    """Whether the package, as it is, has a signature by this key. Raises OtpError and OSError."""
    fingerprint, signature = fingerprint_of(key), package + SUFFIX
    if not fingerprint or not os.path.exists(signature):
        return False
    answer = keygen("check-novalidate", "-n", NAMESPACE, "-s", signature, package=package)
    return answer.is_well and re.search(rf" key {re.escape(fingerprint)}$", answer.found, re.MULTILINE) is not None


def check_digest(package: str, checksum: str | None) -> None:
    """Raise OtpError unless the package has this checksum."""
    if checksum and digest_of(checksum) != checksum_of(package):
        raise another_file("package", package, checksum_of(package), checksum)


def another_file(kind: str, path: str, digest: str, checksum: str) -> OtpError:
    """The error for a file that is not the one to be signed."""
    return OtpError(f"{kind} {path}: its sha256 is {digest}, and {checksum} was expected, so it is not signed. Find out what has changed it.")


def sign(path: str, key: str, checksum: str | None = None, *, kind: str = "package") -> None:
    """Sign what the file has, if that is what has this checksum, and put the signature beside it. kind: what messages call it. Raises OtpError and OSError."""
    answer = keygen("sign", "-n", NAMESPACE, "-f", key, package=path)
    if not answer.is_well or "BEGIN SSH SIGNATURE" not in answer.found:
        raise OtpError(
            f"{kind} {path} cannot be signed with the key {key}: {answer.reported or 'ssh-keygen gave no signature'}. A key with a passphrase must be in"
            " an agent (ssh-add); otp_sign_key (option key) is then the file with its private or its public part. A token waits for a touch, and for a PIN that"
            " SSH_ASKPASS asks for."
        )
    if checksum and digest_of(checksum) != answer.sha256:
        raise another_file(kind, path, answer.sha256, checksum)
    write_file(path + SUFFIX, answer.found.encode("ascii"), mode=0o644)
