# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A box as the host that module_utils asks, in place of this one: its processes, its programs and its node (see ``_core/remote_host``)."""

from __future__ import annotations

import contextlib
import math
import os
import re
import tempfile
import time
import typing as t

from ansible import constants as C
from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import working_on
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import Starter
from ansible_collections.erlang.otp.plugins.plugin_utils._box.box import Box, BoxTarget
from ansible_collections.erlang.otp.plugins.plugin_utils._box.console import BoxConsole
from ansible_collections.erlang.otp.plugins.plugin_utils._box.inspection import parse_processes
from ansible_collections.erlang.otp.plugins.plugin_utils._box.limits import MAX_FILE
from ansible_collections.erlang.otp.plugins.plugin_utils._box.mirror import MARK

# Bytes of the end of a log, as emulators.sh prints it.
LOG_SIZE = 8192


@contextlib.contextmanager
def open_box(action: ActionBase, target: BoxTarget) -> t.Iterator[Box]:
    """The box, inspected, and locked if the run writes; within the context module_utils works on it."""
    # Ansible removes this directory also if a worker is killed: the copy has secrets in it.
    with tempfile.TemporaryDirectory(prefix="erlang.otp-", dir=C.DEFAULT_LOCAL_TMP) as destdir:  # type: ignore[attr-defined]
        box = Box(action, target, destdir)
        is_done = False
        try:
            box.begin()
            with working_on(BoxHost(box)):
                yield box
            is_done = not box.has_failed
        finally:
            if box.shell.token or box.uses_pipe:
                box.finish(done=is_done)


class BoxHost:
    """The answers of a box to what module_utils asks of a host."""

    def __init__(self, box: Box) -> None:
        self._box = box
        # Whether the emulators of the inspection are still the ones that run: until this run starts, stops or calls the node.
        self._is_fresh = True

    @property
    def free(self) -> int:
        """Bytes free at the root directory."""
        return self._box.inspection.free

    @property
    def program(self) -> str:
        """A file here with the head of a program that the box runs."""
        return self._head("/proc/")

    def has(self, path: str) -> bool:
        """Whether the box has this loader of programs."""
        return path in self._box.inspection.loaders

    def sha256_of(self, path: str) -> str:
        """What the box has reported of a file of the copy whose content it has not sent; empty for one whose content is here."""
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            content = file.read(len(MARK) + 65)
        found = re.fullmatch(rb"[0-9a-f]{64}", content[len(MARK) :]) if content.startswith(MARK) else None
        return found[0].decode("ascii") if found else ""

    def problem_of(self, path: str) -> str:
        """Why the content of a file of the copy is not known, as the end of a sentence; empty if it is, or if the file is too large to ask for."""
        entry = self._box.inspection.entries.get(os.path.relpath(path, self._box.mirror.base))
        with open(path, "rb") as file:
            if entry is None or file.read(len(MARK)) != MARK or entry.size > MAX_FILE:
                return ""
        return "is a link on this host" if entry.kind == "l" else "cannot be read by the user of the node on this host"

    def emulators(self, root: str) -> list[int]:
        return self._box.inspection.emulators if self._is_fresh else self._find_processes()[0]

    def starters(self, root: str) -> list[Starter]:
        if self._is_fresh and "bin/start" not in self._box.inspection.entries:
            return []
        found = self._find_processes()[1]
        # What they start is not there yet.
        self._is_fresh = self._is_fresh and not found
        return found

    def program_of(self, pid: int) -> str:
        return self._head("erts-")

    def started_at(self, pid: int) -> int:
        return self._box.inspection.started.get(pid) or time.time_ns()

    def connect(self, address: NodeAddress, *, timeout: float) -> BoxConsole:
        self._is_fresh = False
        return BoxConsole(self._box, force=address.force)

    def evaluate(self, text: str, *, timeout: float) -> t.Any:
        self._is_fresh = False
        return BoxConsole(self._box).evaluate(text, timeout=timeout)

    def stop(self, timeout: float) -> None:
        """Stop the node. Raises OtpError after timeout seconds."""
        self._is_fresh = False
        self._box.shell.run("stop", {"LIMIT": str(math.ceil(timeout))}, seconds=timeout)

    def send(self) -> None:
        """Bring the files of the copy to the box."""
        self._box.send_changes()

    def refresh(self) -> None:
        """Bring what has changed on the box to the copy."""
        self._box.refresh()

    def start(self) -> None:
        """Bring the files of the node to the box, and start it."""
        self._box.send_changes()
        self._is_fresh = False
        self._box.shell.run("start", {}, as_root={"INIT": self._box.target.init_script})

    def logs(self, directory: str) -> str:
        """A directory here with the end of the newest log in that directory of the box."""
        output = self._box.shell.run("emulators", {"LOGS": directory})
        # Not in the copy of the system, of which all that is new goes to the box.
        copy = self._box.logs + directory
        os.makedirs(copy, exist_ok=True)
        found = re.search(rb"\nlog (erlang\.log\.\d{1,6})\n", output)
        if found:
            with open(os.path.join(copy, found[1].decode("ascii")), "wb") as file:
                file.write(output[found.end() :][:LOG_SIZE])
        return copy

    def _find_processes(self) -> tuple[list[int], list[Starter]]:
        return parse_processes(self._box.shell.run("emulators", {"LOGS": ""}).decode("ascii", "replace"))

    def _head(self, prefix: str) -> str:
        heads = self._box.inspection.heads
        path = os.path.join(self._box.destdir, ".head")
        with open(path, "wb") as file:
            file.write(next((heads[name] for name in sorted(heads) if name.startswith(prefix)), b""))
        return path
