# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: only the package that has the checksum is signed; a signature by this key that fits is kept; a key of an agent is given by its public part;
a passphrase is neither asked for on a terminal nor waited for.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._package.signing import check_digest, is_signed, sign
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.signers import Signers


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Signers:
    return Signers(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def package(tmp_path: Path) -> str:
    path = tmp_path / "exchange-1.0.tar.gz"
    path.write_bytes(b"package")
    return str(path)


def test_a_signature_that_fits_is_kept(signers: Signers, package: str) -> None:
    anna, other = (str(signers.directory / name) for name in ("anna", "other"))
    assert not is_signed(package, anna)
    sign(package, anna, checksum(package))
    assert is_signed(package, anna) and is_signed(package, anna + ".pub") and not is_signed(package, other)
    assert Path(f"{package}.sig").stat().st_mode & 0o777 == 0o644
    Path(package).write_bytes(b"Package")
    assert not is_signed(package, anna)


def test_another_package_is_not_signed(signers: Signers, package: str) -> None:
    wrong = "sha256:" + 64 * "0"
    for refuse in (lambda: sign(package, str(signers.directory / "anna"), wrong), lambda: check_digest(package, wrong)):
        with pytest.raises(OtpError, match=r"and sha256:0{64} was expected, so it is not signed\. Find out what has changed it"):
            refuse()
    assert not Path(f"{package}.sig").exists()


def test_a_key_in_an_agent(signers: Signers, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message about the passphrase names the way: an agent, and the public part."""
    key = tmp_path / "secret"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", key], check=True, stdin=subprocess.DEVNULL)
    monkeypatch.delenv("SSH_ASKPASS", raising=False)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(OtpError, match=r"cannot be signed with the key .*passphrase.* must be in an agent \(ssh-add\); otp_sign_key \(option key\) is then"):
        sign(package, str(key))
    assert not Path(f"{package}.sig").exists()
    started = subprocess.run(["ssh-agent", "-s", "-a", tmp_path / "agent"], check=True, capture_output=True, text=True, timeout=60)
    agent = int(re.findall(r"SSH_AGENT_PID=(\d+)", started.stdout)[0])
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
        (tmp_path / "askpass").write_text("#!/bin/sh\necho a passphrase\n")
        (tmp_path / "askpass").chmod(0o755)
        subprocess.run(["ssh-add", "-q", key], check=True, stdin=subprocess.DEVNULL, env={**os.environ, "SSH_ASKPASS": str(tmp_path / "askpass")}, timeout=60)
        key.unlink()
        sign(package, f"{key}.pub")
        assert is_signed(package, f"{key}.pub")
    finally:
        os.kill(agent, 15)
