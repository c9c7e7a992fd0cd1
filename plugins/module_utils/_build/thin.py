# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A thin package: a full one without the libraries, the ERTS and the files that its base, the package of an earlier release, has as well."""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_writer import DIRECTORY, FILE, LINK, PackageMember, join_parts, tar_parts
from ansible_collections.erlang.otp.plugins.module_utils._build.assemble import end_fragment, sha256_of
from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import BASE, Base, format_base, directory_digest, link_digest, read_base
from ansible_collections.erlang.otp.plugins.module_utils._build.earlier_release import only_rel
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import checked_members
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_writer import SMALL, Workers, gzip_parts, make_fragment
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
from ansible_collections.erlang.otp.plugins.module_utils._package.read import read_package
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import versioned_directory

_KINDS = {"file": FILE, "link": LINK, "directory": DIRECTORY}

# Files by the home that they are in ("" for none) and their path below it, as digests that tell their content.
Contents = t.Dict[str, t.Dict[str, str]]


class Thin(t.NamedTuple):
    """A thin package: its content, and what it goes without."""

    content: bytes
    base: Base


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

    What has one version has one content, else no system that has the base could be upgraded, by whatever package.
    """
    if read_base(base) is not None:
        raise OtpError(f"base: {base} is a thin package itself. Name the full one that was built along with it.")
    earlier = read_package(base)
    if earlier.version == release.version:
        raise OtpError(f"base: {base} is a package of release {release.version}, as this one is. Name that of the release before it.")
    theirs, ours = _contents(base), _contents(full)
    homes = {}
    for home, content in ours.items():
        if home and home in theirs:
            _check_equal(home, content, theirs[home], base)
            homes[home] = directory_digest(content)
    files = sorted(path for path, digest in ours.get("", {}).items() if theirs.get("", {}).get(path) == digest and not _is_archive(path))
    said = Base(earlier.name, earlier.version, sha256_of(base) or "", sha256_of(full) or "", homes, files)
    first = PackageMember(f"releases/{release.version}/{BASE}", content=format_base(said))
    members = [first, *_members_without(full, {*homes, *files})]
    fragment = make_fragment(join_parts(tar_parts(members, mtime=mtime)), Workers(), level=SMALL)
    return Thin(b"".join(gzip_parts([fragment, end_fragment()])), said)


def _is_archive(path: str) -> bool:
    """Whether it is the archive of a variable: what it holds lies elsewhere on the host, and it lies nowhere."""
    return "/" not in path and path.endswith(".tar.gz")


def _contents(package: str) -> Contents:
    """What the package has outside of releases/."""
    found: Contents = {}
    with Inflated(package) as stream:
        for path, member, pieces in checked_members(stream):
            home = versioned_directory(path) or ""
            if path.startswith("releases/") or member.kind == "directory":
                continue
            digest = link_digest(member.target) if member.kind == "link" else _digest(pieces)
            found.setdefault(home, {})[path[len(home) + 1 :] if home else path] = digest
    return found


def _digest(pieces: t.Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _check_equal(home: str, ours: dict[str, str], theirs: dict[str, str], base: str) -> None:
    differing = sorted(path for path in {*ours, *theirs} if ours.get(path) != theirs.get(path))
    if differing:
        raise OtpError(
            f"base: {home}/{differing[0]} differs from that in {base}, and no system can have both. What has one version has one"
            " content: give the changed application a new version; or, where Erlang/OTP itself was exchanged under the same version,"
            " build without base, for hosts that are installed anew."
        )


def _members_without(package: str, left_out: t.Container[str]) -> t.Iterator[PackageMember]:
    with Inflated(package) as stream:
        for path, member, pieces in checked_members(stream):
            home = versioned_directory(path, is_directory=member.kind == "directory") or path
            if home not in left_out:
                yield PackageMember(path, _KINDS[member.kind], member.mode, content=b"".join(bytes(piece) for piece in pieces), target=member.target)
