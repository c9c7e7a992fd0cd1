# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a package passes only with a signature, of the very bytes that it has, for this namespace, by a key that is allowed now and not revoked; each
refusal names package, signer, reason and way out; without a usable ssh-keygen, or file of signers, nothing passes.
"""

from __future__ import annotations

import os
import re
import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._package import signature
from ansible_collections.erlang.otp.plugins.plugin_utils._package.keygen import keygen
from ansible_collections.erlang.otp.plugins.plugin_utils._package.signature import Policy, policy_of, verify
from ansible_collections.erlang.otp.plugins.plugin_utils._package.signing import sign
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.signers import Signers


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Signers:
    return Signers(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def policy(signers: Signers) -> Policy:
    found = policy_of(signers.variables)
    assert found
    return found


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "exchange-1.0.tar.gz"
    path.write_bytes(os.urandom(1 << 20))
    return path


def test_a_signed_package(signers: Signers, policy: Policy, package: Path) -> None:
    signers.sign(package)
    found = verify(str(package), policy)
    assert found.sha256 == sha256(str(package)) and found.signer == "anna@example.com" and found.key.startswith("SHA256:")


def unsigned(dummy_signers: Signers, package: Path) -> None:
    assert not Path(f"{package}.sig").exists()


def by_another(signers: Signers, package: Path) -> None:
    signers.sign(package, "other")


def revoked(signers: Signers, package: Path) -> None:
    signers.sign(package, "gone")


def changed(signers: Signers, package: Path) -> None:
    signers.sign(package)
    content = bytearray(package.read_bytes())
    content[len(content) // 2] ^= 1
    package.write_bytes(content)


def longer(signers: Signers, package: Path) -> None:
    signers.sign(package)
    with package.open("ab") as file:
        file.write(b"\0")


def of_another(signers: Signers, package: Path) -> None:
    other = package.with_name("exchange-0.9.tar.gz")
    other.write_bytes(b"older")
    signers.sign(other)
    shutil.copy(f"{other}.sig", f"{package}.sig")


def for_a_file(signers: Signers, package: Path) -> None:
    signers.sign(package, namespace="file")


def damaged(dummy_signers: Signers, package: Path) -> None:
    Path(f"{package}.sig").write_text("-----BEGIN SSH SIGNATURE-----\n")


REFUSED: list[tuple[t.Callable[[Signers, Path], None], str]] = [
    (unsigned, r"is not signed: there is no .*\.sig, and otp_allowed_signers .* ssh-keygen -Y sign -n erlang\.otp -f KEY exchange-1\.0\.tar\.gz"),
    (by_another, r"was signed with the key SHA256:\S+, which otp_allowed_signers \(\S+\) does not allow\. Have one of its signers"),
    (revoked, r"was signed by gone@example\.com with the key SHA256:\S+, which otp_revoked_keys \(\S+\) revokes\. Have it signed with another key"),
    (changed, r"is not what anna@example\.com signed: it does not fit its signature .*\. Take both anew"),
    (longer, r"is not what anna@example\.com signed"),
    (of_another, r"is not what anna@example\.com signed: .* or the signature is that of another package"),
    (for_a_file, r"is for another namespace than erlang\.otp, so anna@example\.com did not sign it as a package\. Have it signed anew"),
    (damaged, r"\.sig is not a signature of it \(.+\)\. Have the package signed anew"),
]


@pytest.mark.parametrize(("how", "message"), REFUSED, ids=[how.__name__ for how, _message in REFUSED])
def test_refused_by_name(signers: Signers, policy: Policy, package: Path, how: t.Callable[[Signers, Path], None], message: str) -> None:
    how(signers, package)
    with pytest.raises(OtpError, match=message) as error:
        verify(str(package), policy)
    assert str(error.value).startswith(f"package {package}")


def test_a_refused_package_that_is_signed_as_the_message_says(signers: Signers, policy: Policy, package: Path) -> None:
    for refuse in (unsigned, by_another, revoked, changed, of_another, for_a_file, damaged):
        refuse(signers, package)
        with pytest.raises(OtpError):
            verify(str(package), policy)
        signers.sign(package)
        assert verify(str(package), policy).sha256 == sha256(str(package))
        Path(f"{package}.sig").unlink()


def test_a_key_is_allowed_as_the_message_says(signers: Signers, tmp_path: Path, package: Path) -> None:
    signers.sign(package, "other")
    allowed = tmp_path / "allowed_signers"
    # It has expired, then it is for other things, then it is allowed, with a name in a list.
    for line, reason in (('valid-before="20200101" ', "expired"), ('namespaces="git" ', "not permitted"), ("", "")):
        allowed.write_text(f"nina,team@example.com {line}{signers.public('other')}")
        if not reason:
            assert verify(str(package), Policy(str(allowed))).signer == "nina"
            break
        with pytest.raises(OtpError, match=rf"does not allow \(.*{reason}.*\)\. Have one of its signers sign it, or add that key"):
            verify(str(package), Policy(str(allowed)))


def test_a_thin_package_may_be_removed(policy: Policy, tmp_path: Path) -> None:
    thin = tmp_path / "exchange-1.0-thin.tar.gz"
    thin.write_bytes(b"thin")
    with pytest.raises(OtpError, match="is not signed: .* Or remove it: the full package beside it is sent then"):
        verify(str(thin), policy)


def test_what_is_exchanged_while_it_is_verified_is_another_package(signers: Signers, policy: Policy, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest is that of the bytes that were verified, whatever the path leads to afterwards; hosts compare it."""
    signers.sign(package)
    good = sha256(str(package))

    def exchanging(*arguments: t.Any, **options: t.Any) -> t.Any:
        answer = keygen(*arguments, **options)
        if arguments[0] == "verify":
            package.write_bytes(b"evil")
        return answer

    monkeypatch.setattr(signature, "keygen", exchanging)
    assert verify(str(package), policy).sha256 == good != sha256(str(package))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"otp_allowed_signers": "signers"}, r"otp_allowed_signers is 'signers': it must be an absolute path .* \{\{ inventory_dir \}\}/signers"),
        ({"otp_allowed_signers": "/nowhere/x"}, "otp_allowed_signers is '/nowhere/x', which does not exist"),
        ({"otp_allowed_signers": False}, "otp_allowed_signers is 'False': it must be an absolute path"),
        ({"otp_allowed_signers": "/dev/null", "otp_revoked_keys": "/nowhere/x"}, "otp_revoked_keys is '/nowhere/x', which does not exist"),
        ({"otp_revoked_keys": "/dev/null"}, "otp_revoked_keys is set, and otp_allowed_signers not: .* Set both, or none of them"),
    ],
)
def test_a_policy_that_cannot_be_used_allows_nothing(values: dict[str, t.Any], message: str) -> None:
    with pytest.raises(OtpError, match=message):
        policy_of(values)


