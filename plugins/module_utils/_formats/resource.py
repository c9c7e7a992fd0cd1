# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource files of releases and applications, ``.rel`` and ``.app``, as typed records: rel(4), app(4), and what systools of OTP 25 and 27 accepts."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import is_directory_name
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, TermError, as_text, consult_bytes, format_terms
from ansible_collections.erlang.otp.plugins.module_utils._terms.printer import shortened

START_TYPES = ("permanent", "transient", "temporary", "load", "none")


class ReleaseApplication(NamedTuple):
    """An application of a release; ``type`` and ``included`` are None where the file leaves them out."""

    name: str
    version: str
    type: str | None = None
    included: tuple[str, ...] | None = None


class Release(NamedTuple):
    """The content of a ``.rel`` file."""

    name: str
    version: str
    erts_version: str
    applications: tuple[ReleaseApplication, ...]


class Application(NamedTuple):
    """The parts of an application, as its ``.app`` file lists them; lists that the file leaves out are empty."""

    name: str
    version: str
    description: str
    modules: tuple[str, ...]
    applications: tuple[str, ...]
    included_applications: tuple[str, ...]
    optional_applications: tuple[str, ...]
    registered: tuple[str, ...]


def parse_rel(data: bytes, *, filename: str) -> Release:
    """The release of a ``.rel`` file's content, its first term. Raises OtpError."""
    file = TermFile(filename)
    term = file.first_term(data)
    if not (is_tagged(term, "release", 4) and is_shaped(term[1], 2) and is_tagged(term[2], "erts", 2) and isinstance(term[3], list)):
        raise file.error(term, 'is not {release,{"Name","Vsn"},{erts,"Vsn"},[Application, ...]}')
    applications = tuple(_release_application(file, entry) for entry in term[3])
    return Release(
        name=file.text(term[1][0], "the name of the release"),
        version=file.path_part(term[1][1], "the version of the release"),
        erts_version=file.path_part(term[2][1], "the version of erts"),
        applications=applications,
    )


def format_rel(release: Release) -> bytes:
    """The content of the ``.rel`` file for the release."""
    applications: list = []
    for application in release.applications:
        entry: tuple = (Atom(application.name), application.version)
        if application.type is not None:
            entry += (Atom(application.type),)
        if application.included is not None:
            entry += ([Atom(name) for name in application.included],)
        applications.append(entry)
    return format_terms([(Atom("release"), (release.name, release.version), (Atom("erts"), release.erts_version), applications)])


def parse_app(data: bytes, *, filename: str) -> Application:
    """The application of an ``.app`` file's content; only its version has to be there. Raises OtpError."""
    file = TermFile(filename)
    term = file.first_term(data)
    if not (is_tagged(term, "application", 3) and isinstance(term[1], Atom) and isinstance(term[2], list)):
        raise file.error(term, "is not {application,Name,[{Key,Value}, ...]}")
    values: dict = {}
    for entry in term[2]:
        if not (is_shaped(entry, 2) and isinstance(entry[0], Atom)):
            raise file.error(entry, "is not {Key,Value}")
        # As lists:keyfind/3 does: the first one counts.
        values.setdefault(entry[0].name, entry[1])
    if "vsn" not in values:
        raise OtpError(f"{filename}: the application {term[1].name} has no vsn")

    def names(key: str) -> tuple[str, ...]:
        return file.names(values.get(key, []), key)

    return Application(
        name=file.path_part(term[1].name, "the name of the application"),
        version=file.path_part(values["vsn"], "vsn"),
        description=file.text(values.get("description", ""), "description"),
        modules=file.names([_module(entry) for entry in file.items(values.get("modules", []), "modules")], "modules"),
        applications=names("applications"),
        included_applications=names("included_applications"),
        optional_applications=names("optional_applications"),
        registered=names("registered"),
    )


class TermFile(NamedTuple):
    """The file that an error names."""

    name: str

    def error(self, term, sentence: str) -> OtpError:
        return OtpError(f"{self.name}: {shortened(term, 100)} {sentence}")

    def first_term(self, data: bytes):
        terms = consult_bytes(data, filename=self.name)
        if not terms:
            raise OtpError(f"{self.name}: has no term")
        return terms[0]

    def items(self, term, what: str) -> list:
        if not isinstance(term, list) and term != "":
            raise self.error(term, f"is not a list, as {what} has to be")
        return list(term)

    def text(self, term, what: str) -> str:
        try:
            return as_text(term)
        except TermError:
            raise self.error(term, f"is not a string, as {what} has to be") from None

    def path_part(self, term, what: str) -> str:
        """A text that becomes the name of a directory."""
        text = self.text(term, what)
        if not is_directory_name(text):
            raise self.error(term, f"cannot be {what}: it has to be usable as the name of a directory")
        return text

    def names(self, term, what: str) -> tuple[str, ...]:
        names = []
        for entry in self.items(term, what):
            if not isinstance(entry, Atom):
                raise self.error(entry, f"is not an atom, as each element of {what} has to be")
            names.append(entry.name)
        return tuple(names)


def is_tagged(term, tag: str, size: int) -> bool:
    return is_shaped(term, size) and term[0] == Atom(tag)


def is_shaped(term, size: int) -> bool:
    return isinstance(term, tuple) and len(term) == size


def _module(entry):
    return entry[0] if is_shaped(entry, 2) else entry


def _release_application(file: TermFile, entry) -> ReleaseApplication:
    shape = "is not {App,Vsn}, {App,Vsn,Type}, {App,Vsn,[Included, ...]} or {App,Vsn,Type,[Included, ...]}"
    if not (isinstance(entry, tuple) and 2 <= len(entry) <= 4 and isinstance(entry[0], Atom)):
        raise file.error(entry, shape)
    rest = entry[2:]
    kind = included = None
    if rest and isinstance(rest[0], Atom):
        kind = rest[0].name
        if kind not in START_TYPES:
            raise file.error(entry, f"has the type {kind}, which is not one of {', '.join(START_TYPES)}")
        rest = rest[1:]
    if rest:
        included = file.names(rest[0], "the included applications")
        rest = rest[1:]
    if rest:
        raise file.error(entry, shape)
    name = file.path_part(entry[0].name, "the name of an application")
    # OTP's own start_all_example.rel has no versions for applications that it was built without.
    version = "" if entry[1] in ("", []) else file.path_part(entry[1], "the version of an application")
    return ReleaseApplication(name, version, kind, included)
