# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shell of a box without Python: runs the programs of ``programs/`` through the connection of the task, with variables before them.

No program is written to the box. Secrets and large data go through standard input. A program runs as the user of the node (``root.sh``).
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
from ansible_collections.erlang.otp.plugins.module_utils._core.run import printable
from ansible_collections.erlang.otp.plugins.plugin_utils._box.limits import MAX_OUTPUT, MIN_RATE, PATIENCE, bounded

PROGRAMS = Path(__file__).parent / "programs"
# Of these, bin/stop consists as well.
IS_EMULATOR, EMULATORS, STOP_NODE = (Path(__file__).parents[1] / "_target_system" / f"{name}.sh" for name in ("is_emulator", "emulators", "stop_node"))


class Shell:
    """Runs the programs on one box, and counts round trips and bytes in both directions."""

    def __init__(self, action: ActionBase, root: str, user: str) -> None:
        self._action = action
        self._root = root
        self._user = user
        self.token = ""
        self.round_trips = self.sent = self.received = 0

    def run(self, name: str, variables: t.Mapping[str, str], *, as_root: t.Mapping[str, str] | None = None, data: bytes = b"\n", seconds: float = 0) -> bytes:
        """The output of the program. data: its standard input; never empty, because without input Ansible requests a terminal.

        as_root: the variables of NAME_root.sh, if there is such a program. seconds: how long the program may wait.
        Raises OtpError with the end of its error output if it fails, and if it sends more, or takes longer, than any box needs.
        """
        of_system = {"ROOT": self._root, "RELDIR": f"{self._root}/releases", "TOKEN": self.token}
        common = assignments({**of_system, **variables}) + read_program("common") + without_comments(IS_EMULATOR) + without_comments(EMULATORS)
        # dropbear takes no command of more than 9000 characters.
        common += without_comments(STOP_NODE) if name in ("emulators", "stop") else ""
        outer = {"ROOT": self._root, "NODE_USER": self._user, **(as_root or {}), "COMMON": common, "PROGRAM": read_program(name)}
        own = 'as_user "$PROGRAM"' if as_root is None else read_program(f"{name}_root")
        # Few calls need to know which names root can trust: a line may be slow.
        guard = "" if as_root is None and self._user else read_program("guard")
        command = assignments(outer) + guard + read_program("root") + own
        self.round_trips += 1
        self.sent += len(command) + len(data)
        with bounded(f"{name}.sh", PATIENCE + seconds + len(data) / MIN_RATE):
            answer = self._action._low_level_execute_command(command, in_data=data)
        output: bytes = answer["stdout"].encode("utf-8", "surrogateescape")
        self.received += len(output)
        if len(output) > MAX_OUTPUT:
            raise OtpError(f"the answer of the box to {name}.sh has {len(output)} bytes, and no box needs more than {MAX_OUTPUT}. Look at what answers there.")
        if answer["rc"] != 0:
            message = printable((answer["stderr"].strip().encode("utf-8", "replace") or output.strip())[-1000:])
            raise OtpError(message or f"the connection to the box broke ({name}.sh, code {answer['rc']}): run it again")
        return output


def assignments(variables: t.Mapping[str, str]) -> str:
    """The lines of a shell that set the variables."""
    return "".join(f"{word}={shlex.quote(value)}\n" for word, value in variables.items())


def pack(files: t.Mapping[str, bytes]) -> bytes:
    """The files as a compressed tar; unpacked, only their owner can read them."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def read_program(name: str) -> str:
    """The text of a program of ``programs/``, as without_comments."""
    return without_comments(PROGRAMS / f"{name}.sh")


@functools.cache
def without_comments(path: Path) -> str:
    """The text of a program without its comments and indentation."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "".join(line.strip() + "\n" for line in lines if line.strip() and not line.lstrip().startswith("#"))