@pytest.mark.parametrize("values", [{}, {"otp_allowed_signers": ""}, {"otp_allowed_signers": None, "otp_revoked_keys": ""}])
def test_no_policy(values: dict[str, t.Any]) -> None:
    assert policy_of(values) is None


def test_no_signers_allow_nothing(signers: Signers, package: Path) -> None:
    signers.sign(package)
    with pytest.raises(OtpError, match="does not allow"):
        verify(str(package), Policy("/dev/null"))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, "need ssh-keygen of OpenSSH 8.2 or newer on the controller, which cannot be run: No such file"),
        ("echo 'unknown option -- Y' >&2; exit 1", "need ssh-keygen of OpenSSH 8.2 or newer on the controller, and the one on PATH is older: ssh -V"),
        ("echo 'Unsupported operation for -Y: \"find-principals\"' >&2; exit 255", "is older"),
    ],
)
def test_without_ssh_keygen_nothing_passes(
    signers: Signers, policy: Policy, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, message: str
) -> None:
    signers.sign(package)
    if script:
        (tmp_path / "ssh-keygen").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "ssh-keygen").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OtpError, match=re.escape(message)):
        verify(str(package), policy)


def test_a_pipe_is_not_waited_for(signers: Signers, policy: Policy, tmp_path: Path) -> None:
    pipe = tmp_path / "x.tar.gz"
    os.mkfifo(pipe)
    (tmp_path / "y").write_bytes(b"y")
    signers.sign(tmp_path / "y")
    shutil.copy(tmp_path / "y.sig", f"{pipe}.sig")
    with pytest.raises(OtpError, match="is not a regular file"):
        verify(str(pipe), policy)


def test_who_signs_puts_the_signature_beside_the_package(signers: Signers, policy: Policy, package: Path) -> None:
    sign(str(package), str(signers.directory / "anna"))
    assert verify(str(package), policy).signer == "anna@example.com"
