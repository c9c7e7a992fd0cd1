# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An installed tree: its releases, the permanent one, and what does not fit together. Reads only, and never fails on a damaged tree.

The files are those of "Creating and Upgrading a Target System", and of RELEASES in release_handler(3).
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import InstalledRelease, StartErlData
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree, find_clients
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import is_temporary
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import PROGRAMS, SCRIPTS, STAGING
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import entry_of, read_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.scripts import is_foreign
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree, absolute_library

# Of a script in bin.
MAX_SCRIPT = 1 << 16


class Target(t.NamedTuple):
    """A tree on disk. releases: those of RELEASES; orphans: release directories that it does not list.

    disagreements: sentences on what does not fit together.
    """

    tree: Tree
    installed: bool
    releases: tuple[InstalledRelease, ...]
    orphans: tuple[str, ...]
    start: StartErlData | None
    erts_versions: tuple[str, ...]
    packages: dict[str, int]
    disagreements: tuple[str, ...]


def read_target(root: str, destdir: str = "") -> Target:
    """The tree below root. Raises OtpError only for a root that is not an absolute path, or that this user may not read."""
    return read_tree(Tree(root, destdir))


def read_tree(tree: Tree) -> Target:
    """The tree, also of a client node. Raises OtpError only if this user may not read it."""
    try:
        return _read(tree)
    except OSError as error:
        raise OtpError(f"{error.filename} cannot be read: {error.strerror}") from error


def _read(tree: Tree) -> Target:
    disagreements: list[str] = []
    releases = _attempt(tree.releases, disagreements)
    start = _attempt(tree.start_erl_data, disagreements)
    listed = {entry.version for entry in releases or []}
    directories = tree.release_directories()
    orphans = tuple(version for version in directories if version not in listed)
    target = Target(
        tree=tree,
        installed=releases is not None or start is not None or bool(directories),
        releases=tuple(releases or []),
        orphans=orphans,
        start=start,
        erts_versions=tuple(name[len("erts-") :] for name in tree.names() if name.startswith("erts-")),
        packages=_packages(tree),
        disagreements=(),
    )
    if target.installed:
        disagreements += _of_files(target)
        for entry in target.releases:
            disagreements += _of_release(target, entry)
        disagreements += _of_orphans(target)
        disagreements += _of_bin(target)
    return target._replace(disagreements=tuple(disagreements))


def describe_release(target: Target, entry: InstalledRelease) -> dict[str, t.Any]:
    """The release as plain data."""
    tree = target.tree
    files = set(tree.names("releases", entry.version))
    record = _attempt(lambda: tree.record(entry.version), []) or {}
    return {
        "name": entry.name,
        "version": entry.version,
        "erts_version": entry.erts_version,
        "status": entry.status,
        "applications": {library.name: library.version for library in entry.libraries},
        "directory": tree.path("releases", entry.version)[len(tree.destdir) :],
        "package_sha256": record.get("full") or record.get("sha256"),
        "has_relup": "relup" in files,
        "has_sys_config": "sys.config" in files,
    }


def describe_target(target: Target) -> dict[str, t.Any]:
    """The target as plain data: what otp_release_info returns."""
    releases = [describe_release(target, entry) for entry in target.releases]
    for version in target.orphans:
        release = _attempt(lambda version=version: read_release(target.tree, version), [])
        if release is not None:
            releases.append(dict(describe_release(target, entry_of(target.tree, release, "unpacked")), status=None))
    start = target.start
    return {
        "installed": target.installed,
        "releases": releases,
        "permanent": None if start is None else {"release": start.release_version, "erts_version": start.erts_version},
        "erts_versions": list(target.erts_versions),
        "packages": [{"path": f"{target.tree.root}/releases/{name}", "size": size} for name, size in target.packages.items()],
        "disagreements": list(target.disagreements),
    }


def describe_clients(root: str) -> tuple[list[dict[str, t.Any]], list[str]]:
    """The clients that have directories below a master's root directory, as plain data, and what cannot be read of them."""
    described: list[dict[str, t.Any]] = []
    disagreements: list[str] = []
    for tree in find_clients(root):
        entries = _attempt(tree.releases, disagreements) or []
        start = _attempt(tree.start_erl_data, disagreements)
        described.append(
            {
                "client": tree.client,
                "type": tree.machine_type or None,
                "directory": tree.client_directory,
                "permanent": start.release_version if start else None,
                "static_emulator": tree.is_static,
                "releases": {entry.version: entry.status for entry in entries},
            }
        )
    return described, disagreements


def _attempt(read: t.Callable, disagreements: list[str]):
    """The value of read(). If that fails, None and one more disagreement."""
    try:
        return read()
    except OtpError as error:
        disagreements.append(str(error))
    except OSError as error:
        disagreements.append(f"{error.filename} cannot be read: {error.strerror}")
    return None


def _packages(tree: Tree) -> dict[str, int]:
    return {name: os.lstat(tree.path("releases", name)).st_size for name in tree.names("releases") if name.endswith(".tar.gz")}


