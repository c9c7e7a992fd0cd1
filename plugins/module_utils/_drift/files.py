# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the files of an installed tree are not those of its packages: changed, missing, added, with another mode or owner.

What the packages have, the controller says: records in the tree belong to the service user, who could change them with the files (docs/design.md, Packages).
Contents are compared as far as they count (``_formats/significant``), because releases share libraries. What the host itself makes is not compared here.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import stat
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.significant import digest_of_file
from ansible_collections.erlang.otp.plugins.module_utils._install.unpack import is_of_the_host
from ansible_collections.erlang.otp.plugins.module_utils._package.contents import DIRECTORY
from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import BASE, ERTS_SCRIPTS, is_appup, link_digest
from ansible_collections.erlang.otp.plugins.module_utils._tree.bin_directory import CLEAN_BOOT
from ansible_collections.erlang.otp.plugins.module_utils._tree.extra_files import EXTRA, LIST, is_extra
from ansible_collections.erlang.otp.plugins.module_utils._tree.made_from import OF_THE_WAY
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import PROGRAMS
from ansible_collections.erlang.otp.plugins.module_utils._tree.scripts import make_scripts
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree, versioned_directory

# Of a host whose service user has filled the tree with files.
MAX_FINDINGS = 1000
# Bytes: a larger file, which may be sparse, is that of no package.
MAX_FILE = 4 << 30
# Below releases/VSN: what the installation writes, of a thin package as well, and what only leads to the release.
HOST_MAKES = (*OF_THE_WAY, LIST, BASE)

# By path: digest and mode, as of read_manifest() of _package/contents.
Manifest = t.Mapping[str, t.Sequence[t.Any]]


# From a path below the root directory and its status: the number of its owner, and its permissions.
Look = t.Callable[[str, os.stat_result], t.Tuple[int, int]]


class Finding(t.NamedTuple):
    """kind: changed, missing, added, mode or owner. path: below the root directory. versions: the releases whose packages have the file."""

    kind: str
    path: str
    text: str
    versions: tuple[str, ...] = ()

    def as_data(self) -> dict[str, t.Any]:
        return {"kind": self.kind, "path": self.path, "text": self.text}


class Expected(t.NamedTuple):
    """A file as the package of this release has it."""

    version: str
    digest: str
    mode: int


class Packages(t.NamedTuple):
    """What several packages have together. files: by path in the tree; directories: those that are looked through; uncompared: what may differ."""

    files: dict[str, list[Expected]]
    directories: list[str]
    uncompared: set[str]


def module_of(path: str) -> str:
    """The name of the module in a file, if it is one."""
    return os.path.splitext(os.path.basename(path))[0] if path.endswith(".beam") else ""


def place_of(member: str, version: str) -> str:
    """Where the installation puts a member of the package of this release."""
    return f"releases/{version}/{EXTRA}/{member}" if is_extra(member) else member


def archives_of(tree: Tree, version: str) -> list[str]:
    """The variables of whose libraries the package has an archive. They are outside of the tree, and not compared."""
    return sorted((tree.record(version) or {}).get("archives", {}))


def join_manifests(tree: Tree, manifests: t.Mapping[str, Manifest], permanent: str | None, *, given_config: bool = True) -> Packages:
    """What the packages of these releases have of the tree.

    permanent: the release whose programs are in bin. given_config: whether sys.config comes from the inventory. Else it is that of the package, if that
    has no sys.config.src.
    """
    files: dict[str, list[Expected]] = {}
    directories: dict[str, None] = {}
    uncompared: set[str] = set()
    for version, manifest in manifests.items():
        archives = {f"{name}.tar.gz" for name in archives_of(tree, version)}
        for member, (digest, mode) in manifest.items():
            if member in archives:
                continue
            path = place_of(member, version)
            directory = versioned_directory(path, is_directory=digest == DIRECTORY)
            if directory is None or (directory.startswith("releases/") and directory != f"releases/{version}"):
                if version == permanent and path in _PROGRAMS:
                    files.setdefault(path, []).append(Expected(version, digest, mode))
                continue
            directories[directory] = None
            is_config = not given_config and path == f"releases/{version}/sys.config" and f"{path}.src" not in manifest
            if _may_differ(path, directory) and not is_config:
                uncompared.add(path)
            elif digest != DIRECTORY:
                files.setdefault(path, []).append(Expected(version, digest, mode))
        clean, boot = f"releases/{version}/{CLEAN_BOOT}", manifest.get("bin/start.boot")
        if clean not in files and boot:
            # The installation makes it of that one.
            files[clean] = [Expected(version, boot[0], 0o644)]
        uncompared.update(f"releases/{version}/{name}" for name in HOST_MAKES)
    for directory in directories:
        if directory.startswith("erts-"):
            _add_scripts(tree, directory, files)
    return Packages(files, [*directories], uncompared)


