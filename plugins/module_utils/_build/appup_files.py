# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Appups for review, made from builds of two releases or more: packages, .rel files, or directories with applications."""

from __future__ import annotations

import glob
import os
import tempfile
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.earlier_release import BESIDE, only_rel, release_of, unpack_ebins
from ansible_collections.erlang.otp.plugins.module_utils._build.made_appup import MadeAppup, make_appup, read_application
from ansible_collections.erlang.otp.plugins.module_utils._build.missing_appups import NEVER, describe_questions
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import make_parents, read_file, write_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.appup import parse_appup
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import parse_app, parse_rel

# Of a directory with applications, that of one application, or an ebin directory itself.
INSIDE = ("*/ebin", "lib/*/ebin", "ebin", ".")


class Options(t.NamedTuple):
    """The options of otp_release_appup, by the same names."""

    old: tuple[str, ...]
    new: str
    output_dir: str
    applications: tuple[str, ...] = ()
    force: bool = False


class Application(t.NamedTuple):
    """An application of a build."""

    version: str
    ebin: str


def make_appup_files(options: Options, changes: Changes) -> dict[str, t.Any]:
    """Make the appups that are missing in the output directory. Returns what the module returns, with ``problem``: what is to be decided. Raises OtpError."""
    with tempfile.TemporaryDirectory(prefix="erlang-otp-") as scratch:
        new = read_build(options.new, "new", os.path.join(scratch, "new"))
        olds = [read_build(path, "old", os.path.join(scratch, str(number))) for number, path in enumerate(options.old)]
        for name in options.applications:
            if name not in new:
                raise OtpError(f"applications: {options.new} has no application {name}. It has {', '.join(sorted(new))}.")
        names = [name for name in sorted(options.applications or new) if name not in NEVER]
        files = [file for file in (_look(name, new[name], olds, options) for name in names) if file]
        made: dict[str, MadeAppup] = {}
        diff = []
        for file in files:
            if not file.there:
                made[file.name] = appup = file.make()
                diff.append(_write(file.path_of(appup), appup.content, changes))
    problem = describe_questions(made, {file.name: (file.new.version, file.path) for file in files})
    return {
        "changed": changes.changed,
        "actions": changes.actions,
        "appups": [file.describe(made.get(file.name)) for file in files],
        "diff": diff,
        "problem": f"{problem} The draft beside that path has the instructions that are clear." if problem else "",
    }


class AppupFile(t.NamedTuple):
    """The appup that an application needs: the build that it leads to, the others by version, its path; there: where there is one."""

    name: str
    new: Application
    olds: dict[str, Application]
    path: str
    there: str

    def make(self) -> MadeAppup:
        return make_appup(read_application(self.name, self.new.ebin), [read_application(self.name, old.ebin) for old in self.olds.values()])

    def path_of(self, made: MadeAppup | None) -> str:
        """A draft is beside the path of the file."""
        return self.there if made is None else self.path + ".draft" if made.questions else self.path

    def describe(self, made: MadeAppup | None) -> dict[str, t.Any]:
        """As the module returns it."""
        facts = {"application": self.name, "version": self.new.version, "from": sorted(self.olds), "path": self.path_of(made), "made": made is not None}
        return {**facts, "questions": made.questions if made else [], "remarks": made.remarks if made else []}


def _look(name: str, new: Application, olds: t.Iterable[dict[str, Application]], options: Options) -> AppupFile | None:
    """What the application needs; None if it has the same version everywhere. An appup that leads from each old version, and to it, is enough."""
    others = {old[name].version: old[name] for old in olds if name in old and old[name].version != new.version}
    path = os.path.join(options.output_dir, name + ".appup")
    for place in () if options.force or not others else (os.path.join(new.ebin, name + ".appup"), path):
        content = read_file(place)
        if content is None:
            continue
        appup = parse_appup(content, filename=place)
        if appup.version == new.version and all(appup.has(direction, version) for direction in ("up", "down") for version in others):
            return AppupFile(name, new, others, path, path if place == path else options.new)
        if place == path:
            raise OtpError(f"{path} does not lead to {new.version} from {', '.join(sorted(others))}, and back. Remove it to have it made again.")
    return AppupFile(name, new, others, path, "") if others else None


def read_build(path: str, option: str, scratch: str) -> dict[str, Application]:
    """The applications of a package, of a .rel file, or in a directory. scratch: a directory that may be made, for what is unpacked. Raises OtpError."""
    if not os.path.exists(path):
        raise OtpError(f"{option}: {path} does not exist. Name a release package, a .rel file, or a directory with applications.")
    if path.endswith(".rel"):
        with open(path, "rb") as file:
            release = parse_rel(file.read(), filename=path)
        listed = {(item.name, item.version) for item in release.applications}
        found = [(name, application) for name, application in _applications(os.path.dirname(path), BESIDE) if (name, application.version) in listed]
        return dict(reversed(found))
    if os.path.isdir(path):
        found = list(_applications(path, INSIDE))
        if found:
            return _once(found, option, path)
        path = only_rel(path, option)[: -len(".rel")] + ".tar.gz"
    release = release_of(path)
    names = {f"{item.name}-{item.version}": item.name for item in release.applications}
    ebins = unpack_ebins(path, scratch, names, set(names.values()))
    return {item.name: Application(item.version, ebins[item.name]) for item in release.applications if item.name in ebins}


def _once(found: t.Iterable[tuple[str, Application]], option: str, path: str) -> dict[str, Application]:
    applications: dict[str, Application] = {}
    for name, application in found:
        other = applications.setdefault(name, application)
        if other.version != application.version:
            raise OtpError(f"{option}: {path} has {name} {other.version} and {application.version}. Name the .rel file of the release, or its package.")
    return applications


def _applications(directory: str, patterns: t.Iterable[str]) -> t.Iterator[tuple[str, Application]]:
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.normpath(os.path.join(glob.escape(directory), pattern, "*.app")))):
            application = parse_app(read_file(path) or b"", filename=path)
            yield application.name, Application(application.version, os.path.dirname(path))


def _write(path: str, content: bytes, changes: Changes) -> dict[str, str]:
    """Write the file if it differs. Returns the difference."""

    def write() -> None:
        make_parents(path)
        write_file(path, content)

    try:
        before = read_file(path) or b""
        if before != content:
            changes.do(f"write {path}", write)
    except OSError as error:
        raise OtpError(f"{path} can't be written: {error.strerror}.") from error
    return {"before": before.decode("utf-8", "replace"), "after": content.decode(), "before_header": path, "after_header": path}
