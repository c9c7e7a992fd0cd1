# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts back into a tree what its package has: files that are missing, or not those of the package. What is in no package stays, and the node as well."""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory, lock, make_parents
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_root
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._drift.files import Finding, place_of
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_reader import TarMember
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import checked_members
from ansible_collections.erlang.otp.plugins.module_utils._package.opened import OpenPackage
from ansible_collections.erlang.otp.plugins.module_utils._tree.bin_directory import CLEAN_BOOT
from ansible_collections.erlang.otp.plugins.module_utils._tree.scripts import is_foreign, make_scripts
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import LOCK, Tree

# Of a script.
_LARGEST = 1 << 16


def sentence_of(tree: Tree, path: str) -> str:
    """The action for a file that is put back."""
    return f"put back {tree.path(path)}"


def put_back(tree: Tree, findings: t.Sequence[Finding], version: str, package: str, digest: str, changes: Changes, *, lock_timeout: float = 60.0) -> None:
    """Write the files of these findings that the package of the release has. digest: the sha256 of the package. Raises OtpError, OSError."""
    damaged = {finding.path for finding in findings if version in finding.versions}
    with as_root():
        opened = OpenPackage(package)
    # As few permissions as the system was installed with.
    options = FileOptions(mask=stat.S_IMODE(os.stat(tree.path("lib")).st_mode)).with_owner_of(tree.directory)
    opened.verify(digest)
    with opened, lock(tree.path(LOCK), timeout=lock_timeout), Inflated(package, opened) as stream:
        for member_path, member, pieces in checked_members(stream):
            for path in places_of(member_path, version) & damaged:
                _refuse_link(tree, path)
                changes.do(sentence_of(tree, path), _write, tree, path, member, pieces, options)
                damaged.discard(path)
        opened.verify_read(digest)


def places_of(member: str, version: str) -> set[str]:
    """Where the content of a member is in the tree."""
    return {place_of(member, version)} | ({f"releases/{version}/{CLEAN_BOOT}"} if member == "bin/start.boot" else set())


def _refuse_link(tree: Tree, path: str) -> None:
    """Raise OtpError if a directory on the way is a link, or another file: no package has links in the place of directories that it fills."""
    parts = path.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        directory = tree.path(*parts[:depth])
        if os.path.islink(directory) or (os.path.lexists(directory) and not os.path.isdir(directory)):
            raise OtpError(f"{directory} is not a directory, and the package has {path} in one: find out who has put it there, remove it, and run again.")


def _write(tree: Tree, path: str, member: TarMember, pieces: t.Iterator[memoryview], options: FileOptions) -> None:
    place = tree.path(path)
    make_parents(place)
    if os.path.isdir(place) and not os.path.islink(place):
        raise OtpError(f"{place} is a directory, and in the package it is not: find out who has made it, remove it, and run again.")
    if member.kind == "link":
        new = f"{place}.{os.getpid()}.new"
        os.symlink(member.target, new)
        os.lchown(new, options.uid, options.gid)
        os.replace(new, place)
        flush_directory(os.path.dirname(place))
        return
    is_made = path.endswith("/" + CLEAN_BOOT)
    options.file(place, _of_this_tree(tree, path, member, pieces), 0o644 if is_made else member.mode)


def _of_this_tree(tree: Tree, path: str, member: TarMember, pieces: t.Iterator[memoryview]) -> bytes | t.Iterator[bytes]:
    """The content, or a script for this tree, as the installation makes it."""
    erts, _bin, name = path.partition("/bin/")
    if not (erts.startswith("erts-") and name in ("erl", "start") and member.size <= _LARGEST):
        return (bytes(piece) for piece in pieces)
    content = b"".join(map(bytes, pieces))
    return make_scripts(root=tree.root, erts_version=erts[len("erts-") :], templates={})[name] if is_foreign(content, tree.root) else content
