# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose rights this process uses: root's only where no other user can exchange what a name leads to (docs/design.md, Walls).

An attacker who has taken over a node can write its tree, and put a link in the place of any file. So root works in such a directory with the
rights of the directory's owner, and the kernel refuses what that user may not do. The real user stays root, so no other user can signal or trace
this process; programs that it runs lose root for good (``_core/run``).
"""

from __future__ import annotations

import builtins
import os
import stat
import sys

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

# As the kernel: path_resolution(7).
_MAX_LINKS = 40


# Plain classes: each named tuple costs a run that has nothing to do half a percent.
class Identity:
    """Numbers of a user and of its groups, the first one for new files."""

    def __init__(self, uid: int, groups: tuple[int, ...]) -> None:
        self.uid = uid
        self.groups = groups

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and (self.uid, self.groups) == (other.uid, other.groups)

    def __hash__(self) -> int:
        return hash((self.uid, self.groups))


class Writer:
    """The first file or directory on a path that others than root can write or exchange, and what os.lstat() says of it."""

    def __init__(self, path: str, status: os.stat_result) -> None:
        self.path = path
        self.status = status


ROOT = Identity(0, (0,))
NOGROUP = 65534


class _Process:
    """The rights of this process now, if root has started it."""

    identity = ROOT
    # In the directory of an image no process runs, and only root can give its files their owners. None: on this host.
    # Empty: in the copy of a box, which is the controller's.
    image: str | None = None


def can_switch() -> bool:
    """Whether this process was started by root, and works on this host, not in an image or in the copy of a box."""
    return os.getuid() == 0 and _Process.image is None


def find_writer(path: str) -> Writer | None:
    """The first part of the path that others than root can exchange; None if only root can, or could make what is missing.

    Names are resolved only in directories that only root can write, so the answer holds. Links there are root's, and are followed.
    Raises OtpError for links in a circle.
    """
    current, status = "/", os.lstat("/")
    rest, links = path.split("/")[::-1], 0
    while _is_roots(status):
        if not rest:
            return None
        name = rest.pop()
        here = os.path.normpath(os.path.join(current, name))
        try:
            found = os.lstat(here)
        except NotADirectoryError:
            return None
        except FileNotFoundError:
            # In /tmp, any user could make it meanwhile.
            return Writer(current, status) if status.st_mode & 0o022 else None
        if status.st_mode & 0o022 and found.st_uid != 0:
            # In a directory such as /tmp, which has the sticky bit, an entry belongs to who made it.
            return Writer(here, found)
        if not stat.S_ISLNK(found.st_mode):
            current, status = here, found
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OtpError(f"{path}: too many levels of symbolic links.")
        target = os.readlink(here)
        rest += target.split("/")[::-1]
        if target.startswith("/"):
            current, status = "/", os.lstat("/")
    return Writer(current, status)


def _is_roots(status: os.stat_result) -> bool:
    """Whether only root can exchange what is there. In a directory with the sticky bit that depends on the entry."""
    is_sticky = stat.S_ISDIR(status.st_mode) and bool(status.st_mode & stat.S_ISVTX)
    return status.st_uid == 0 and (is_sticky or not status.st_mode & 0o022)


def owner_of(path: str) -> Identity:
    """Whose rights are enough to work at the path: root if only root can exchange it, else the owner of the first part that others can.

    Raises OtpError if a group or all users can exchange what belongs to root.
    """
    writer = find_writer(path)
    if writer is None:
        return ROOT
    status = writer.status
    if status.st_uid == 0:
        who = f"group {status.st_gid}" if not status.st_mode & 0o002 else "every user"
        # The sticky bit protects what root has made there.
        directory = os.path.dirname(path)
        way_out = f"mkdir -p {path if directory == writer.path else directory}" if status.st_mode & stat.S_ISVTX else f"chmod go-w {writer.path}"
        raise OtpError(f"{writer.path} can be written by {who}, so root does not work below it. Run: {way_out}; or choose another directory.")
    return identity_of(status.st_uid, status.st_gid)


def identity_of(uid: int, gid: int) -> Identity:
    """The user with all its groups, and first the given one if it is one of them: a directory that root has made may have root's."""
    import pwd

    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return Identity(uid, (gid or NOGROUP,))
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    first = gid if gid in groups else user.pw_gid
    return Identity(uid, (first, *(group for group in groups if group != first)))


class working_as:  # pylint: disable=invalid-name  # a context manager, without the cost of contextlib at the start of a module
    """Work with these rights in a ``with``; None: with the present ones. Raises OtpError if the kernel refuses that."""

    def __init__(self, identity: Identity | None) -> None:
        self.identity = identity

    def __enter__(self) -> None:
        self.before, self.importing = _Process.identity, builtins.__import__
        if self.identity not in (None, self.before):
            _switch(self.identity)
            builtins.__import__ = _import_as_root(self.importing) if self.identity.uid else self.importing

    def __exit__(self, *dummy) -> None:
        if _Process.identity != self.before:
            builtins.__import__ = self.importing
            _switch(self.before)


