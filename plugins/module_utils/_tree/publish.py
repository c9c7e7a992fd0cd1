# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves staged files into the tree by renames, so that a library, an ERTS or a release directory is complete or missing, never partial."""

from __future__ import annotations

import contextlib
import errno
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import STAGING
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

# The release directory last: with its record in place, all that the release needs is in place.
_ORDER = {"lib": 0, "bin": 2, "releases": 3}


@contextlib.contextmanager
def staging(tree: Tree, changes: Changes):
    """A new directory on the tree's file system for what is not yet part of the tree; yields its descriptor (-1 in check mode) and removes it at the end.

    What an interrupted run has left there is removed first. Only the installing user can enter it, so that no other user can exchange files.
    """
    path = tree.path(STAGING)
    if tree.has(STAGING):
        changes.do(f"remove what an interrupted run left in {path}", remove_tree, path)
    if changes.check_mode:
        yield -1
        return
    os.mkdir(path, 0o700)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    finally:
        remove_tree(path)


def remove_tree(path: str) -> None:
    """Remove the directory and all below it, however deep; links are removed, not followed. Raises OSError, which names the directory."""
    try:
        # Not by recursion, nor with a descriptor for each level: a node can nest more directories than either allows.
        current = _open_directory(path)
        try:
            above: list[tuple[os.stat_result, list[str]]] = []
            waiting = _empty(current)
            while waiting or above:
                if waiting:
                    above.append((os.fstat(current), waiting))
                    current = _step(current, waiting[-1])
                    waiting = _empty(current)
                    continue
                current = _step(current, "..")
                status, waiting = above.pop()
                if not os.path.samestat(os.fstat(current), status):
                    raise OSError(errno.ESTALE, "a directory in it was moved meanwhile")
                os.rmdir(waiting.pop(), dir_fd=current)
        finally:
            os.close(current)
        os.rmdir(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


def _empty(directory: int) -> list[str]:
    """Remove the files and links in the directory. Returns the names of the directories in it."""
    with os.scandir(directory) as entries:
        found = [(entry.is_dir(follow_symlinks=False), entry.name) for entry in entries]
    for is_directory, name in found:
        if not is_directory:
            os.unlink(name, dir_fd=directory)
    return [name for is_directory, name in found if is_directory]


def _step(directory: int, name: str) -> int:
    """The descriptor of the directory with this name, instead of that one."""
    found = _open_directory(name, directory)
    os.close(directory)
    return found


def _open_directory(name: str, directory: int | None = None) -> int:
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)


def publish(trees: t.Sequence[Tree], *, replace: set[str], flush: bool = True) -> None:
    """Move the staged files of each tree into place. A file that a tree has stays, unless it is in replace. Undoes all renames if one fails."""
    done: list[tuple[Tree, str]] = []
    try:
        for tree in trees:
            touched: set[str] = set()
            with as_owner(tree.root, tree.destdir):
                _merge(tree, "", replace, done, touched)
                for directory in sorted(touched) if flush else ():
                    flush_directory(directory)
    except BaseException:
        for tree, path in reversed(done):
            with contextlib.suppress(OSError), as_owner(tree.root, tree.destdir):
                os.rename(tree.path(path), tree.path(STAGING, path))
        raise


def _merge(tree: Tree, directory: str, replace: set[str], done: list[tuple[Tree, str]], touched: set[str]) -> None:
    with os.scandir(tree.path(STAGING, directory)) as entries:
        found = [(entry.is_dir(follow_symlinks=False), entry.name) for entry in entries]
    if not directory:
        found.sort(key=lambda entry: (_ORDER.get(entry[1], 1), entry[1]))
    else:
        # Files before directories: releases/NAME.rel before the release directory.
        found.sort()
    for is_directory, name in found:
        path = os.path.join(directory, name)
        if tree.has(path) and path not in replace:
            if is_directory:
                _merge(tree, path, replace, done, touched)
            continue
        os.rename(tree.path(STAGING, path), tree.path(path))
        touched.add(tree.path(directory))
        if path not in replace:
            done.append((tree, path))


def flush_file_systems(trees: t.Sequence[Tree]) -> None:
    """Flush the file systems of the trees to the disk: syncfs(2), which Python does not offer."""
    for path in {os.stat(tree.directory).st_dev: tree.directory for tree in trees}.values():
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if not _syncfs(descriptor):
                # A small Python or another C library: flush every file system.
                os.sync()
        finally:
            os.close(descriptor)


def _syncfs(descriptor: int) -> bool:
    try:
        import ctypes

        return ctypes.CDLL(None, use_errno=True).syncfs(descriptor) == 0
    except (ImportError, OSError, AttributeError):
        return False
