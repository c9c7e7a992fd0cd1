# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An Erlang/OTP tree on the build host: where it is and which version, as code:root_dir/0 and OTP_VERSION of "System Principles" have it."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named


class Otp(t.NamedTuple):
    """A tree with C(erts-VSN) and C(lib): its root directory, its ERTS version ("13.1.5") and OTP version ("25.2.3")."""

    root: str
    erts_version: str
    otp_version: str

    @property
    def erts_bin(self) -> str:
        return os.path.join(self.root, f"erts-{self.erts_version}", "bin")

    @property
    def lib(self) -> str:
        return os.path.join(self.root, "lib")


def find_otp(otp_root: str | None) -> Otp:
    """The tree at otp_root, or, without one, that of ``erl`` on PATH. Raises OtpError with what to install or to set."""
    if otp_root is not None:
        return read_otp(otp_root)
    import shutil

    erl = shutil.which("erl")
    if erl is None:
        raise OtpError(
            "erl is not on PATH of the build host. Install Erlang/OTP (Debian: erlang-base and the applications that the"
            f" release needs; Alpine, Fedora: erlang), or set {named('otp_root')} to the directory that holds erts-VSN and lib."
        )
    # $ROOT/bin/erl, behind links such as /usr/bin/erl -> ../lib/erlang/bin/erl.
    root = os.path.dirname(os.path.dirname(os.path.realpath(erl)))
    return read_otp(root if _erts_versions(root) else _ask(erl))


def read_otp(root: str) -> Otp:
    """The tree with this root directory. Raises OtpError if it is not an Erlang/OTP tree."""
    root = os.path.abspath(root)
    versions = _erts_versions(root)
    if not versions:
        raise OtpError(f"{root} is not an Erlang/OTP tree: it has no erts-VSN/bin/erlexec. Set {named('otp_root')} to what code:root_dir() returns.")
    started, _separator, release = (read_file(os.path.join(root, "releases", "start_erl.data")) or b"").decode("ascii", "replace").strip().partition(" ")
    if len(versions) > 1 and started not in versions:
        raise OtpError(
            f"{root} has more than one ERTS ({', '.join(versions)}) and releases/start_erl.data names none of them. Remove those that are not in use."
        )
    erts_version = started if started in versions else versions[0]
    version = read_file(os.path.join(root, "releases", release.strip(), "OTP_VERSION")) if release else None
    return Otp(root, erts_version, (version or release.encode()).decode("ascii", "replace").strip())


def _erts_versions(root: str) -> list[str]:
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return []
    return [name[5:] for name in names if name.startswith("erts-") and os.path.isfile(os.path.join(root, name, "bin", "erlexec"))]


def _ask(erl: str) -> str:
    """The root directory that an ``erl`` returns which is a wrapper, such as a version manager's."""
    import subprocess

    command = [erl, "-noinput", "-boot", "start_clean", "-eval", 'io:format("~ts", [code:root_dir()]), halt().']
    # The logic has no Ansible in it, so no run_command. pylint: disable-next=ansible-bad-function
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60)
    answer = result.stdout.decode("utf-8", "replace").strip()
    if result.returncode or not os.path.isdir(answer):
        raise OtpError(f"{erl} does not return its root directory. Its output: {answer[-400:]} Set {named('otp_root')}.")
    return answer
