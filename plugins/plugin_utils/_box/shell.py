# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shell of a box that has no Python: fixed programs, with their variables before them, through the task's own connection.

Nothing is written to the box for it. What is secret or large goes through standard input.
"""

from __future__ import annotations

import functools
import io
import shlex
import tarfile
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

PROGRAMS = Path(__file__).parent / "programs"


class Shell:
    """Runs the programs on one box, and counts what that costs: round trips, bytes there and back."""

    def __init__(self, action: ActionBase, root: str) -> None:
        self._action = action
        self._root = root
        self.token = ""
        self.round_trips = self.sent = self.received = 0

    def run(self, name: str, variables: t.Mapping[str, str], *, data: bytes = b"\n") -> bytes:
        """What the program says. data: its standard input, which is never empty, for without any Ansible asks for a terminal.

        Raises OtpError with what it complains of when it fails.
        """
        words = {"ROOT": self._root, "TOKEN": self.token, **variables}
        assignments = "\n".join(f"{word}={shlex.quote(value)}" for word, value in words.items())
        command = "\n".join((assignments, source("common"), source(name)))
        self.round_trips += 1
        self.sent += len(command) + len(data)
        said = self._action._low_level_execute_command(command, in_data=data)
        output: bytes = said["stdout"].encode("utf-8", "surrogateescape")
        self.received += len(output)
        if said["rc"] != 0:
            words_of_it = (said["stderr"].strip() or output.decode("utf-8", "replace").strip())[-1000:]
            raise OtpError(words_of_it or f"the connection to the box has ended ({name}, code {said['rc']}): run it again")
        return output


def packed(files: t.Mapping[str, bytes]) -> bytes:
    """The files as a compressed tar, which only its owner can read when it is unpacked."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@functools.cache
def source(name: str) -> str:
    """A program without its comments."""
    lines = (PROGRAMS / f"{name}.sh").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("#"))
