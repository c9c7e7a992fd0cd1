# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A thin package: a full one without the libraries, the ERTS and the files that its base, the package of an earlier release, has as well.

docs/design.md has the reasons.
"""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.assemble import end_fragment
from ansible_collections.erlang.otp.plugins.module_utils._build.earlier_release import only_rel
from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_writer import SMALL, Workers, gzip_parts, make_fragment
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_writer import DIRECTORY, FILE, LINK, PackageMember, join_parts, tar_parts
from ansible_collections.erlang.otp.plugins.module_utils._package.contents import read_files
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import checked_members
from ansible_collections.erlang.otp.plugins.module_utils._package.read import read_package
from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import BASE, Base, directory_digest, format_base, read_base
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import versioned_directory

_KINDS = {"file": FILE, "link": LINK, "directory": DIRECTORY}


# Digests of files, by the versioned directory that they are in ("" outside of any) and their path below it.
class Thin(t.NamedTuple):
    """A thin package: its content, and what the base has instead."""

    content: bytes
    base: Base

    def describe(self, path: str) -> dict[str, t.Any]:
        """The thin package at the path as otp_release_build returns it."""
        base = {"name": self.base.name, "version": self.base.version, "sha256": self.base.sha256}
        digest = hashlib.sha256(self.content).hexdigest()
        return {"package": path, "sha256": digest, "size": len(self.content), "base": base, "without": sorted(self.base.directories)}


def base_package(path: str) -> str:
    """The full package that option base names: itself, or the output directory of its build. Raises OtpError."""
    path = os.path.abspath(path)
    if os.path.isdir(path):
        path = only_rel(path, "base")[: -len(".rel")] + ".tar.gz"
    if not os.path.isfile(path):
        raise OtpError(f"base: {path} does not exist. Name the package of an earlier release, or the output directory of its build.")
    return path


def make_thin(full: str, release: Release, base: str, *, mtime: int) -> Thin:
    """The package ``full``, of this release, without what the package ``base`` has. Raises OtpError.

    A library must have the same content whenever it has the same version; otherwise hosts that have the base cannot be upgraded.
    """
    if read_base(base) is not None:
        raise OtpError(f"base: {base} is a thin package itself. Name the full one that was built along with it.")
    earlier = read_package(base)
    if earlier.version == release.version:
        raise OtpError(f"base: {base} is a package of release {release.version}, as this one is. Name the package of an earlier release.")
    theirs, ours = _contents(base), _contents(full)
    directories = {}
    for directory, content in ours.items():
        if directory and directory in theirs:
            _check_equal(directory, content, theirs[directory], base)
            directories[directory] = directory_digest(content)
    files = sorted(path for path, digest in ours.get("", {}).items() if theirs.get("", {}).get(path) == digest and not _is_archive(path))
    removed = Base(earlier.name, earlier.version, sha256(base), sha256(full), directories, files)
    first = PackageMember(f"releases/{release.version}/{BASE}", content=format_base(removed))
    members = [first, *_members_without(full, {*directories, *files})]
    fragment = make_fragment(join_parts(tar_parts(members, mtime=mtime)), Workers(), level=SMALL)
    return Thin(b"".join(gzip_parts([fragment, end_fragment()])), removed)


def _is_archive(path: str) -> bool:
    """Whether it is the archive of a variable: the installation unpacks it elsewhere and does not keep it."""
    return "/" not in path and path.endswith(".tar.gz")


def _contents(package: str) -> dict[str, dict[str, str]]:
    """What the package has outside of releases/."""
    found = read_files(package)
    others = {path: digest for path, digest in found.pop("", {}).items() if not path.startswith("releases/")}
    return {"": others, **{directory: files for directory, files in found.items() if not directory.startswith("releases/")}}


def _check_equal(directory: str, ours: dict[str, str], theirs: dict[str, str], base: str) -> None:
    differing = sorted(path for path in {*ours, *theirs} if ours.get(path) != theirs.get(path))
    if differing:
        raise OtpError(
            f"base: {directory}/{differing[0]} differs from that in {base}, and a host can have only one of them. A library must have the"
            " same content whenever it has the same version: give the changed application a new version. If Erlang/OTP itself was replaced under"
            " the same version, build without base and install the hosts anew."
        )


def _members_without(package: str, left_out: t.Container[str]) -> t.Iterator[PackageMember]:
    with Inflated(package) as stream:
        for path, member, pieces in checked_members(stream):
            directory = versioned_directory(path, is_directory=member.kind == "directory") or path
            if directory not in left_out:
                yield PackageMember(path, _KINDS[member.kind], member.mode, content=b"".join(bytes(piece) for piece in pieces), target=member.target)
