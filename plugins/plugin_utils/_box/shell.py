# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shell of a box without Python: runs the programs of ``programs/`` through the connection of the task, with variables before them.

No program is written to the box. Secrets and large data go through standard input.
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
    """Runs the programs on one box, and counts round trips and bytes in both directions."""

    def __init__(self, action: ActionBase, root: str) -> None:
        self._action = action
        self._root = root
        self.token = ""
        self.round_trips = self.sent = self.received = 0

    def run(self, name: str, variables: t.Mapping[str, str], *, data: bytes = b"\n") -> bytes:
        """The output of the program. data: its standard input; never empty, because without input Ansible requests a terminal.

        Raises OtpError with the end of its error output if it fails.
        """
        everything = {"ROOT": self._root, "TOKEN": self.token, **variables}
        assignments = "\n".join(f"{word}={shlex.quote(value)}" for word, value in everything.items())
        command = "\n".join((assignments, read_program("common"), read_program(name)))
        self.round_trips += 1
        self.sent += len(command) + len(data)
        answer = self._action._low_level_execute_command(command, in_data=data)
        output: bytes = answer["stdout"].encode("utf-8", "surrogateescape")
        self.received += len(output)
        if answer["rc"] != 0:
            message = (answer["stderr"].strip() or output.decode("utf-8", "replace").strip())[-1000:]
            raise OtpError(message or f"the connection to the box broke ({name}.sh, code {answer['rc']}): run it again")
        return output


def pack(files: t.Mapping[str, bytes]) -> bytes:
    """The files as a compressed tar; unpacked, only their owner can read them."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@functools.cache
def read_program(name: str) -> str:
    """The text of a program without its comments."""
    lines = (PROGRAMS / f"{name}.sh").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("#"))