def _switch(identity: Identity) -> None:
    try:
        _set(identity)
    except OSError as error:
        # What is done until the error is reported must not have more rights than before.
        _set(_Process.identity)
        raise OtpError(f"cannot work as user {identity.uid} with group {identity.groups[0]}: {error.strerror}. Set become_user to that user.") from None
    _Process.identity = identity


def _set(identity: Identity) -> None:
    os.seteuid(0)
    os.setgroups(identity.groups)
    os.setegid(identity.groups[0])
    os.seteuid(identity.uid)


class in_image:  # pylint: disable=invalid-name
    """Work in the directory of an image, or in the copy of a box (empty), with the rights of the process throughout."""

    def __init__(self, image: str = "") -> None:
        self.image = image

    def __enter__(self) -> None:
        self.before, _Process.image = _Process.image, self.image

    def __exit__(self, *dummy) -> None:
        _Process.image = self.before


def as_root():
    """Work with the rights with which the process was started: for accounts, services, and packages of the operator."""
    return working_as(ROOT if can_switch() else None)


def as_owner(path: str, destdir: str = ""):
    """Work at the path, which the operator has given, with the rights of owner_of() it. Only a process of root changes them. Raises OtpError.

    destdir: the directory of an image, or of the copy of a box. The path is below it, and the rights stay what they are. In an image, raises OtpError
    for a link on the way, or in the system there, that leads out of the image.
    """
    image = destdir.rstrip("/") if _Process.image is None else _Process.image
    if image:
        _refuse_ways_out(image, path, destdir)
    if image or _Process.image is not None:
        return in_image(image)
    if not can_switch():
        return working_as(None)
    with as_root():
        identity = owner_of(path)
    with working_as(identity):
        if identity != ROOT:
            _check_reachable(path, identity.uid)
    return working_as(identity)


def as_user(uid: int | None, path: str):
    """Work at a path that a process of the user names. Root's own names, and None, are as those of the operator. Raises OtpError."""
    if not uid:
        return as_owner(path)
    return working_as(identity_of(uid, 0) if can_switch() else None)


def _refuse_ways_out(image: str, path: str, destdir: str) -> None:
    # Lazy, for start-up time: hosts do not need it.
    from ansible_collections.erlang.otp.plugins.module_utils._core.image_links import refuse_way_out, refuse_ways_out_of

    if destdir:
        refuse_ways_out_of(image, path)
    if destdir or path.startswith(image + "/"):
        refuse_way_out(image, path if destdir else path[len(image) :])


def _check_reachable(path: str, uid: int) -> None:
    """Raise OtpError if the user may not enter a directory on the path: no node of that user could run there either."""
    try:
        os.stat(path)
    except PermissionError:
        parts = path.split("/")
        above = ["/".join(parts[:end]) or "/" for end in range(1, len(parts))]
        closed = next((directory for directory in above if not os.access(directory, os.X_OK, effective_ids=True)), path)
        raise OtpError(f"user {uid}, who owns what is at {path}, may not enter {closed}. Run: chmod o+x {closed}; or choose another directory.") from None
    except OSError:
        pass


def _import_as_root(importing):
    """Imports with root's rights: this module may be in a directory that only root can read, and so may Python."""

    def import_as_root(name: str, *arguments, **keywords):
        # Of __import__(name, globals, locals, fromlist, level).
        parts = keywords.get("fromlist") or (arguments[2:3] or ((),))[0] or ()
        is_loaded = name in sys.modules and all(hasattr(sys.modules[name], part) for part in parts)
        with working_as(None if is_loaded else ROOT):
            return importing(name, *arguments, **keywords)

    return import_as_root


def give_up_root() -> None:
    """Make the effective rights the only ones: in a new process, before it becomes a program. It cannot become root again."""
    if os.getuid() == 0 and os.geteuid() != 0:
        # Without root's terminal: what is put into its input (TIOCSTI) is read by the next program of root there.
        os.setsid()
        uid, gid = os.geteuid(), os.getegid()
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)


def kill(pid: int, number: int) -> None:
    """Send the signal with the effective rights only. The kernel would also count those of the real user, which is root. Raises OSError."""
    if os.getuid() == os.geteuid():
        return os.kill(pid, number)
    child = os.fork()
    if child == 0:
        code = 255
        try:
            give_up_root()
            os.kill(pid, number)
            code = 0
        except OSError as error:
            code = error.errno
        finally:
            os._exit(code)
    code = os.WEXITSTATUS(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, os.strerror(code))
