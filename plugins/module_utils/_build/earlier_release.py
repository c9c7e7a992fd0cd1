# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An earlier release, from which or to which a relup leads: given as a .rel file, as the directory of its build, or as its package.

For a relup systools reads its .rel and .app files. The applications of a package are those that a running node has; so a
directory's package is preferred to what is on a code path today. The chapter is systools:make_relup/4 of SASL.
"""

from __future__ import annotations

import glob
import hashlib
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import CodePath
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp
from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release, parse_rel

# Where applications are beside a .rel: of a project, of a target system's releases/NAME.rel and releases/VSN/NAME.rel.
BESIDE = (".", "*/ebin", "lib/*/ebin", "../lib/*/ebin", "../../lib/*/ebin")


class Earlier(t.NamedTuple):
    """An earlier release: the path that was given, which release it is, and where its applications are.

    Either ``ebins`` has the ebin directory of each, or they are in ``package``, and what it lacks is on ``code_path``.
    ``identity``: equal for equal content.
    """

    path: str
    release: Release
    ebins: dict[str, str]
    package: str | None
    code_path: CodePath | None
    identity: str

    @property
    def versions(self) -> dict[str, str]:
        return versions_of(self.release)


def versions_of(release: Release) -> dict[str, str]:
    """The version of each application, and of erts."""
    return {**{listed.name: listed.version for listed in release.applications}, "erts": release.erts_version}


class Search(t.NamedTuple):
    """Where applications of earlier releases are looked for: by the globs of option upgrade_path, in further directories, in the OTP tree."""

    upgrade_path: tuple[str, ...]
    directories: list[str]
    otp: Otp

    def code_path(self, beside: t.Sequence[str] = ()) -> CodePath:
        return CodePath(self.upgrade_path, self.otp, option="upgrade_path", more=[*beside, *self.directories])


def read_earlier(path: str, option: str, search: Search) -> Earlier:
    """The release that the option names by this path. Raises OtpError."""
    path = os.path.abspath(path)
    if not os.path.exists(path):
        raise OtpError(f"{option}: {path} does not exist. Name a .rel file, the output directory of a build, or a release package.")
    if not os.path.isdir(path) and not path.endswith(".rel"):
        return _from_package(path, path, release_of(path), search.code_path())
    rel = only_rel(path, option) if os.path.isdir(path) else path
    with open(rel, "rb") as file:
        release = parse_rel(file.read(), filename=rel)
    beside = [glob.glob(os.path.normpath(os.path.join(glob.escape(os.path.dirname(rel)), pattern))) for pattern in BESIDE]
    code_path = search.code_path([directory for found in beside for directory in sorted(found)])
    package = rel[: -len(".rel")] + ".tar.gz"
    has_package = os.path.exists(package) and release_of(package) == release
    if has_package and os.path.isdir(path):
        return _from_package(path, package, release, code_path)
    try:
        found = [code_path.find(listed.name, listed.version) for listed in release.applications]
    except OtpError as error:
        if has_package:
            return _from_package(path, package, release, code_path)
        raise OtpError(f"{option}: release {release.name} {release.version} of {rel}: {error} Name its ebin directory in {named('upgrade_path')}.") from None
    return Earlier(path, release, {item.name: item.ebin for item in found}, None, None, _digest(release, [item.app_file for item in found]))


def _from_package(path: str, package: str, release: Release, code_path: CodePath) -> Earlier:
    # Applications that the package lacks are searched on the code path.
    return Earlier(path, release, {}, package, code_path, _digest(sha256(package), code_path.directories))


def _digest(*content: t.Any) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()


def only_rel(directory: str, option: str) -> str:
    """The path of the one .rel file in the output directory of a build. Raises OtpError."""
    found = sorted(glob.glob(os.path.join(glob.escape(directory), "*.rel")))
    if len(found) != 1:
        what = f"{len(found)} .rel files ({', '.join(os.path.basename(path) for path in found)})" if found else "no .rel file"
        raise OtpError(f"{option}: directory {directory} has {what}. Name the .rel file or the package of the earlier release.")
    return found[0]


def find_ebins(earlier: Earlier, directory: str, whole: t.Container[str]) -> dict[str, str]:
    """The ebin directory of each application; those of a package are unpacked below the directory, which is made then.

    Of an application it is the .app file that is unpacked, with the modules and the appup when its name is in ``whole``. Raises OtpError.
    """
    if earlier.package is None or earlier.code_path is None:
        return earlier.ebins
    ebins = unpack_ebins(earlier.package, directory, {f"{listed.name}-{listed.version}": listed.name for listed in earlier.release.applications}, whole)
    for listed in earlier.release.applications:
        if listed.name not in ebins:
            try:
                ebins[listed.name] = earlier.code_path.find(listed.name, listed.version).ebin
            except OtpError as error:
                raise OtpError(f"{earlier.package} lacks {listed.name}-{listed.version}. {error} Name its ebin directory in {named('upgrade_path')}.") from None
    return ebins


def release_of(package: str) -> Release:
    """The release of the package. Raises OtpError."""
    from ansible_collections.erlang.otp.plugins.module_utils._package.read import read_package

    return read_package(package)


def unpack_ebins(package: str, directory: str, names: t.Mapping[str, str], whole: t.Container[str]) -> dict[str, str]:
    """The ebin directory of each application, as find_ebins() unpacks it. names: those of applications by NAME-VERSION. Raises OtpError."""
    from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
    from ansible_collections.erlang.otp.plugins.module_utils._package.extract import Writer, checked_members

    os.mkdir(directory, 0o700)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    ebins = {}
    try:
        writer = Writer(descriptor)
        with Inflated(package) as stream:
            for path, member, pieces in checked_members(stream):
                lib, home, ebin, file = (path.split("/") + [""] * 4)[:4]
                if (lib, ebin) != ("lib", "ebin") or home not in names or member.kind != "file" or path.count("/") != 3:
                    continue
                name = names[home]
                if file == name + ".app" or (name in whole and file.endswith((".beam", ".appup"))):
                    writer.write(path, member, pieces)
                    ebins[name] = os.path.join(directory, lib, home, ebin)
    finally:
        os.close(descriptor)
    return ebins
