# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applications on a code path, and all that they depend on: app(4) and rel(4) of the OTP documentation."""

from __future__ import annotations

import glob
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Application, Release, ReleaseApplication, parse_app
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import number_problem

# No system starts without them (rel(4)).
REQUIRED = ("kernel", "stdlib")


class Found(t.NamedTuple):
    """An application that was found: its resource file's bytes and content, its ebin directory, whether it is OTP's own; an appup that was made for it."""

    application: Application
    app_file: bytes
    ebin: str
    from_otp: bool
    made_appup: bytes | None = None

    @property
    def name(self) -> str:
        return self.application.name

    @property
    def version(self) -> str:
        return self.application.version

    @property
    def directory(self) -> str:
        """The application directory; an ebin directory by another name is taken for one without the rest."""
        return os.path.dirname(self.ebin) if os.path.basename(self.ebin) == "ebin" else self.ebin


class CodePath:
    """Where applications are looked for: ebin directories given by globs, in their order, then those of the OTP tree.

    ``option``: by which the globs were given. ``more``: directories to look into after them.
    Raises OtpError naming a glob that matches nothing, and naming .ez archives.
    """

    def __init__(
        self, globs: t.Iterable[str], otp: Otp, parse: t.Callable[..., Application] = parse_app, *, option: str = "code_path", more: t.Iterable[str] = ()
    ) -> None:
        self._otp = otp
        self._parse = parse
        self._read: dict[str, Found] = {}
        self.directories: list[str] = []
        for pattern in globs:
            self.directories += [path for path in _expand(pattern, option) if path not in self.directories]
        self.directories += [path for path in more if path not in self.directories]
        self._otp_directories: dict[str, list[str]] = {}
        for directory in sorted(os.listdir(otp.lib)):
            self._otp_directories.setdefault(directory.split("-")[0], []).append(os.path.join(otp.lib, directory, "ebin"))

    def find(self, name: str, version: str | None = None) -> Found:
        """The application of this name, and of this version if one is given. Raises OtpError with what was found and where."""
        own = self._candidates(name, self.directories, from_otp=False)
        otp = self._candidates(name, self._otp_directories.get(name, []), from_otp=True)
        if version is not None:
            for found in own + otp:
                if found.version == version:
                    return found
        elif own:
            other = next((found for found in own if found.version != own[0].version), None)
            if other is not None:
                newest = max(own, key=lambda found: version_key(found.version)).version
                raise OtpError(
                    f"Application {name} is on the code path in two versions: {own[0].version} in {own[0].ebin} and"
                    f" {other.version} in {other.ebin}. Give the version in {named('applications')}, as in [{{name: {name}, version: '{newest}'}}],"
                    f" or remove one from {named('code_path')}."
                )
            return own[0]
        elif otp:
            return max(otp, key=lambda found: version_key(found.version))
        versions = "; ".join(f"version {found.version} is in {found.ebin}" for found in own + otp)
        raise OtpError(
            f"Application {name if version is None else f'{name}-{version}'} was not found{f' ({versions})' if versions else ''}. Looked in:"
            f" {', '.join([*self.directories, os.path.join(self._otp.lib, name + '-*', 'ebin')])}."
        )

    def everywhere(self) -> list[str]:
        """All ebin directories, those of the OTP tree last."""
        return [*self.directories, *(ebin for ebins in self._otp_directories.values() for ebin in ebins)]

    def has(self, name: str) -> bool:
        """Whether any version of the application is found."""
        return bool(self._candidates(name, self.directories, from_otp=False) or self._candidates(name, self._otp_directories.get(name, []), from_otp=True))

    def _candidates(self, name: str, directories: list[str], *, from_otp: bool) -> list[Found]:
        candidates = []
        for ebin in directories:
            path = os.path.join(ebin, name + ".app")
            if path not in self._read:
                try:
                    with open(path, "rb") as file:
                        content = file.read()
                except (FileNotFoundError, NotADirectoryError):
                    refuse_dangling(path)
                    continue
                except OSError as error:
                    raise OtpError(f"{path} can't be read: {error.strerror}.") from error
                self._read[path] = Found(self._parse(content, filename=path), content, ebin, from_otp)
            candidates.append(self._read[path])
        return candidates


def _expand(pattern: str, option: str) -> list[str]:
    matches = sorted(glob.glob(os.path.abspath(pattern)))
    directories = [path for path in matches if os.path.isdir(path)]
    for path in [*matches, *([] if directories else [os.path.abspath(pattern)])]:
        archive = _archive_in(path)
        if archive:
            raise OtpError(f"{option}: {archive} is an archive. Archives can't be packed: unpack it and name the ebin directory in it.")
    if not directories:
        raise OtpError(f"{option}: {pattern} matches no directory.")
    return directories


