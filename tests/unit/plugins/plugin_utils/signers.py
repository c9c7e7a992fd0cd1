# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys of OpenSSH in a directory, the file that allows one of them, and signatures of packages."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

NAMES = ("anna", "other", "gone", "late", "git")


class Signers:
    """anna may sign, and gone, whose key is revoked; other may not, late could until 2020, and git may sign other things."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(exist_ok=True)
        for name in NAMES:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", directory / name], check=True, stdin=subprocess.DEVNULL)
        self.allowed, self.revoked = directory / "allowed_signers", directory / "revoked_keys"
        lines = dict.fromkeys(("anna", "gone"), 'namespaces="erlang.otp"')
        lines |= {"late": 'namespaces="erlang.otp",valid-before="20200101"', "git": 'namespaces="git"'}
        self.allowed.write_text("".join(f"{name}@example.com {options} {self.public(name)}" for name, options in lines.items()))
        self.revoked.write_text(self.public("gone"))

    @property
    def variables(self) -> dict[str, t.Any]:
        return {"otp_allowed_signers": str(self.allowed), "otp_revoked_keys": str(self.revoked)}

    def public(self, name: str) -> str:
        return (self.directory / f"{name}.pub").read_text()

    def sign(self, package: str | Path, name: str = "anna", *, namespace: str = "erlang.otp") -> None:
        """As an operator does it by hand."""
        Path(f"{package}.sig").unlink(missing_ok=True)
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", self.directory / name, package]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
