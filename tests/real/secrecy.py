# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking for secrets where others could see them: among the processes, in files, in the log of the system."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
import typing as t
from pathlib import Path

SYSLOG = "/dev/log"


class Watch(threading.Thread):
    """Looks at the arguments and the environment of all processes, over and over, for secrets.

    of_environment: secrets that may be in the environment of a process, which only its own user can read.
    """

    def __init__(self, *secrets: str, of_environment: t.Sequence[str] = ()) -> None:
        super().__init__()
        environ = [secret.encode() for secret in secrets]
        self.secrets = {"environ": environ, "cmdline": [*environ, *(secret.encode() for secret in of_environment)]}
        self.seen: set[bytes] = set()
        self.rounds = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.02):
            self.rounds += 1
            for process in filter(str.isdigit, os.listdir("/proc")):
                for name, secrets in self.secrets.items():
                    try:
                        with open(f"/proc/{process}/{name}", "rb", buffering=0) as file:
                            content = file.readall()
                    except OSError:
                        continue
                    if any(secret in content for secret in secrets):
                        self.seen.add(content)

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self.join()


class Syslog(threading.Thread):
    """What the system's log is told meanwhile. Where nobody listens, this does."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = b""
        self.since = time.time()
        self.socket: socket.socket | None = None

    def run(self) -> None:
        assert self.socket
        while message := self.socket.recv(65536):
            if message == b"end":
                return
            self.heard += message + b"\n"

    def __enter__(self) -> Syslog:
        if not is_served(SYSLOG):
            Path(SYSLOG).unlink(missing_ok=True)
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.socket.bind(SYSLOG)
            os.chmod(SYSLOG, 0o666)
            self.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.socket:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"end", SYSLOG)
            self.join()
            self.socket.close()
            os.unlink(SYSLOG)
            return
        if shutil.which("journalctl"):
            self.heard += subprocess.run(["journalctl", "--since", f"@{self.since:.0f}", "-o", "cat"], capture_output=True, check=False).stdout
        for path in map(Path, ("/var/log/syslog", "/var/log/messages")):
            self.heard += path.read_bytes() if path.is_file() else b""


def is_served(path: str) -> bool:
    """Whether a process listens at the socket. One that a killed run has left serves no process."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        return sender.connect_ex(path) == 0


def files_below(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()]


def files_with(directory: Path, secret: str) -> set[str]:
    """The files below the directory that hold the secret."""
    return {str(path.relative_to(directory)) for path in files_below(directory) if secret.encode() in path.read_bytes()}


def open_to_others(directory: Path) -> t.Iterator[Path]:
    """The files below the directory that users who neither own them nor are of their group may read."""
    for path, names, files in os.walk(directory):
        names[:] = [name for name in names if os.lstat(os.path.join(path, name)).st_mode & 0o001]
        for name in files:
            file = Path(path, name)
            if file.is_file() and not file.is_symlink() and file.stat().st_mode & 0o004:
                yield file
