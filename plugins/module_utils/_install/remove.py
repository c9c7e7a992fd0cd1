# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removes a release from a tree, with what no other release uses, as release_handler:remove_release/1 does.

First its entry in RELEASES, so that nothing names what is about to be removed; then each directory by one rename into the staging
directory, so that none is ever partial; the release directory last, because it shows what the release consists of.
"""

from __future__ import annotations

import os

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory, lock
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import InstalledRelease, describe
from ansible_collections.erlang.otp.plugins.module_utils._install.variable_libraries import libraries_of_packages, systems, unlist_system, work_in
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import uses
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import check_version
from ansible_collections.erlang.otp.plugins.module_utils._tree.publish import staging
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import STAGING
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import entry_of, read_release, write_releases
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import LOCK, Tree, absolute_library, emulators


def remove_release(
    *, root: str, version: str, changes: Changes, name: str | None = None, destdir: str = "", lock_timeout: float = 60.0, may_run: bool = False
) -> dict:
    """Remove the release, its directory, and the libraries and the ERTS that no other release and no client uses.

    A master does not know its clients, so their directories are read, too.

    name: if given, the release must have it. may_run: the system may run, because the caller knows that the release does not.
    Returns release, status (None) and diff. Raises OtpError for the permanent release, for one of a running system, and if
    what other releases use is not known.
    """
    tree = Tree(root, destdir)
    check_version(version)
    try:
        with as_owner(tree.root, tree.destdir):
            if changes.check_mode or not os.path.isdir(tree.directory):
                return _remove(tree, version, name, changes, lock_timeout, may_run)
            with lock(tree.path(LOCK), timeout=lock_timeout), staging(tree, changes):
                return _remove(tree, version, name, changes, lock_timeout, may_run)
    except OSError as error:
        raise OtpError(f"cannot remove release {version} from {tree.directory}: {error.filename}: {error.strerror}") from error


def leave_directory(other: Tree, tree: Tree, changes: Changes, *, lock_timeout: float = 60.0) -> None:
    """Remove from the directory of a variable what no other listed system uses there, and this system from its list. Raises OtpError."""
    with work_in(other, changes, lock_timeout), as_owner(other.root, other.destdir):
        used = _used_by_others(other, tree, [])
        gone = [path for path in libraries_of_packages(other) if f"{other.root}/{path}" not in used and other.has(path)]
        if gone:
            changes.do(f"remove {', '.join(gone)} from {other.directory}", _remove_directories, other, gone)
        changes.do(f"take {tree.root} from the list in {other.directory}", unlist_system, other, tree.root)


def _remove(tree: Tree, version: str, name: str | None, changes: Changes, lock_timeout: float, may_run: bool) -> dict:
    before = tree.releases() or []
    after = [entry for entry in before if entry.version != version]
    if tree.has("releases", version) or after != before:
        _check(tree, version, name, before)
        if not may_run:
            _check_stopped(tree, version)
        gone = _unused(tree, version, before, after)
        if after != before:
            path = tree.path("releases", "RELEASES")
            changes.do(f"remove release {version} from {path}", write_releases, tree, after, _like(path, tree))
        for other in _others(tree, version):
            with work_in(other, changes, lock_timeout), as_owner(other.root, other.destdir):
                elsewhere = _unused_elsewhere(other, tree, version, after)
                if elsewhere:
                    changes.do(f"remove {', '.join(elsewhere)} from {other.directory}", _remove_directories, other, elsewhere)
        changes.do(f"remove {', '.join(gone)} from {tree.directory}", _remove_directories, tree, gone)
    return {"release": version, "status": None, "diff": {"before": describe(before), "after": describe(after)}}


def _check(tree: Tree, version: str, name: str | None, entries: list[InstalledRelease]) -> None:
    start = tree.start_erl_data()
    for entry in entries:
        if entry.version == version and name not in (None, entry.name):
            raise OtpError(f"release {version} below {tree.directory} is one of {entry.name}, not of {name}")
        if entry.version == version and entry.status == "permanent":
            raise OtpError(f"release {version} below {tree.directory} is permanent. Make another release permanent first.")
        if entry.version != version and not entry.libraries:
            raise OtpError(
                f"{tree.path('releases', 'RELEASES')} does not say which libraries release {entry.version} uses: nothing is removed,"
                " because that release may use them. Install that release again from its package; this completes the entry."
            )
    clients = [f"{use.client} ({entry.status})" for use in uses(tree) for entry in use.entries if use.shares_erts and entry.version == version]
    if clients:
        raise OtpError(
            f"release {version} below {tree.directory} is one of client nodes: {', '.join(clients)}. Upgrade them to another release, and"
            " remove this one there (otp_release_handler with client), before you remove it here."
        )
    if start is not None and start.release_version == version:
        raise OtpError(f"release {version} below {tree.directory} is the one that boots next (start_erl.data). Make another release permanent first.")


def _check_stopped(tree: Tree, version: str) -> None:
    running = emulators(tree)
    if running:
        raise OtpError(
            f"the system below {tree.root} runs (process {running[0]}), and no file shows whether it runs this release. Stop it"
            f' first, or have its release_handler do it: remove_release("{version}").'
        )


def parts_of(tree: Tree, version: str) -> list[str]:
    """The paths below the root that only this release has, and that are removed with it."""
    before = tree.releases() or []
    return _unused(tree, version, before, [entry for entry in before if entry.version != version])


def _unused(tree: Tree, version: str, before: list[InstalledRelease], after: list[InstalledRelease]) -> list[str]:
    """The paths below the root to remove with the release, in this order."""
    used_libraries: set[str] = set()
    used_erts: set[str] = set()
    for use in uses(tree):
        used_libraries |= use.libraries
        used_erts.update(f"erts-{entry.erts_version}" for entry in use.entries if use.shares_erts)
    for entry in after + _unregistered(tree, version, before):
        used_libraries.update(absolute_library(tree, library.directory) for library in entry.libraries)
        used_erts.add(f"erts-{entry.erts_version}")
    gone: set[str] = set()
    for entry in [entry for entry in before if entry.version == version] or _unregistered(tree, None, before, only=version):
        libraries = {absolute_library(tree, library.directory) for library in entry.libraries} - used_libraries
        # Libraries elsewhere may belong to other systems.
        inside = tree.path("lib") + "/"
        gone.update(os.path.relpath(path, tree.directory) for path in libraries if path.startswith(inside))
        gone.update({f"erts-{entry.erts_version}"} - used_erts)
    return [path for path in sorted(gone) + _rel_files(tree, version) + [f"releases/{version}"] if tree.has(path)]


def _rel_files(tree: Tree, version: str) -> list[str]:
    """The .rel of the release beside RELEASES, where packages have it, unless another release has one of this name."""
    names = {other: {name for name in os.listdir(tree.path("releases", other)) if name.endswith(".rel")} for other in tree.release_directories()}
    mine = names.pop(version, set())
    return [f"releases/{name}" for name in sorted(mine.difference(*names.values()))]


def _others(tree: Tree, version: str) -> list[Tree]:
    """The directories of variables with libraries from the release's package, of those that list this system: the node can write the record."""
    archives = (tree.record(version) or {}).get("archives", {})
    others = (Tree(directory, tree.destdir) for directory in sorted(archives.values()))
    # The record is a file of the system's user: only the directory itself says that it is one of this system.
    return [other for other in others if tree.root in systems(other)]