def _archive_in(path: str) -> str | None:
    """The .ez file that the path is or leads into."""
    while len(path) > 1:
        if path.endswith(".ez") and os.path.isfile(path):
            return path
        path = os.path.dirname(path)
    return None


def refuse_dangling(path: str) -> None:
    """Raise OtpError for a link that leads to nothing."""
    if os.path.islink(path) and not os.path.exists(path):
        raise OtpError(f"{path} is a link to {os.readlink(path)}, which does not exist. Remove the link, or have it lead to a file.")


def version_key(version: str) -> list[tuple[int, str]]:
    """Orders versions by their numbers: 10.2 after 9.1."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in version.replace("-", ".").split(".")]


def applications_of(release: Release, code_path: CodePath) -> list[Found]:
    """The applications that a .rel lists, of just these versions. Raises OtpError for kernel and stdlib missing in it."""
    names = [listed.name for listed in release.applications]
    for name in REQUIRED:
        if name not in names:
            raise OtpError(f"Release {release.name} {release.version} lacks application {name}, without which no system starts. Add it.")
    return [code_path.find(listed.name, listed.version) for listed in release.applications]


class RequestedApplication(t.NamedTuple):
    """An application asked for by name; the rest as in a .rel, where None leaves it open."""

    name: str
    version: str | None = None
    type: str | None = None
    included: tuple[str, ...] | None = None


START_TYPES = ("permanent", "transient", "temporary", "load", "none")


def requested_application(item: t.Any) -> RequestedApplication:
    """From a name, or a mapping with name, version, type, included_applications. Raises OtpError."""
    if isinstance(item, str):
        return RequestedApplication(item)
    known = {"name", "version", "type", "included_applications"}
    if not isinstance(item, dict) or "name" not in item or set(item) - known:
        raise OtpError(f"applications: {item!r} is neither a name nor a mapping of name, version, type and included_applications.")
    if item.get("type") not in (None, *START_TYPES):
        raise OtpError(f"applications: type of {item['name']} is {item['type']!r}; it can be {', '.join(START_TYPES)}.")
    version, included = item.get("version"), item.get("included_applications")
    if problem := number_problem(f"applications: the version of {item['name']}", version):
        raise OtpError(problem)
    return RequestedApplication(str(item["name"]), version, item.get("type"), None if included is None else tuple(included))


def close_over(requested: t.Iterable[RequestedApplication], code_path: CodePath) -> list[ReleaseApplication]:
    """The requested applications and all that they need, each after what it needs; kernel and stdlib first.

    Optional applications come along where they are found and where something asks for them: app(4).
    """
    asked = {item.name: item for item in requested}
    done: dict[str, ReleaseApplication] = {}
    pending: list[str] = []

    def visit(name: str, needed_by: str | None) -> None:
        if name in done or name in pending:
            # systools checks circles: included applications may be part of one.
            return
        item = asked.get(name, RequestedApplication(name))
        try:
            application = code_path.find(name, item.version).application
        except OtpError as error:
            raise OtpError(f"{error} Application {needed_by} needs it." if needed_by else str(error)) from None
        pending.append(name)
        for other in (*application.applications, *application.optional_applications, *application.included_applications):
            if other not in application.optional_applications or other in asked or code_path.has(other):
                visit(other, name)
        pending.pop()
        done[name] = ReleaseApplication(name, application.version, item.type, item.included)

    for name in (*REQUIRED, *asked):
        visit(name, None)
    return list(done.values())


def describe_included(requested: t.Iterable[RequestedApplication], release: Release, found: t.Iterable[Found]) -> t.Iterator[tuple[str, str]]:
    """Requested applications that another one includes, each with a sentence: the boot script does not start them."""
    listed = {item.name: item.included for item in release.applications}
    for item in requested:
        for other in found:
            included = listed[other.name]
            if item.type not in ("load", "none") and item.name in (other.application.included_applications if included is None else included):
                yield (
                    item.name,
                    f"Application {item.name} is included by {other.name}, which has to start it: the system does not start it by itself. To have it"
                    f" started, leave it out of what {other.name} includes, in {named('applications')}: {{name: {other.name}, included_applications:"
                    f" [{', '.join(name for name in included or other.application.included_applications if name != item.name)}]}}.",
                )
