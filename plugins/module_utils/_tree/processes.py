# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process of an emulator of this host, and since when it runs.

It is found by ``$ROOT/run/emulator.pid``, which bin/start_erl of the role target_system writes, and by ``/proc``; the number alone
is never trusted (erlexec of ERTS gives each emulator ``-root ROOT``; proc(5)).
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_root
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host

# Shells that run bin/start, bin/start_erl, or the command of run_erl.
_SCRIPT = re.compile(rb"""bin/start(_erl)?["' \0]|/erlexec[" \0]""")


def pid_file(root: str) -> str:
    """The file in which bin/start_erl notes the emulator's process."""
    return os.path.join(root, "run", "emulator.pid")


def find_emulator(root: str) -> int | None:
    """The process of the emulator that runs the system below root; None if it is not running. Zombies do not count."""
    if remote_host():
        return next(iter(remote_host().emulators(root)), None)
    noted = _noted(root)
    return noted if noted is not None and is_emulator(noted, root) else next(iter(find_emulators(root)), None)


def is_noted(root: str, pid: int) -> bool:
    """Whether this is the emulator that bin/start_erl has started, or that was taken over. Of a box nothing else is known."""
    return bool(remote_host()) or _noted(root) == pid


def _noted(root: str) -> int | None:
    """The number in the pid file; None if it has none. The node can put anything in its place."""
    try:
        content = (read_file(pid_file(root), limit=4096) or b"").strip()
    except (OSError, OtpError):
        return None
    return int(content) if content.isdigit() and len(content) < 20 else None


def find_emulators(root: str) -> list[int]:
    """The processes of all emulators with this root directory, noted or not."""
    if remote_host():
        return list(remote_host().emulators(root))
    return _without_forks(pid for pid in _all() if is_emulator(pid, root))


def _all() -> t.Iterator[int]:
    return (int(entry) for entry in os.listdir("/proc") if entry.isdigit())


def _without_forks(pids: t.Iterable[int]) -> list[int]:
    """An emulator forks once, for erl_child_setup. Until that calls exec, it has the arguments of the emulator."""
    found = sorted(pids)
    return [pid for pid in found if _parent(pid) not in found]


def second_emulator(root: str, pid: int | None) -> str:
    """A sentence, without its full stop, about emulators with this root directory besides the process, of any user; empty if there is none."""
    found = find_emulators(root) if remote_host() else _without_forks(other for other in _all() if _has_root(other, root))
    others = [str(other) for other in found if other != pid]
    return f"a second emulator runs the system below {root} (process {', '.join(others)})" if others else ""


class Starter(t.NamedTuple):
    """A process that starts an emulator or waits for its end: heart, with its emulator, run_erl, or a script on its way to an emulator."""

    program: str  # heart, run_erl, script
    pid: int
    emulator: int = 0


def find_starters(root: str) -> list[Starter]:
    """What may start another emulator of the system below root, or has not noticed yet that one has ended."""
    if remote_host():
        return list(remote_host().starters(root))
    return [starter for starter in (_as_starter(pid, root) for pid in _all()) if starter is not None]


def _as_starter(pid: int, root: str) -> Starter | None:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read()
        arguments = command.split(b"\0")
        name = os.path.basename(arguments[0])
        if b"-root" in arguments or not (name in (b"heart", b"run_erl") or _SCRIPT.search(command)):
            return None
        if not _has_environment(pid, root) or not _may_run(runs_as(pid), pid, root):
            return None
        if not os.path.samestat(os.stat(f"/proc/{pid}/root{root}"), os.stat(root)):
            return None
    except OSError:
        # It has ended meanwhile, or is another user's.
        return None
    if name == b"heart":
        emulator = arguments[arguments.index(b"-pid") + 1] if b"-pid" in arguments[:-1] else b""
        return Starter("heart", pid, int(emulator) if emulator.isdigit() else 0)
    return Starter("run_erl" if name == b"run_erl" else "script", pid)


def _has_environment(pid: int, root: str) -> bool:
    """Whether the process has the environment that bin/start and erlexec give to all of this node. That of a client has the same root directory."""
    with open(f"/proc/{pid}/environ", "rb") as file:
        variables = dict(item.partition(b"=")[::2] for item in file.read().split(b"\0"))
    releases = variables.get(b"RELDIR", b"")
    for name in names_of(root):
        if releases.startswith(name + b"/"):
            return releases == name + b"/releases"
    return variables.get(b"ROOTDIR") in names_of(root)


def is_emulator(pid: int, root: str) -> bool:
    """Whether the process lives and is an emulator with this root directory, of a user who may run it."""
    return _has_root(pid, root) and _may_run(runs_as(pid), pid, root)


