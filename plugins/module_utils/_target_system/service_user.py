# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The service user that a node runs as, its group, and what belongs to it: directories, its cookie file."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock, read_file, write_file
from ansible_collections.erlang.otp.plugins.module_utils._core.run import PATH, run

# What may stand for a shell with which nobody logs in, in the order of preference.
NO_SHELLS = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false")

COOKIE_FILE = ".erlang.cookie"
# Seconds for what makes a user, which may ask a directory service.
TIMEOUT = 60.0

# Held while users and groups are made. Several systems of one host may share a user, and be worked on at once.
LOCK = "/run/erlang.otp.lock"


class Owner(t.NamedTuple):
    """Numbers of a user and a group; -1 in check mode, for those that would be made."""

    uid: int
    gid: int


def have_user(user: str, group: str, home: str, *, manage: bool, changes: Changes) -> Owner:
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


def find_user(name: str):
    """The user's entry, or None."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def find_group(name: str):
    """The group's entry, or None."""
    try:
        return grp.getgrnam(name)
    except KeyError:
        return None


def user_number(name: str | None) -> int:
    """The number of a user given by name or number; -1 for None. Raises OtpError."""
    return _number("user", name, find_user, "pw_uid")


def group_number(name: str | None) -> int:
    """The number of a group given by name or number; -1 for None. Raises OtpError."""
    return _number("group", name, find_group, "gr_gid")


def _number(kind: str, name: str | None, find, field: str) -> int:
    if name is None:
        return -1
    if name.isdigit():
        return int(name)
    entry = find(name)
    if entry is None:
        raise OtpError(f"there is no {kind} {name} on this host")
    return getattr(entry, field)


def permissions(mode: str) -> int:
    """The bits of permissions in octal digits. Raises OtpError."""
    try:
        bits = int(mode, 8)
    except ValueError:
        bits = -1
    if not 0 <= bits <= 0o777:
        raise OtpError(f"mode {mode!r} is not permissions in octal digits, such as 0640")
    return bits


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


def have_directory(path: str, *, mode: int, owner: Owner, changes: Changes) -> None:
    """Have the directory with its owner. A new one gets the mode; those above it are made as they usually are."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        changes.do(f"create the directory {path}", make_directory, path, mode, owner)
        return
    if not stat.S_ISDIR(found.st_mode):
        raise OtpError(f"{path} is there and no directory.")
    if (found.st_uid, found.st_gid) != owner and -1 not in owner:
        changes.do(f"give the directory {path} to {owner.uid}:{owner.gid}", os.chown, path, *owner)


def make_directory(path: str, mode: int, owner: Owner) -> None:
    """Make the directory, and what is missing above it. Raises OtpError when something else has the name."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise OtpError(f"{path} is there and no directory.") from None
        # Another system of this host has it in common with this one, and was a moment earlier.
        return have_directory(path, mode=mode, owner=owner, changes=Changes())
    os.chown(path, *owner)
    os.chmod(path, mode)


def have_file(path: str, content: bytes, *, mode: int, owner: Owner, sentence: str, changes: Changes) -> bytes | None:
    """Have the file with its content, mode and owner. Return what it was before when it was another, else None."""
    before = read_file(path)
    if before != content:
        changes.do(sentence, write_file, path, content, mode=mode, uid=owner.uid, gid=owner.gid)
        return before or b""
    found = os.stat(path)
    if stat.S_IMODE(found.st_mode) != mode or ((found.st_uid, found.st_gid) != owner and -1 not in owner):
        changes.do(f"set mode and owner of {path}", write_file, path, content, mode=mode, uid=owner.uid, gid=owner.gid)
    return None


def have_cookie(home: str, cookie: str, *, owner: Owner, changes: Changes) -> bool:
    """Have the cookie in the home directory, for nobody but the user to read. Return whether it was another before."""
    path = os.path.join(home, COOKIE_FILE)
    try:
        before = have_file(path, cookie.encode("ascii"), mode=0o400, owner=owner, sentence=f"write the cookie to {path}", changes=changes)
    except PermissionError:
        raise OtpError(f"not allowed to read {path}: use become to work as root or as the node's user.") from None
    return before is not None
