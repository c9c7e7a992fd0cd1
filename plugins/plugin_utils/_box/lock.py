# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock of a box: one run at a time writes. A link to a name that does not exist, with the name of the run and the boot of the box."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._box.inspection import Inspection

LOCK_PAUSE = 2.0


def new_token() -> str:
    """The name of this run: who, the process, when, and a random number."""
    return f"{getpass.getuser()}@{socket.gethostname()} {os.getpid()} {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {secrets.token_hex(4)}"


def take_lock(inspect: t.Callable[..., Inspection], *, lock: str, timeout: float, warnings: list[str]) -> Inspection:
    """Inspect the box once the lock is taken. inspect.sh breaks a lock of an earlier boot; one of a run that has ended is broken here.

    Raises OtpError if another run holds the lock for timeout seconds.
    """
    ended, deadline = "", time.monotonic() + timeout
    while True:
        found = inspect(TAKE="yes", BREAK=ended)
        if found.broken:
            warnings.append(f"an earlier run ended without releasing its lock on the box, so the lock was removed: {found.broken}")
        if not found.locked:
            return found
        if has_ended(found.locked):
            ended = found.locked
        elif time.monotonic() > deadline:
            raise OtpError(
                f"another run works on the box: {found.locked.rpartition(' ')[0]}; waited {timeout:g} s."
                f" Wait for it. If that run has ended, remove {lock} on the box."
            )
        else:
            time.sleep(LOCK_PAUSE)


def has_ended(holder: str) -> bool:
    """Whether the holder of a lock is a run on this controller whose process has ended."""
    who, pid, *dummy = holder.split(" ")
    if who != f"{getpass.getuser()}@{socket.gethostname()}" or not pid.isdigit() or not os.path.isdir("/proc/self"):
        return False
    return not os.path.exists(f"/proc/{pid}")
