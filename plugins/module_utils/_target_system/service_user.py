# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The service user, which a node runs as, its group, and its cookie file."""

from __future__ import annotations

import functools
import os
import shutil
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock, read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_root
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner, ensure_file, find_group, find_user
from ansible_collections.erlang.otp.plugins.module_utils._core.run import PATH
from ansible_collections.erlang.otp.plugins.module_utils._node.service import must
from ansible_collections.erlang.otp.plugins.module_utils._target_system.user_record import add_to_user_record, read_user_record

# Login shells that refuse a login, in the order of preference.
NO_SHELLS = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false")

# Held while a user or a group is created: two systems of one host may share a user, and be deployed at the same time.
LOCK = "/run/erlang.otp.lock"


def ensure_user(user: str, group: str, home: str, *, manage: bool, changes: Changes, root: str = "") -> Owner:
    """Ensure the system user and its group, with useradd, or adduser of BusyBox. Return their numbers. What is created for the system at root is recorded.

    Raises OtpError if one of them is missing and manage is false, or if it cannot be created.
    """
    shell = next((path for path in NO_SHELLS if os.path.exists(path)), NO_SHELLS[-1])
    group_commands = [["groupadd", "--system", group], ["addgroup", "-S", group]]
    shadow = ["useradd", "--system", "--gid", group, "--home-dir", home, "--no-create-home", "--shell", shell, user]
    busybox = ["adduser", "-S", "-D", "-H", "-G", group, "-h", home, "-s", shell, user]
    for find, kind, name, commands in ((find_group, "group", group, group_commands), (find_user, "system user", user, [shadow, busybox])):
        if find(name) is None and not manage:
            raise OtpError(f"this host has no {kind} {name!r}, and otp_manage_user is false: create it, or set otp_manage_user.")
        if find(name) is None:
            record = functools.partial(add_to_user_record, user, root, home, kind.rpartition(" ")[2]) if root else None
            changes.do(f"create the {kind} {name}", make_once, find, name, commands, record)
    if manage and os.geteuid() == 0 and is_half_made(user) and shutil.which("usermod", path=PATH):
        # Another run may be making it at this moment.
        commands = [["usermod", "--expiredate", "", user]]
        changes.do(
            f"complete the system user {user}, which an interrupted run has left", make_once, lambda name: None if is_half_made(name) else name, user, commands
        )
    if root and not changes.check_mode:
        share_user(user, root, home)
    found_user, found_group = find_user(user), find_group(group)
    return Owner(found_user.pw_uid if found_user else -1, found_group.gr_gid if found_group else -1)


def is_half_made(user: str, etc: str = "/etc") -> bool:
    """Whether useradd ended between its two files: su refuses such a user, and so would the init script. Not true of a user that is elsewhere, as in LDAP."""
    passwd, shadow = (read_file(f"{etc}/{name}") for name in ("passwd", "shadow"))
    in_passwd = any(line.startswith(f"{user}:x:".encode()) for line in (passwd or b"").splitlines())
    return in_passwd and shadow is not None and not any(line.startswith(f"{user}:".encode()) for line in shadow.splitlines())


def share_user(user: str, root: str, home: str) -> None:
    """Record one more system of a user that was created for another one."""
    systems = read_user_record(user).systems
    if systems and root not in systems:
        with as_root():
            if os.geteuid() == 0:
                with lock(LOCK):
                    add_to_user_record(user, root, home)


def make_once(find, name: str, commands: list[list[str]], record: t.Callable[[], None] | None = None) -> None:
    """Run the first of the commands that the host has, unless another run has created the name meanwhile. Raises OtpError.

    Two useradd at the same time overwrite each other's entry with another number, so the lock is held. record: called first.
    """
    with as_root():
        if os.geteuid() != 0:
            raise OtpError(f"this host has no user or group {name!r}, and only root can create it: use become, or set otp_user.")
        with lock(LOCK):
            if find(name) is None:
                if record is not None:
                    record()
                run_first(commands)


def run_first(commands: list[list[str]]) -> None:
    """Run the first of the commands whose program the host has. Raises OtpError with its output if it fails."""
    for command in commands:
        program = shutil.which(command[0], path=PATH)
        if program:
            return must([program, *command[1:]])
    raise OtpError(f"this host has none of the programs {', '.join(command[0] for command in commands)}: create the user and the group by other means.")


def ensure_cookie(path: str, cookie: str, *, owner: Owner, changes: Changes) -> bool:
    """Write the cookie file, which only its owner can read. Return whether the cookie has changed. Raises OtpError."""
    try:
        before = ensure_file(path, cookie.encode("ascii"), mode=0o400, owner=owner, sentence=f"write the cookie to {path}", changes=changes)
    except PermissionError:
        raise OtpError(f"cannot read {path}: use become to work as root or as the user of the node.") from None
    return before is not None
