# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""This machine as a host that Ansible reaches by SSH: a login user who becomes root by sudo, and an sshd with a configuration, keys and a port of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import typing as t
from pathlib import Path

from waiting import LIMIT, free_port

from ansible_collections.erlang.otp.plugins.module_utils._target_system.user_record import path_of

SSHD_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/login_key.pub
PidFile {directory}/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
Subsystem sftp internal-sftp
"""


def run(*command: str | Path, **options: t.Any) -> str:
    done = subprocess.run([*command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False, **options)
    assert done.returncode == 0, done.stdout
    return done.stdout


class SshHost:
    """A host, the names of its users, and its directory, in which all that is made of it is."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.login = f"login{os.getpid()}"
        self.user = f"otps{os.getpid()}"
        self.port = free_port()
        self.epmd_port = free_port()

    def variables(self) -> dict[str, t.Any]:
        """Those with which Ansible reaches it."""
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": self.login,
            "ansible_ssh_private_key_file": f"{self.directory}/login_key",
            "ansible_ssh_common_args": "-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ControlPath=none",
            "ansible_become": True,
        }

    def start(self) -> None:
        """Make the login user, and run sshd."""
        sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")
        assert sshd, "these tests need openssh-server"
        for key in ("host_key", "login_key"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / key)
        # "*" is no password, and yet not locked: sshd lets nobody in who is.
        run("useradd", "--home-dir", self.directory / "login", "--create-home", "--shell", "/bin/sh", "--password", "*", self.login)
        Path("/etc/sudoers.d", self.login).write_text(f"{self.login} ALL=(ALL) NOPASSWD: ALL\n")
        (self.directory / "sshd_config").write_text(SSHD_CONFIG.format(port=self.port, directory=self.directory))
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        run(sshd, "-f", self.directory / "sshd_config", "-E", self.directory / "sshd.log")

    def remove(self) -> None:
        """End sshd, and remove both users."""
        if (self.directory / "sshd.pid").exists():
            os.kill(int((self.directory / "sshd.pid").read_text()), signal.SIGTERM)
        Path("/etc/sudoers.d", self.login).unlink(missing_ok=True)
        for user in (self.user, self.login):
            subprocess.run(["userdel", user], check=False, capture_output=True)
            Path(path_of(user)).unlink(missing_ok=True)


@contextlib.contextmanager
def ssh_host() -> t.Iterator[SshHost]:
    """A host with EPMD. Afterwards its users and its directory are gone; its nodes must be stopped by then."""
    assert shutil.which("sudo") and os.geteuid() == 0, "these tests need root and sudo"
    # pytest's own directories are closed to other users.
    directory = Path(tempfile.mkdtemp(prefix="otp-ssh-"))
    directory.chmod(0o755)
    host = SshHost(directory)
    # The node would start one that outlives it.
    epmd = subprocess.Popen(["epmd", "-address", "127.0.0.1", "-port", str(host.epmd_port)], stdout=subprocess.DEVNULL)
    try:
        host.start()
        yield host
    finally:
        epmd.terminate()
        epmd.wait(LIMIT)
        host.remove()
        shutil.rmtree(directory)
