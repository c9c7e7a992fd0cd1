# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is a private part of the collection: only its own plugins may use it.
"""A release in a tree: present beside the others, or permanent.

What ``target_system:install/2`` does for the first release, and release_handler's unpack_release/1 for the next ones, so
that it may be killed at any moment: a package is unpacked into ``$ROOT/.staging``, comes into the tree by renames, and is
then registered, ``start_erl.data`` last. The next run finds out from the tree itself how far the last one came.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._bin import PROGRAMS, stage_bin
from ansible_collections.erlang.otp.plugins.module_utils._changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._extract import MAX_SIZE, PackageError, Writer
from ansible_collections.erlang.otp.plugins.module_utils._files import lock
from ansible_collections.erlang.otp.plugins.module_utils._package import SCRIPTS, sha256
from ansible_collections.erlang.otp.plugins.module_utils._publish import flush_file_system, publish, remove_tree, staging
from ansible_collections.erlang.otp.plugins.module_utils._register import make_permanent, missing_part, register
from ansible_collections.erlang.otp.plugins.module_utils._resource import InstalledRelease, Release, ReleaseApplication
from ansible_collections.erlang.otp.plugins.module_utils._tree import LOCK, RECORD, STAGING, Tree, Writing
from ansible_collections.erlang.otp.plugins.module_utils._unpack import unpack


class PackageNeeded(OtpError):
    """The target lacks the package: call again with it. Nothing has been touched."""


class Order(t.NamedTuple):
    """What is wanted of a tree. release: the one in the package, told by somebody who has it; for check mode."""

    tree: Tree
    package: str | None
    digest: str
    state: str
    release: Release | None
    emulator: str
    max_size: int
    writing: Writing


def install_release(
    *,
    root: str,
    changes: Changes,
    package: str | None = None,
    checksum: str | None = None,
    release: Release | None = None,
    state: str = "present",
    destdir: str = "",
    uid: int = -1,
    gid: int = -1,
    mode: int = 0o755,
    emulator: str = "beam",
    max_size: int = MAX_SIZE,
    flush: bool = True,
    lock_timeout: float = 60.0,
) -> dict:
    """Have the release of the package in the tree; state: "present", or "permanent" (the stopped system boots it next).

    package: path on this host, None when it is elsewhere: then checksum ("sha256:..."), its digest, must be given.
    uid, gid: numeric owner of all that is written; -1: the owner of an existing root directory, else of the process.
    mode: which permissions of the package are kept. flush: whether all is to be on the disk at the end.
    Returns the release as it is then, with "kept": files of the tree that differ from the package's and stayed.
    Raises PackageNeeded, or OtpError.
    """
    tree = Tree(root, destdir)
    if package is None and checksum is None:
        raise OtpError("without a package on the target, its checksum must be given")
    try:
        digest = _digest_of(checksum) if checksum else sha256(package)
        writing = Writing(*_owner(tree, uid, gid), mode, flush)
        order = Order(tree, package, digest, state, release, emulator, max_size, writing)
        entries = tree.releases() or []
        found = _installed(order)
        if found is not None and _is_done(order, found, entries):
            return _result(order, found, entries, entries, [])
        if found is None and package is None and not (changes.check_mode and release):
            raise PackageNeeded(f"the system below {tree.directory} lacks the package with sha256 {digest}")
        if found is None and package is not None and checksum:
            _verify(package, digest)
        if changes.check_mode:
            return _work(order, changes)
        _make_root(tree, writing)
        with lock(tree.path(LOCK), timeout=lock_timeout):
            return _work(order, changes)
    except OSError as error:
        raise OtpError(
            f"cannot install below {tree.directory}: {error.filename or package}: {error.strerror}. Nothing is half installed."
        ) from error


def _work(order: Order, changes: Changes) -> dict:
    tree = order.tree
    if tree.has(STAGING):
        changes.do("remove what an interrupted run left in " + tree.path(STAGING), remove_tree, tree.path(STAGING))
    # Somebody else may have worked here while we waited for the lock.
    before = tree.releases() or []
    release = _installed(order)
    kept: list[str] = []
    if release is None:
        release, kept = _install(order, changes)
    after = register(tree, release, changes, order.writing, emulator=order.emulator)
    if order.state == "permanent":
        after = make_permanent(tree, release, after, changes, order.writing, emulator=order.emulator)
    return _result(order, release, before, after, kept)


def _install(order: Order, changes: Changes) -> tuple[Release, list[str]]:
    """Unpack and publish; in check mode read and compare only. Returns the release, and the files of the tree that stay."""
    tree = order.tree
    if order.package is None:
        if not changes.check_mode:
            raise PackageNeeded(f"the system below {tree.directory} lacks the package with sha256 {order.digest}")
        _say(order, order.release, changes)
        return order.release, []
    if changes.check_mode:
        unpacked = unpack(order.package, tree, None, max_size=order.max_size)
        _say(order, unpacked.release, changes)
        return unpacked.release, unpacked.kept
    with staging(tree) as descriptor:
        writing = order.writing
        writer = Writer(descriptor, uid=writing.uid, gid=writing.gid, mask=writing.mask)
        unpacked = unpack(order.package, tree, writer, max_size=order.max_size, emulator=order.emulator)
        release = unpacked.release
        stage_bin(tree, unpacked, writer, order.emulator)
        writer.make_directories("log")
        record = _record(order.digest, release)
        path = f"releases/{release.version}/{RECORD}"
        adopted = tree.has("releases", release.version)
        if not adopted:
            writer.write_file(path, [record], 0o644)
        if writing.flush:
            flush_file_system(descriptor)
        publish(tree, replace={path for path in unpacked.paths if path.count("/") == 1 and path.endswith(".rel")}, flush=writing.flush)
        if adopted:
            # Now that the rest is known to be equal, it is the release of this package.
            writing.file(tree.path(path), record)
    _say(order, release, changes)
    return release, unpacked.kept


def _say(order: Order, release: Release, changes: Changes) -> None:
    changes.do(f"install release {release.name} {release.version} below {order.tree.directory}", lambda: None)


def _record(digest: str, release: Release) -> bytes:
    applications = {item.name: item.version for item in release.applications}
    record = {
        "name": release.name,
        "version": release.version,
        "erts_version": release.erts_version,
        "sha256": digest,
        "applications": applications,
    }
    return json.dumps(record, indent=1).encode() + b"\n"


def _installed(order: Order) -> Release | None:
    """The release that was installed from the package with this digest, when nothing of it is missing."""
    version = order.tree.version_of(order.digest)
    if version is None:
        return None
    record = order.tree.record(version)
    try:
        applications = tuple(ReleaseApplication(str(name), str(value)) for name, value in record["applications"].items())
        release = Release(str(record["name"]), version, str(record["erts_version"]), applications)
    except (KeyError, AttributeError):
        return None
    return release if missing_part(order.tree, release) is None else None


def _is_done(order: Order, release: Release, entries: list[InstalledRelease]) -> bool:
    """Whether nothing at all is left to do. Asks no lock: start_erl.data is written last."""
    tree = order.tree
    entry = next((entry for entry in entries if entry.version == release.version), None)
    start = tree.start_erl_data()
    if entry is None or not entry.libraries or start is None or tree.has(STAGING):
        return False
    if order.state == "permanent" and (entry.status != "permanent" or start.release_version != release.version):
        return False
    return all(tree.has("bin", name) for name in (*SCRIPTS, *PROGRAMS))


def _result(order: Order, release: Release, before: list[InstalledRelease], after: list[InstalledRelease], kept: list[str]) -> dict:
    status = next((entry.status for entry in after if entry.version == release.version), None)
    return {
        "name": release.name,
        "release": release.version,
        "erts_version": release.erts_version,
        "status": status,
        "applications": {item.name: item.version for item in release.applications},
        "sha256": order.digest,
        "directory": os.path.join(order.tree.root, "releases", release.version),
        "kept": sorted(kept),
        "diff": {"before": describe(before), "after": describe(after)},
    }


def describe(entries: list[InstalledRelease]) -> str:
    """Releases with their status and applications, a line each, for a diff."""
    lines = []
    for entry in sorted(entries):
        lines.append(f"{entry.name} {entry.version} on ERTS {entry.erts_version}: {entry.status}\n")
        lines += [f"  {library.name} {library.version}\n" for library in sorted(entry.libraries)]
    return "".join(lines)


def _digest_of(checksum: str) -> str:
    algorithm, dummy, digest = checksum.strip().partition(":")
    if algorithm != "sha256" or len(digest) != 64 or set(digest.lower()) - set("0123456789abcdef"):
        raise OtpError(f"checksum {checksum!r} is not sha256: and 64 hexadecimal digits")
    return digest.lower()


def _verify(package: str, digest: str) -> None:
    found = sha256(package)
    if found != digest:
        raise PackageError(f"package {package}: its sha256 is {found}, and {digest} was expected: it is damaged, or another package")


def _owner(tree: Tree, uid: int, gid: int) -> tuple[int, int]:
    """Who is to own what is written: -1 where that is so of itself. Only root can give files away."""
    if uid == -1 and os.geteuid() == 0 and tree.has():
        status = os.stat(tree.directory)
        uid, gid = status.st_uid, status.st_gid if gid == -1 else gid
    return (-1 if uid == os.geteuid() else uid, -1 if gid == os.getegid() else gid)


def _make_root(tree: Tree, writing: Writing) -> None:
    if not os.path.isdir(tree.directory):
        os.makedirs(os.path.dirname(tree.directory), exist_ok=True)
        writing.directory(tree.directory)