def _unused_elsewhere(other: Tree, tree: Tree, version: str, after: list[InstalledRelease]) -> list[str]:
    """The libraries below the directory of a variable to remove with the release: those that no listed system uses.

    The record may name any directory there, and also what root has put there: only what came out of a package is removed.
    """
    used = _used_by_others(other, tree, after + _unregistered(tree, version, after))
    inside = other.root + "/"
    gone = [place[len(inside) :] for place in tree.places(version).values() if place.startswith(inside) and place not in used]
    return [path for path in sorted(set(gone) & set(libraries_of_packages(other))) if other.has(path)]


def _used_by_others(other: Tree, tree: Tree, entries: list[InstalledRelease]) -> set[str]:
    """The libraries of the entries, and of all other systems that use the directory."""
    for root in systems(other):
        if root != tree.root:
            neighbour = Tree(root, tree.destdir)
            with as_owner(neighbour.root, neighbour.destdir):
                known = neighbour.releases() or []
                entries = entries + known + _unregistered(neighbour, None, known)
    return {library.directory for entry in entries for library in entry.libraries}


def _unregistered(tree: Tree, without: str | None, known: list[InstalledRelease], *, only: str | None = None) -> list[InstalledRelease]:
    """Releases with a directory and without an entry in RELEASES."""
    versions = {entry.version for entry in known}
    found = []
    for version in tree.release_directories():
        if version not in versions and version != without and only in (None, version):
            release = read_release(tree, version)
            if release is not None:
                found.append(entry_of(tree, release, "unpacked"))
    return found


def _like(path: str, tree: Tree) -> FileOptions:
    status = os.stat(path)
    return FileOptions(status.st_uid, status.st_gid, status.st_mode & 0o777, beside=tree.path(STAGING))


def _remove_directories(tree: Tree, paths: list[str]) -> None:
    """Move the directories into the staging directory, which is removed at the end."""
    for number, path in enumerate(paths):
        os.rename(tree.path(path), tree.path(STAGING, str(number)))
    for directory in sorted({os.path.dirname(path) for path in paths}):
        flush_directory(tree.path(directory))
