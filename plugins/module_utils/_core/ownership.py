# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and directories with their mode and owner; users and groups by name or number."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import inherited_owner, make_parents, read_file, write_file
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner, as_root, can_switch, find_writer

# The mode of a directory until it has its owner.
_NEW = 0o700


class Owner(t.NamedTuple):
    """Numbers of a user and a group; -1 for any, and in check mode for those that would be created."""

    uid: int
    gid: int

    @property
    def shown(self) -> str:
        """As chown takes it."""
        return str(self.uid) if self.gid == -1 else f"{self.uid}:{self.gid}"


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
    return _number("owner", "user", name, find_user, "pw_uid")


def group_number(name: str | None) -> int:
    """The number of a group given by name or number; -1 for None. Raises OtpError."""
    return _number("group", "group", name, find_group, "gr_gid")


def _number(option: str, kind: str, name: str | None, find, field: str) -> int:
    if name is None:
        return -1
    if name.isdigit():
        return int(name)
    entry = find(name)
    if entry is None:
        raise OtpError(f"{option}: this host has no {kind} {name!r}. Create it first, or give a number.")
    return getattr(entry, field)


def parse_mode(text: str) -> int:
    """The permission bits of octal digits, with which the owner can read the file. Raises OtpError."""
    mode = int(text, 8) if text and not set(text) - set("01234567") else 0
    if not 0o400 <= mode <= 0o777:
        raise OtpError(f"mode: {text!r} is not an octal mode between '0400' and '0777'. Give digits in quotes, such as '0640'.")
    return mode


class FileOptions(t.NamedTuple):
    """How files of a system are written: numeric owner (-1: the process's), the permissions that are kept; flush and beside as of write_file()."""

    uid: int = -1
    gid: int = -1
    mask: int = 0o755
    flush: bool = True
    beside: str | None = None

    def with_owner_of(self, directory: str) -> FileOptions:
        """By default the owner of the directory, if it exists; -1 for the process's own, which saves a chown() of each file."""
        check_owner(self.uid, directory)
        owner = inherited_owner(directory) if os.path.lexists(directory) else (-1, -1)
        uid = owner[0] if self.uid == -1 else self.uid
        gid = owner[1] if self.gid == -1 else self.gid
        return self._replace(uid=-1 if uid == os.geteuid() else uid, gid=-1 if gid == os.getegid() else gid)

    def directory(self, path: str) -> None:
        """Make the directory. An existing one keeps its owner unless it is empty: then an interrupted run may have made it."""
        if not os.path.isdir(path):
            umask = os.umask(0)
            try:
                os.mkdir(path, 0o755 & self.mask | 0o700)
            finally:
                os.umask(umask)
        elif os.listdir(path):
            return
        os.chown(path, self.uid, self.gid)

    def file(self, path: str, content: bytes | t.Iterator[bytes], mode: int = 0o644) -> None:
        """Write the file as write_file() does."""
        write_file(path, content, mode=mode & self.mask | 0o400, uid=self.uid, gid=self.gid, flush=self.flush, beside=self.beside)


def check_owner(uid: int, directory: str) -> None:
    """Raise OtpError if files in the directory cannot get this owner: root works there with the rights of who can write it."""
    if os.getuid() == 0 and os.geteuid() not in (0, uid) and uid != -1:
        raise OtpError(
            f"{directory} can be written by user {os.geteuid()}, so what is in it cannot belong to user {uid}."
            f" Set the owner to {os.geteuid()}, or leave it out; or run: chown -hR {uid} {directory}"
        )


def _fits(found: os.stat_result, owner: Owner) -> bool:
    return owner.uid in (-1, found.st_uid) and owner.gid in (-1, found.st_gid)


def ensure_directory(path: str, *, mode: int, owner: Owner, changes: Changes) -> None:
    """Ensure that the directory exists and has the owner. A new one gets the mode; those above it get the default mode and owner.

    Raises OtpError if it belongs to another user, and only root could change that, in a directory that others can write.
    """
    with as_owner(_place_of(path)):
        try:
            found = os.stat(path)
        except FileNotFoundError:
            if path not in changes.directories:
                changes.do(f"create the directory {path}", make_directory, path, mode, owner)
                changes.foretell(path)
            return
        if not stat.S_ISDIR(found.st_mode):
            raise OtpError(f"{path} exists and is not a directory.")
        if stat.S_IMODE(found.st_mode) == _NEW != mode and not os.listdir(path):
            changes.do(f"set the mode of {path}, which an interrupted run has left", os.chmod, path, mode)
        if _fits(found, owner):
            return
        if found.st_uid != os.geteuid() != 0:
            raise OtpError(
                f"{path} belongs to user {found.st_uid}, not to {owner.uid}, who could put a link in its place: root does not change it."
                f" Run: chown -h {owner.shown} {path}; or remove it."
            )
        # Of a link that root has made, the directory; of one that is put there now, the link.
        changes.do(f"give the directory {path} to {owner.shown}", os.lchown, os.path.realpath(path), *owner)


def _place_of(path: str) -> str:
    """Where root's rights are enough to change the directory's owner: the directory above, if all on the way is root's, and no link of another user's."""
    if not can_switch():
        return path
    with as_root():
        writer = find_writer(path)
    if writer is not None and (stat.S_ISLNK(writer.status.st_mode) or writer.path != os.path.realpath(path)):
        return path
    return os.path.dirname(path)


def make_directory(path: str, mode: int, owner: Owner) -> None:
    """Make the directory and those above it. Raises OtpError if the path exists and is not a directory."""
    make_parents(path)
    try:
        os.mkdir(path, _NEW)
    except FileExistsError:
        if not os.path.isdir(path):
            raise OtpError(f"{path} exists and is not a directory.") from None
        # Another system of this host, which shares the directory, has just made it.
        return ensure_directory(path, mode=mode, owner=owner, changes=Changes())
    os.chown(path, *owner)
    os.chmod(path, mode)


def ensure_file(
    path: str, content: bytes, *, mode: int, owner: Owner, sentence: str, changes: Changes, keep: t.Callable[[str], None] | None = None
) -> bytes | None:
    """Ensure content, mode and owner of the file. Return the old content if it was different, else None. keep: called before it is replaced."""

    def write() -> None:
        write_file(path, content, mode=mode, uid=owner.uid, gid=owner.gid)

    def replace() -> None:
        if keep is not None:
            keep(path)
        write()

    def write_as_it_was(found: os.stat_result) -> None:
        write()
        # A node that has read it has read this content.
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)

    with as_owner(os.path.dirname(path) if can_switch() else path):
        before = read_file(path)
        if before != content:
            changes.do(sentence, replace)
            return before or b""
        found = os.stat(path)
        if stat.S_IMODE(found.st_mode) != mode or not _fits(found, owner):
            changes.do(f"set mode and owner of {path}", write_as_it_was, found)
        return None
