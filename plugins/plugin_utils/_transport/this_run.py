# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who upgrades a system, for its mark (``_tree/mark``), and whether a run that has left a mark has ended.

A run is a process of ansible-playbook: its number, its start (proc(5)), and where such numbers count, a boot and a name space of processes. Of a run
elsewhere nothing is known here: its mark expires, or is taken over by name.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import socket
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.plugin_utils._transport.packages import run_module
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import StdinTransport


def run_as_operator(action: ActionBase, transport: StdinTransport, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """Run the module as run_module() does. The mark of a run of the same operator that was killed does not count: then the host is asked once more."""
    # Ansible forks for each task.
    arguments = {**arguments, "operator": arguments.get("operator") or operator(), "_run": run_of(os.getppid())}
    result = run_module(action, transport, arguments, task_vars)
    holder = result.get("held_by") or {}
    if holder.get("operator") == arguments["operator"] and has_ended(str(holder.get("run"))):
        result = run_module(action, transport, {**arguments, "_ended_run": holder["run"]}, task_vars)
    return result


def operator() -> str:
    """User and host name of the controller."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container need not have an entry for its user.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def run_of(pid: int) -> str:
    """The run of this process: its number, its start and the place where both count."""
    return f"{pid}-{_start_of(pid) or 0}-{_place()}"


def has_ended(run: str) -> bool:
    """Whether the run is known to have ended: its process was one of this place, and is gone."""
    number, _dash, rest = run.partition("-")
    start, _dash, place = rest.partition("-")
    if not place or place != _place() or not (number.isdecimal() and start.isdecimal() and start != "0"):
        return False
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        # Another user's, of whom /proc may show nothing.
        pass
    found = _start_of(int(number))
    return found is not None and found != start


def _start_of(pid: int) -> str | None:
    """In ticks since the boot; "0" for a process that has ended and is still listed; None if it is not to be seen here."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return "0" if fields[0] in "ZX" else fields[19]


def _place() -> str:
    """Empty where the system has no /proc."""
    try:
        words = Path("/proc/sys/kernel/random/boot_id").read_text("ascii") + os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return hashlib.sha256(words.encode()).hexdigest()[:8]