_PROGRAMS = {f"bin/{name}" for name in PROGRAMS}


def _may_differ(path: str, directory: str) -> bool:
    return (directory.startswith("lib/") and is_appup(path[len(directory) + 1 :])) or is_of_the_host(path, directory)


def _add_scripts(tree: Tree, directory: str, files: dict[str, list[Expected]]) -> None:
    """In the place of scripts for the root directory of the build host, the installation makes others."""
    made = make_scripts(root=tree.root, erts_version=directory[len("erts-") :], templates={})
    for script in ERTS_SCRIPTS:
        path = f"{directory}/{script}"
        if path in files:
            files[path].append(files[path][0]._replace(digest=hashlib.sha256(made[os.path.basename(script)]).hexdigest()))


def look_here(_path: str, status: os.stat_result) -> tuple[int, int]:
    """Owner and permissions as the file has them. In the copy of a box it has others."""
    return status.st_uid, stat.S_IMODE(status.st_mode)


def find_drift(tree: Tree, packages: Packages, *, unknown: t.Collection[str] = (), ignore: t.Sequence[str] = (), look: Look = look_here) -> list[Finding]:
    """What is not as the packages have it, at most MAX_FINDINGS.

    unknown: libraries and the like of releases of which no package is known. ignore: patterns of paths (fnmatch) that do not count.
    """
    findings: list[Finding] = []
    owners = {look(name, os.stat(tree.path(name)))[0] for name in ("", "lib", "releases") if os.path.isdir(tree.path(name))}
    seen: set[str] = set()
    for path, status in _files_of(tree, packages):
        seen.add(path)
        expected = packages.files.get(path)
        if expected:
            findings += _compare(tree, path, status, expected, owners, look)
        elif path not in packages.uncompared and not _is_of_the_host(path):
            findings.append(Finding("added", path, f"{path} is in no package"))
        if len(findings) >= MAX_FINDINGS:
            break
    else:
        for path in packages.files:
            if path not in seen:
                findings.append(Finding("missing", path, f"{path} is missing", _versions(packages.files[path])))
        if not unknown:
            known = {*packages.directories}
            names = [f"lib/{name}" for name in tree.names("lib")] + [name for name in tree.names() if name.startswith("erts-")]
            findings += [Finding("added", name, f"{name} belongs to no release") for name in names if name not in known]
    counted = [finding for finding in findings if not any(fnmatch.fnmatchcase(finding.path, pattern) for pattern in ignore)]
    return counted[:MAX_FINDINGS]


def _is_of_the_host(path: str) -> bool:
    directory = versioned_directory(path)
    return directory is not None and is_of_the_host(path, directory)


def _versions(expected: t.Iterable[Expected]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.version for item in expected))


def _files_of(tree: Tree, packages: Packages) -> t.Iterator[tuple[str, os.stat_result]]:
    """What is there, links not followed: of the directories, everything but directories; of others, what the packages have."""
    for directory in packages.directories:
        pending = [directory]
        while pending:
            path = pending.pop()
            try:
                status = os.lstat(tree.path(path))
                if not stat.S_ISDIR(status.st_mode):
                    yield path, status
                    continue
                pending += [f"{path}/{name}" for name in sorted(os.listdir(tree.path(path)), reverse=True)]
            except (FileNotFoundError, NotADirectoryError):
                # It has just gone.
                continue
    for path in packages.files:
        if path in _PROGRAMS and tree.has(path):
            yield path, os.lstat(tree.path(path))


def _compare(
    tree: Tree, path: str, status: os.stat_result, expected: t.Sequence[Expected], owners: t.Collection[int], look: Look = look_here
) -> t.Iterator[Finding]:
    versions, digest = _versions(expected), _digest(tree.path(path), status)
    same = [item for item in expected if item.digest == digest]
    if not same:
        yield Finding("changed", path, f"{path} is not that of the package", versions)
        return
    uid, mode = look(path, status)
    if uid not in owners:
        yield Finding("owner", path, f"{path} belongs to user {uid}, and the system to {min(owners)}", versions)
    if stat.S_ISREG(status.st_mode) and not any(_has_mode(mode, item.mode) for item in same):
        yield Finding("mode", path, f"{path} has the mode {mode:04o}, and in the package {same[0].mode:04o}", versions)


def _has_mode(mode: int, of_package: int) -> bool:
    """Whether it allows no more, and the owner to run what is a program: a system may have been installed with fewer permissions."""
    return not mode & ~(of_package | 0o600) and not of_package & 0o100 & ~mode


def _digest(path: str, status: os.stat_result) -> str:
    """As of the manifest; empty for what is neither a file nor a link, or cannot be read."""
    try:
        if stat.S_ISLNK(status.st_mode):
            return link_digest(os.readlink(path))
        return digest_of_file(path) if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_FILE else ""
    except (OSError, OtpError):
        return ""
