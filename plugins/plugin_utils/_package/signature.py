# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a package may go to hosts: with ``otp_allowed_signers``, one of these signers has signed it, in the file ``PACKAGE.sig`` beside it.

The sha256 that is returned is of the bytes that were verified. Whatever is brought to a host must have that digest, so that a file that is
exchanged between the check and its use is refused there.
"""

from __future__ import annotations

import functools
import os
import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import THIN, version_of
from ansible_collections.erlang.otp.plugins.plugin_utils._package.keygen import NAMESPACE, keygen

SUFFIX = ".sig"
KEY = re.compile(r" key (\S+)$", re.MULTILINE)


class Policy(t.NamedTuple):
    """Files on the controller: who may sign, as in ALLOWED SIGNERS of ssh-keygen(1), and keys that count no more."""

    allowed_signers: str
    revoked_keys: str = ""


class Verified(t.NamedTuple):
    """sha256: of the bytes that the signer signed, with the key of this fingerprint."""

    sha256: str
    signer: str
    key: str


def policy_of(variables: t.Mapping[str, t.Any]) -> Policy | None:
    """What the variables of a host say; None if they allow any package. Raises OtpError for files that cannot be used."""
    values = [variables.get(name) for name in ("otp_allowed_signers", "otp_revoked_keys")]
    allowed, revoked = ("" if value is None else os.path.expanduser(str(value)) for value in values)
    if revoked and not allowed:
        raise OtpError("otp_revoked_keys is set, and otp_allowed_signers not: without signers no signature is verified. Set both, or none of them.")
    for name, path in (("otp_allowed_signers", allowed), ("otp_revoked_keys", revoked)):
        if path and not os.path.isabs(path):
            raise OtpError(f"{name} is {path!r}: it must be an absolute path on the controller, such as {{{{ inventory_dir }}}}/{os.path.basename(path)}.")
        if path and not os.access(path, os.R_OK):
            raise OtpError(f"{name} is {path!r}, which does not exist on the controller, or cannot be read.")
    return Policy(allowed, revoked) if allowed else None


def verify(package: str, policy: Policy, *, shown: str = "") -> Verified:
    """Who has signed the package; verified once in a process. shown: its name, if it was fetched. Raises OtpError for any other package."""
    shown, signature = shown or package, package + SUFFIX
    if not os.path.exists(signature):
        removed = " Or remove it: the full package beside it is sent then." if package.endswith(THIN) else ""
        raise OtpError(
            f"package {shown} is not signed: there is no {_beside(shown)}, and otp_allowed_signers ({policy.allowed_signers}) asks for a signature."
            f" Have one of the signers sign it: ssh-keygen -Y sign -n {NAMESPACE} -f KEY {os.path.basename(shown)}; or build it with otp_sign_key.{removed}"
        )
    files = [file for file in (package, signature, *policy) if file]
    try:
        return _verify(package, policy, shown, tuple(version_of(file) for file in files))
    except OSError as error:
        raise OtpError(f"package {shown} cannot be verified: {error.filename}: {error.strerror}.") from error


def _beside(shown: str) -> str:
    path, mark, query = shown.partition("?")
    return path + SUFFIX + mark + query


@functools.lru_cache
def _verify(package: str, policy: Policy, shown: str, dummy_versions: tuple[t.Any, ...]) -> Verified:
    signature = package + SUFFIX
    signers = keygen("find-principals", "-s", signature, "-f", policy.allowed_signers)
    reported = signers.reported
    revoked = ("-r", policy.revoked_keys) if policy.revoked_keys else ()
    # One line of the file may have several names.
    for signer in signers.found.splitlines() if signers.is_well else ():
        answer = keygen("verify", *_as(signer, signature, policy), *revoked, package=package)
        if answer.is_well:
            return Verified(answer.sha256, signer, _key(answer.found))
        reported = answer.reported or reported
    raise _refusal(package, policy, shown, signers.found.splitlines(), reported)


def _as(signer: str, signature: str, policy: Policy) -> tuple[str, ...]:
    return ("-f", policy.allowed_signers, "-I", signer, "-n", NAMESPACE, "-s", signature)


def _key(text: str) -> str:
    found = KEY.search(text)
    return found[1] if found else ""


def _refusal(package: str, policy: Policy, shown: str, signers: list[str], reported: str) -> OtpError:
    """Why no signer was found. Nothing in here lets a package pass."""
    signature = package + SUFFIX
    answer = keygen("check-novalidate", "-n", NAMESPACE, "-s", signature, package=package)
    names = ", ".join(signers) or "its signer"
    if not answer.is_well and "namespace" in answer.reported:
        return OtpError(
            f"package {shown}: its signature {_beside(shown)} is for another namespace than {NAMESPACE}, so {names} did not sign it as a package."
            f" Have it signed anew: ssh-keygen -Y sign -n {NAMESPACE} -f KEY {os.path.basename(shown)}."
        )
    if not answer.is_well and "incorrect signature" in answer.reported:
        return OtpError(
            f"package {shown} is not what {names} signed: it does not fit its signature {_beside(shown)}, so it was changed, or the signature is that of"
            " another package. Take both anew from where they were made, or build the package again."
        )
    if not answer.is_well:
        return OtpError(f"package {shown}: {_beside(shown)} is not a signature of it ({answer.reported or reported}). Have the package signed anew.")
    key = _key(answer.found)
    if signers and policy.revoked_keys and any(keygen("verify", *_as(signer, signature, policy), package=package).is_well for signer in signers):
        return OtpError(
            f"package {shown} was signed by {names} with the key {key}, which otp_revoked_keys ({policy.revoked_keys}) revokes."
            " Have it signed with another key, or build it again."
        )
    reason = reported.replace("No principal matched.", "").strip()
    reason = f" ({reason})" if reason else ""
    return OtpError(
        f"package {shown} was signed with the key {key}, which otp_allowed_signers ({policy.allowed_signers}) does not allow{reason}."
        " Have one of its signers sign it, or add that key to the file, if you trust it with all that runs on these hosts."
    )
