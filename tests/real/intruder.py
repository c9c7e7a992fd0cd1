# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The service user who attacks root, and what belongs to root and must stay as it is."""

from __future__ import annotations

import os
import pwd
import stat
import traceback
import typing as t
from pathlib import Path

USER = "daemon"
SECRET = "the-secret-of-root"


def attack(act: t.Callable[[], object]) -> None:
    """Call the function in a process of USER, which has none of root's rights. It must succeed."""
    user = pwd.getpwnam(USER)
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([user.pw_gid])
            os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
            os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
            act()
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def state_of(directory: Path) -> dict[str, t.Any]:
    """Owner, mode and content of the directory and of what is in it, by path."""
    found = {}
    for path in [directory, *sorted(directory.rglob("*"))]:
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[str(path)] = (status.st_uid, status.st_gid, status.st_mode, content)
    return found