def _of_files(target: Target) -> t.Iterator[str]:
    """RELEASES compared with start_erl.data."""
    tree, start = target.tree, target.start
    permanent = [entry for entry in target.releases if entry.status == "permanent"]
    versions = ", ".join(entry.version for entry in permanent)
    if not tree.has("releases", "RELEASES"):
        yield "releases/RELEASES is missing: release_handler makes up an entry without libraries"
    if start is None and not tree.has("releases", "start_erl.data"):
        yield "releases/start_erl.data is missing: bin/start does not know which release to boot"
    if target.releases and not permanent:
        yield "RELEASES has no permanent release"
    if len(permanent) > 1:
        yield f"RELEASES has several permanent releases: {versions}"
    if start is not None and permanent and start.release_version not in [entry.version for entry in permanent]:
        yield f"start_erl.data boots release {start.release_version}, RELEASES calls {versions} permanent"
    for entry in target.releases:
        if start is not None and entry.version == start.release_version and entry.erts_version != start.erts_version:
            yield f"start_erl.data boots release {entry.version} on ERTS {start.erts_version}, RELEASES has ERTS {entry.erts_version}"
    if start is not None and start.release_version not in [entry.version for entry in target.releases] and target.releases:
        yield f"start_erl.data boots release {start.release_version}, which RELEASES does not list"
    if start is not None and start.erts_version not in target.erts_versions:
        yield f"start_erl.data boots on ERTS {start.erts_version}, and erts-{start.erts_version} is missing"
    if tree.has(STAGING):
        yield f"{STAGING} was left by an interrupted installation, or one is at work: the next run finishes or removes it"


def _of_release(target: Target, entry: InstalledRelease) -> t.Iterator[str]:
    """An entry of RELEASES compared with the files."""
    tree, what = target.tree, f"release {entry.version}"
    if is_temporary(entry.version) or entry.status == "tmp_current":
        yield f"{what} ({entry.status}) was left in RELEASES by an upgrade that was not finished"
        return
    if not entry.libraries:
        yield f"{what} has no libraries in RELEASES: when another release is removed, theirs are deleted with it"
    for library in entry.libraries:
        path = absolute_library(tree, library.directory)
        if not os.path.isdir(path):
            yield f"{what}: the library {library.name} {library.version} is missing, its directory should be {path}"
        elif not os.path.exists(f"{path}/ebin/{library.name}.app"):
            yield f"{what}: the library {library.name} {library.version} is incomplete, {path}/ebin/{library.name}.app is missing"
    if entry.erts_version not in target.erts_versions and (target.start is None or entry.erts_version != target.start.erts_version):
        yield f"{what}: erts-{entry.erts_version} is missing"
    files = tree.names("releases", entry.version)
    if not tree.has("releases", entry.version):
        yield f"{what}: its directory releases/{entry.version} is missing"
        return
    for name in ("start.boot", "sys.config"):
        if name in files or (name == "sys.config" and entry.status == "unpacked" and _is_for_clients(tree, entry)):
            continue
        more = ", make it from sys.config.src" if name == "sys.config" and "sys.config.src" in files else ""
        yield f"{what}: releases/{entry.version}/{name} is missing{more}"


def _is_for_clients(tree: Tree, entry: InstalledRelease) -> bool:
    """Whether clients, which have their own configuration, have the release. It may have been unpacked only for them.

    The tree of an image, or the copy of a box, has no clients: those below the same path belong to this host.
    """
    return not tree.destdir and any(client.has("releases", entry.version, "sys.config") for client in find_clients(tree.root) if not client.machine_type)


def _of_orphans(target: Target) -> t.Iterator[str]:
    for version in target.orphans:
        if is_temporary(version):
            yield f"the directory releases/{version} was left by an upgrade that changed the emulator"
        else:
            yield f"the directory releases/{version} belongs to no release in RELEASES"


def _of_bin(target: Target) -> t.Iterator[str]:
    """bin compared with the ERTS directories."""
    tree = target.tree
    # A client has only its own start script; the rest is in the root directory.
    for name in ("start",) if isinstance(tree, ClientTree) else SCRIPTS + PROGRAMS:
        path = tree.path("bin", name)
        if not os.path.exists(path):
            # relx and mix have another layout of bin; a system that boots by start_erl.data needs these.
            if target.start is not None and name in ("start", "erl"):
                yield f"bin/{name} is missing"
        elif not os.access(path, os.X_OK):
            yield f"bin/{name} is not executable"
    erl = _attempt(lambda: read_file(tree.path("bin", "erl"), limit=MAX_SCRIPT), []) or b""
    if is_foreign(erl, tree.root):
        yield f"bin/erl runs the system of another root directory than {tree.root}"
    versions = {word.partition(b"/")[0].decode("ascii", "replace") for word in erl.split(b"/erts-")[1:]}
    for version in sorted(versions - set(target.erts_versions)):
        yield f"bin/erl needs erts-{version}, which is missing"
