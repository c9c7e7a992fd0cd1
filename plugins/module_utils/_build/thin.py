# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A thin package: a full one without the libraries, the ERTS and the files that its base, the package of an earlier release, has as well.

Of a library that the base has in another version, the files that are the same are left out too (``_build/thin_copies``).

docs/design.md has the reasons.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.assemble import PackageFile, end_fragment, write_package
from ansible_collections.erlang.otp.plugins.module_utils._build.earlier_release import only_rel
from ansible_collections.erlang.otp.plugins.module_utils._build.thin_copies import find_copies
from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_writer import SMALL, Workers, make_fragment
from ansible_collections.erlang.otp.plugins.module_utils._formats.large_file import LARGE
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_writer import DIRECTORY, FILE, LINK, PackageMember, tar_parts, tar_pieces
from ansible_collections.erlang.otp.plugins.module_utils._package.contents import read_files
from ansible_collections.erlang.otp.plugins.module_utils._package.copies import copied_paths
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import checked_members
from ansible_collections.erlang.otp.plugins.module_utils._package.read import read_package
from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import BASE, Base, directory_digest, format_base, read_base
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import versioned_directory

_KINDS = {"file": FILE, "link": LINK, "directory": DIRECTORY}


# Digests of files, by the versioned directory that they are in ("" outside of any) and their path below it.
class Thin(t.NamedTuple):
    """A thin package that was written, and what the base has instead."""

    written: PackageFile
    base: Base

    def describe(self, path: str) -> dict[str, t.Any]:
        """The thin package, at that path, as otp_release_build returns it."""
        base = {"name": self.base.name, "version": self.base.version, "sha256": self.base.sha256}
        copies = {directory: copies.base for directory, copies in sorted(self.base.copies.items())}
        return {
            "package": path,
            "sha256": self.written.sha256,
            "size": self.written.size,
            "base": base,
            "without": sorted(self.base.directories),
            "copies": copies,
        }


def base_package(path: str) -> str:
    """The full package that option base names: itself, or the output directory of its build. Raises OtpError."""
    path = os.path.abspath(path)
    if os.path.isdir(path):
        path = only_rel(path, "base")[: -len(".rel")] + ".tar.gz"
    if not os.path.isfile(path):
        raise OtpError(f"base: {path} does not exist. Name the package of an earlier release, or the output directory of its build.")
    return path


def make_thin(full: str, release: Release, base: str, path: str, *, mtime: int) -> Thin:
    """Write the package ``full``, of this release, without what the package ``base`` has, to the path. Raises OtpError.

    A library must have the same content whenever it has the same version; otherwise hosts that have the base cannot be upgraded.
    """
    if read_base(base) is not None:
        raise OtpError(f"base: {base} is a thin package itself. Name the full one that was built along with it.")
    earlier = read_package(base)
    if earlier.version == release.version:
        raise OtpError(f"base: {base} is a package of release {release.version}, as this one is. Name the package of an earlier release.")
    found = read_files(full)
    theirs, ours = _contents(read_files(base)), _contents(found)
    directories = {}
    for directory, content in ours.items():
        if directory and directory in theirs:
            _check_equal(directory, content, theirs[directory], base)
            directories[directory] = directory_digest(content)
    files = sorted(path for path, digest in ours.get("", {}).items() if theirs.get("", {}).get(path) == digest and not _is_archive(path))
    copies = find_copies(full, base, {*ours} - {*theirs}, theirs)
    removed = Base(earlier.name, earlier.version, sha256(base), sha256(full), directories, files, copies)
    left_out = {*directories, *files, *copied_paths(removed), *(_rels_twice(found, release.version) if copies else ())}
    first = PackageMember(f"releases/{release.version}/{BASE}", content=format_base(removed))
    with contextlib.closing(_members_without(full, left_out, path + ".member")) as others:
        members = itertools.chain([first], others)
        fragment = make_fragment(tar_pieces(tar_parts(members, mtime=mtime)), Workers(), level=SMALL)
        return Thin(write_package(path, [fragment, end_fragment()]), removed)


def _is_archive(path: str) -> bool:
    """Whether it is the archive of a variable: the installation unpacks it elsewhere and does not keep it."""
    return "/" not in path and path.endswith(".tar.gz")


def _contents(found: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """What a package has outside of releases/. found: all that it has."""
    others = {path: digest for path, digest in found.get("", {}).items() if not path.startswith("releases/")}
    return {**{directory: files for directory, files in found.items() if not directory.startswith("releases/")}, "": others}


def _rels_twice(found: dict[str, dict[str, str]], version: str) -> list[str]:
    """releases/NAME.rel, if releases/VSN/NAME.rel is the same. Without it release_handler does not unpack a package that lacks files of libraries."""
    inside = found.get(f"releases/{version}", {})
    return [f"releases/{name}" for name, digest in inside.items() if name.endswith(".rel") and found.get("", {}).get(f"releases/{name}") == digest]


def _check_equal(directory: str, ours: dict[str, str], theirs: dict[str, str], base: str) -> None:
    differing = sorted(path for path in {*ours, *theirs} if ours.get(path) != theirs.get(path))
    if differing:
        raise OtpError(
            f"base: {directory}/{differing[0]} differs from that in {base}, and a host can have only one of them. A library must have the"
            " same content whenever it has the same version: give the changed application a new version. If Erlang/OTP itself was replaced under"
            " the same version, build without base and install the hosts anew."
        )


def _members_without(package: str, left_out: t.Container[str], aside: str) -> t.Generator[PackageMember, None, None]:
    """The members, of which each must be used before the next one is requested. aside: the path for the content of a large one meanwhile."""
    with Inflated(package) as stream:
        for path, member, pieces in checked_members(stream):
            directory = versioned_directory(path, is_directory=member.kind == "directory") or path
            if directory in left_out or path in left_out:
                continue
            made = PackageMember(path, _KINDS[member.kind], member.mode, target=member.target)
            if member.size <= LARGE:
                yield made._replace(content=b"".join(bytes(piece) for piece in pieces))
                continue
            try:
                with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
                    file.writelines(pieces)
                yield made._replace(source=aside)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(aside)
