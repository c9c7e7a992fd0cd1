# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The service user that a node runs as, its group, and what belongs to it: directories, its cookie file."""

from __future__ import annotations

import os
import shutil

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner, ensure_file, find_group, find_user
from ansible_collections.erlang.otp.plugins.module_utils._core.run import PATH, run
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import COOKIE_FILE

# What may stand for a shell with which nobody logs in, in the order of preference.
NO_SHELLS = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false")

# Seconds for what makes a user, which may ask a directory service.
TIMEOUT = 60.0

# Held while users and groups are made. Several systems of one host may share a user, and be worked on at once.
LOCK = "/run/erlang.otp.lock"


def ensure_user(user: str, group: str, home: str, *, manage: bool, changes: Changes) -> Owner:
    """Have the system user and its group, made with useradd, or adduser of BusyBox.

    Raises OtpError when one of them is missing and manage is false, or cannot be made.
    """
    if find_group(group) is None:
        if not manage:
            raise OtpError(f"there is no group {group!r} on this host, and otp_manage_user is false.")
        changes.do(f"create the group {group}", make_once, find_group, group, [["groupadd", "--system", group], ["addgroup", "-S", group]])
    if find_user(user) is None:
        if not manage:
            raise OtpError(f"there is no user {user!r} on this host, and otp_manage_user is false.")
        shell = next((path for path in NO_SHELLS if os.path.exists(path)), NO_SHELLS[-1])
        shadow = ["useradd", "--system", "--gid", group, "--home-dir", home, "--no-create-home", "--shell", shell, user]
        busybox = ["adduser", "-S", "-D", "-H", "-G", group, "-h", home, "-s", shell, user]
        changes.do(f"create the system user {user}", make_once, find_user, user, [shadow, busybox])
    found_user, found_group = find_user(user), find_group(group)
    return Owner(found_user.pw_uid if found_user else -1, found_group.gr_gid if found_group else -1)


def make_once(find, name: str, commands: list[list[str]]) -> None:
    """Run the first of the commands that the host has, unless the name has come up meanwhile.

    Of two useradd at once the second replaces what the first has made, with another number: so one after the other.
    Raises OtpError.
    """
    if os.geteuid() != 0:
        raise OtpError(f"there is no {name!r} among the users and groups of this host, and only root can make it: use become, or set otp_user.")
    with lock(LOCK):
        if find(name) is None:
            run_first(commands)


def run_first(commands: list[list[str]]) -> None:
    """Run the first of the commands whose program the host has. Raises OtpError with what it said when it fails."""
    for command in commands:
        program = shutil.which(command[0], path=PATH)
        if program:
            code, said = run([program, *command[1:]], timeout=TIMEOUT)
            if code != 0:
                raise OtpError(f"{' '.join(command)} failed: {said}")
            return
    raise OtpError(f"this host has none of {', '.join(command[0] for command in commands)}: make the user and the group by other means.")


def ensure_cookie(home: str, cookie: str, *, owner: Owner, changes: Changes) -> bool:
    """Have the cookie in the home directory, for nobody but the user to read. Return whether it was another before."""
    path = os.path.join(home, COOKIE_FILE)
    try:
        before = ensure_file(path, cookie.encode("ascii"), mode=0o400, owner=owner, sentence=f"write the cookie to {path}", changes=changes)
    except PermissionError:
        raise OtpError(f"not allowed to read {path}: use become to work as root or as the node's user.") from None
    return before is not None
