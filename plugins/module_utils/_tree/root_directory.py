# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``$ROOT`` itself, which root makes and gives to the service user. All that is below it is done with that user's rights (``_core/identity``).

A tree that belongs to root is given to the user as a whole, if no other user could have put a link into it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import make_parents
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import ROOT, as_owner, as_root, can_switch, find_writer, owner_of, working_as
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import LOCK, Tree


def ensure_root_directory(tree: Tree, options: FileOptions, changes: Changes) -> bool:
    """Ensure that the directory exists, and belongs to the owner of the options; -1 for any owner. Whether it was made.

    Raises OtpError, which names the directory, if another user can exchange the directory or what is in it.
    """
    directory = tree.directory
    if tree.destdir or not can_switch():
        is_new = not changes.check_mode and not os.path.isdir(directory)
        if is_new:
            _make(directory, options)
        return is_new
    with as_root():
        identity = owner_of(directory)
        _refuse_others(directory, identity.uid, options)
        exists = os.path.isdir(directory)
        if exists and identity == ROOT and options.uid not in (-1, 0):
            found = _find_roots(directory, options, keep=("lost+found",) if os.path.ismount(directory) else ())
            changes.do(f"give {directory} from root to {options.uid}:{options.gid}", _give, found, options)
    if exists or changes.check_mode:
        return False
    with working_as(identity):
        _make(directory, options)
    return True


def remove_new_root_directory(tree: Tree) -> None:
    """Remove the directory that this run has made, under its lock, if nothing but the lock is in it."""
    with contextlib.suppress(OSError):
        if os.listdir(tree.directory) == [LOCK]:
            os.unlink(tree.path(LOCK))
            with as_owner(os.path.dirname(tree.directory)):
                os.rmdir(tree.directory)


def _make(directory: str, options: FileOptions) -> None:
    make_parents(directory)
    options.directory(directory)


def _refuse_others(directory: str, uid: int, options: FileOptions) -> None:
    if options.uid != -1 and uid not in (0, options.uid):
        writer = find_writer(directory)
        where = writer.path if writer else directory
        way_out = f"chown -hR {options.uid}:{options.gid} {where}" if where == directory else f"chown -h root: {where}"
        raise OtpError(f"{where} belongs to user {uid}, who could exchange {directory}, which is to belong to user {options.uid}. Run: {way_out}")


def _find_roots(directory: str, options: FileOptions, keep: t.Collection[str] = ()) -> list[str]:
    """What belongs to root in the directory, which only root can write, the directory last. Raises OtpError for what cannot be given away safely.

    keep: names of what stays root's: what fsck(8) finds is anybody's.
    """
    found = []
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        status = entry.stat(follow_symlinks=False)
        if status.st_uid == options.uid or entry.name in keep:
            continue
        if status.st_uid != 0:
            raise OtpError(f"{entry.path} belongs to user {status.st_uid}, not to {options.uid}. Run: chown -hR {options.uid}:{options.gid} {directory}")
        if stat.S_ISDIR(status.st_mode):
            if os.path.ismount(entry.path):
                raise OtpError(f"{entry.path} is another file system, so it is not given to user {options.uid}. Run: umount {entry.path}; or give it yourself.")
            if status.st_mode & 0o022:
                raise OtpError(f"{entry.path} can be written by others than root, who owns it. Run: chown -hR {options.uid}:{options.gid} {directory}")
            found += _find_roots(entry.path, options)
            continue
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            raise OtpError(f"{entry.path} has another name elsewhere, so it is not given to user {options.uid}. Put a copy in its place.")
        found.append(entry.path)
    return [*found, directory]


def _give(paths: list[str], options: FileOptions) -> None:
    for path in paths:
        os.lchown(path, options.uid, options.gid)
