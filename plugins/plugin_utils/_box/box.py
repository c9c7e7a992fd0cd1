# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An embedded box without Python: its system is worked on here, in a copy, and its node through its shell.

The modules' own code does the work. What it asks of the host, processes and the node, is asked of the box (``_core/remote_host``).
"""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import socket
import tempfile
import time
import typing as t

from ansible import constants as C
from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import working_on
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress
from ansible_collections.erlang.otp.plugins.plugin_utils._box.console import BoxConsole
from ansible_collections.erlang.otp.plugins.plugin_utils._box.look import Look, parse_look
from ansible_collections.erlang.otp.plugins.plugin_utils._box.mirror import Mirror, check_room
from ansible_collections.erlang.otp.plugins.plugin_utils._box.shell import Shell

LOCK_PAUSE = 2.0


class Wish(t.NamedTuple):
    """What is to be worked on. user: of the node, "" for whoever logs in; outside: paths that matter and are not below root."""

    root: str
    pipe_dir: str
    user: str = ""
    init_script: str = ""
    outside: tuple[str, ...] = ()
    writes: bool = True
    lock_timeout: float = 60.0


class Box:
    """The host that module_utils asks in the place of this one, and the copy of its files below ``destdir``."""

    def __init__(self, action: ActionBase, wish: Wish, destdir: str) -> None:
        self.wish = wish
        self.destdir = destdir
        self.pipe_dir = wish.pipe_dir
        # Of this run, so that two that only ask do not end each other's.
        self.keeper = f".keeper-{secrets.token_hex(4)}"
        self.shell = Shell(action, wish.root)
        self.mirror = Mirror(destdir, wish.root, wish.outside)
        self.look = Look()
        self.warnings: list[str] = []
        self.attends = self.has_sent = self.has_failed = False
        # Whether the processes are known from the first look still.
        self.is_fresh = False

    @property
    def owner(self) -> str:
        """Of the system, as chown takes it: the node's user, or who owns it, or who logs in."""
        if self.wish.user and self.look.user:
            return "{}:{}".format(*self.look.user)
        root = self.look.entries.get(self.wish.root)
        return f"{root.uid}:{root.gid}" if root else "{}:{}".format(*self.look.me)

    # The files.

    def begin(self) -> None:
        """Look at the box, and take its lock when something is to be written. Raises OtpError when somebody else has it."""
        if not self.wish.writes:
            self.pull()
            self.is_fresh = True
            return
        token = f"{getpass.getuser()}@{socket.gethostname()} {os.getpid()} {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {secrets.token_hex(4)}"
        self.shell.token = token
        gone, deadline = "", time.monotonic() + self.wish.lock_timeout
        while True:
            look = self._look(TAKE="yes", BREAK=gone)
            if look.broken:
                self.warnings.append(f"a run that has ended had left its lock on the box: {look.broken}")
            if not look.locked:
                break
            if is_gone(look.locked):
                gone = look.locked
            elif time.monotonic() > deadline:
                self.shell.token = ""
                raise OtpError(
                    f"the box is worked on by another run, {look.locked.rpartition(' ')[0]}; waited {self.wish.lock_timeout:g} s."
                    f" If that run is no more, remove {self.wish.root}/.box.lock on the box."
                )
            else:
                time.sleep(LOCK_PAUSE)
        self._fill(look)
        self.is_fresh = True

    def pull(self, **variables: str) -> None:
        """Have the copy as the box is."""
        self._fill(self._look(**variables))

    def _look(self, **variables: str) -> Look:
        outside = "\n".join((self.wish.root, *self.mirror.outside))
        chosen = {"TAKE": "", "BREAK": "", "SUMS": "", **variables}
        look = parse_look(self.shell.run("look", {"NODE_USER": self.wish.user, "FILES": outside, **chosen}))
        if look.lacks:
            raise OtpError(f"the box lacks {', '.join(look.lacks)}, without which nothing can be put there: build them into its BusyBox")
        if not look.complete and not look.locked:
            raise OtpError(f"the user who logs in cannot make {self.wish.root} on the box: use become, or make the directory")
        return look

    def _fill(self, look: Look) -> None:
        self.look = look
        self.mirror.fill(look)

    def know_package(self, package: str) -> None:
        """Have in the copy what the box has of the package, so that it need not be sent."""
        if any(path.startswith(("lib/", "erts-")) for path in self.look.entries):
            self.pull(SUMS="yes")
            self.mirror.know_package(package)

    def push(self) -> bool:
        """Have the box as the copy is; whether there was anything to do."""
        owners = {path: self.owner for path in self.mirror.outside if path != self.wish.init_script}
        delivery = self.mirror.delivery(self.owner, owners)
        if delivery is None:
            return False
        check_room(delivery, self.look, self.wish.root)
        self.shell.run("take", {"LISTS": delivery.lists}, data=delivery.stream)
        self.mirror.delivered()
        self.has_sent = True
        return True

    def leave(self, *, done: bool = True) -> None:
        """Free the lock, and the pipes. Not done: what has arrived, and is not in its place, stays for the next run."""
        with contextlib.suppress(OtpError):
            self.shell.run("leave", {"PIPE_DIR": self.pipe_dir, "KEEPER": self.keeper, "DONE": "yes" if done else ""})

    # The host, as module_utils asks for it.

    @property
    def free(self) -> int:
        return self.look.free

    @property
    def program(self) -> str:
        """Here: the beginning of a program that the box runs."""
        return self._head(next((path for path in self.look.heads if path.startswith("/proc/")), ""))

    def has(self, path: str) -> bool:
        """Whether the box has this loader of programs."""
        return path in self.look.loaders

    def emulators(self, root: str) -> list[int]:
        return self.look.emulators if self.is_fresh else self._emulators()

    def program_of(self, pid: int) -> str:
        return self._head(next((path for path in sorted(self.look.heads) if path.startswith("erts-")), "")) or self.program

    def started_at(self, pid: int) -> int:
        content, seconds = self.look.files.get("run/emulator.pid", (b"", 0))
        return seconds * 10**9 if content.strip() == b"%d" % pid else time.time_ns()

    def connect(self, address: NodeAddress, *, timeout: float) -> BoxConsole:
        self.attends = True
        self.is_fresh = False
        return BoxConsole(self, force=address.force)

    def evaluate(self, text: str, *, timeout: float) -> t.Any:
        self.attends = True
        self.is_fresh = False
        return BoxConsole(self).evaluate(text, timeout=timeout)

    def terminate(self, pid: int) -> None:
        self.is_fresh = False
        self._emulators(SIGNAL=str(pid))

    def start(self) -> None:
        """Start the node, whose files must be there for it."""
        self.push()
        self.is_fresh = False
        self.shell.run("start", {"INIT": self.wish.init_script, "NODE_USER": self.wish.user})

    def logs(self, directory: str) -> str:
        """A directory here with the end of the newest log of that directory of the box."""
        said = self.shell.run("emulators", {"SIGNAL": "", "LOGS": directory})
        here = self.destdir + directory
        os.makedirs(here, exist_ok=True)
        dummy, mark, rest = said.partition(b"\nlog ")
        if mark:
            name, dummy, content = rest.partition(b"\n")
            with open(os.path.join(here, os.path.basename(os.fsdecode(name))), "wb") as file:
                file.write(content)
        return here

    def _emulators(self, **variables: str) -> list[int]:
        said = self.shell.run("emulators", {"SIGNAL": "", "LOGS": "", **variables})
        return [int(line.split()[1]) for line in said.decode("ascii", "replace").splitlines() if line.startswith("emulator ")]

    def _head(self, path: str) -> str:
        here = os.path.join(self.destdir, ".head")
        with open(here, "wb") as file:
            file.write(self.look.heads.get(path, b""))
        return here


def is_gone(owner: str) -> bool:
    """Whether the lock is of a run on this controller that is no more."""
    who, pid, *dummy = owner.split(" ")
    if who != f"{getpass.getuser()}@{socket.gethostname()}" or not pid.isdigit():
        return False
    return not os.path.exists(f"/proc/{pid}") if os.path.isdir("/proc/self") else False


@contextlib.contextmanager
def box_of(action: ActionBase, wish: Wish) -> t.Iterator[Box]:
    """The box, looked at, and locked unless nothing is written; the code of module_utils works on it meanwhile."""
    # Where Ansible removes what a worker that was killed has left: there may be secrets in it.
    with tempfile.TemporaryDirectory(prefix="erlang.otp-", dir=C.DEFAULT_LOCAL_TMP) as destdir:  # type: ignore[attr-defined]
        box = Box(action, wish, destdir)
        is_done = False
        try:
            box.begin()
            with working_on(box):
                yield box
            is_done = not box.has_failed
        finally:
            if box.shell.token or box.attends:
                box.leave(done=is_done)