def _has_root(pid: int, root: str) -> bool:
    """Whether the process has this root directory, which erlexec gives each emulator as ``-root ROOT``."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            # A zombie's is empty.
            arguments = file.read().split(b"\0")
        if b"-root" not in arguments or arguments[arguments.index(b"-root") + 1] not in names_of(root):
            return False
        return not is_clients(arguments, root) and _has_same_directory(pid, root)
    except (OSError, IndexError):
        # It has ended meanwhile.
        return False


def _may_run(user: int | None, pid: int, root: str) -> bool:
    """Anybody can give a process such arguments. A tree that is still root's says nothing of its user, before it is taken over (docs/design.md)."""
    return user is not None and (user == 0 or os.stat(root).st_uid in (0, user) or is_noted(root, pid))


def _has_same_directory(pid: int, root: str) -> bool:
    """A container may have another system at the same path. Who may not look, as the owner at a process of root, sees whether it numbers its own processes."""
    try:
        return os.path.samestat(os.stat(f"/proc/{pid}/root{root}"), os.stat(root))
    except PermissionError:
        return len(_status(pid, b"NSpid:")) < 2


def is_clients(arguments: list[bytes], root: str) -> bool:
    """Whether the emulator, by its command line, is a client node's, which boots from its own directory below the root directory."""
    boots = arguments[arguments.index(b"-boot") + 1] if b"-boot" in arguments[:-1] else b""
    for name in names_of(root):
        if boots.startswith(name + b"/"):
            return b"/releases/" in boots[len(name) + 1 :]
    return False


def names_of(root: str) -> set[bytes]:
    """The possible names of the root directory: the start scripts of OTP 25 and later resolve links."""
    return {os.fsencode(root), os.fsencode(os.path.realpath(root))}


def user_of(pid: int) -> int | None:
    """The effective user of the process; None if it has ended."""
    return next(iter(users_of(pid)[1:2]), None)


def users_of(pid: int) -> list[int]:
    """The real, effective, saved and file system's user of the process (proc(5)); empty if it has ended."""
    return _status(pid, b"Uid:")


def runs_as(pid: int) -> int | None:
    """The user who runs the process; None if it has ended, or is one of su or sudo, whose arguments are those of another user."""
    users, mode = {*users_of(pid)}, 0
    # A container's root may not look.
    with contextlib.suppress(OSError), as_root():
        mode = os.stat(f"/proc/{pid}/exe").st_mode
    return users.pop() if len(users) == 1 and not mode & stat.S_ISUID else None


def _status(pid: int, name: bytes) -> list[int]:
    """The numbers of the line in /proc/PID/status; empty if the process has ended."""
    try:
        lines = (read_file(f"/proc/{pid}/status") or b"").splitlines()
    except ProcessLookupError:
        return []
    return next(([int(number) for number in line.split()[1:]] for line in lines if line.startswith(name)), [])


def program_of(pid: int) -> str:
    """The path of the program that the emulator runs. /proc/PID/exe is for those who may trace it, which a container's root may not.

    The script of relx gives the emulator its own name, and so -bindir has the place of the program.
    """
    if remote_host():
        return str(remote_host().program_of(pid))
    arguments = os.fsdecode(read_file(f"/proc/{pid}/cmdline") or b"").split("\0")
    places = [f"{value}/beam.smp" for flag, value in zip(arguments, arguments[1:]) if flag == "-bindir"]
    names = [name for name in (*places, arguments[0]) if os.path.isabs(name) and os.path.exists(name)]
    return names[0] if names else f"/proc/{pid}/exe"


def started_at(pid: int) -> int:
    """When the emulator was started, in nanoseconds since the epoch as the clock is now.

    The kernel counts in ticks since the boot (proc(5)): a clock that was wrong then, or has been set since, changes nothing.
    """
    if remote_host():
        return int(remote_host().started_at(pid))
    try:
        # A tick is rounded down.
        ticks = int(_stat(pid)[19]) + 1
    except OSError:
        # It has ended meanwhile.
        return time.time_ns()
    # Not /proc/uptime, which a container may see as its own.
    age = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - ticks * 10**9 // os.sysconf("SC_CLK_TCK")
    return time.time_ns() - age


def _parent(pid: int) -> int:
    try:
        return int(_stat(pid)[1])
    except OSError:
        # It has ended meanwhile.
        return 0


def _stat(pid: int) -> list[str]:
    """The fields of proc(5) from the third on. The name, the second one, may have spaces."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rpartition(")")[2].split()
