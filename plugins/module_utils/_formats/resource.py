# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of releases and applications as typed records: ``.rel``, ``.app``, ``RELEASES`` and ``start_erl.data``.

Their shapes are those of rel(4), app(4) and of what release_handler of OTP 25 and 27 writes and systools accepts.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, TermError, as_text, consult_bytes, format_term, format_terms

START_TYPES = ("permanent", "transient", "temporary", "load", "none")
STATUSES = ("unpacked", "current", "permanent", "old", "tmp_current")


class ReleaseApplication(NamedTuple):
    """An application of a release; ``type`` and ``included`` are None where the file leaves them out."""

    name: str
    version: str
    type: str | None = None
    included: tuple[str, ...] | None = None


class Release(NamedTuple):
    """What a ``.rel`` file says."""

    name: str
    version: str
    erts_version: str
    applications: tuple[ReleaseApplication, ...]


class Application(NamedTuple):
    """What an ``.app`` file says about what belongs together; lists that it leaves out are empty."""

    name: str
    version: str
    description: str
    modules: tuple[str, ...]
    applications: tuple[str, ...]
    included_applications: tuple[str, ...]
    optional_applications: tuple[str, ...]
    registered: tuple[str, ...]


class Library(NamedTuple):
    """An application of an installed release; ``directory`` is absolute, or relative to the root directory."""

    name: str
    version: str
    directory: str


class InstalledRelease(NamedTuple):
    """An entry of ``RELEASES``."""

    name: str
    version: str
    erts_version: str
    libraries: tuple[Library, ...]
    status: str


class StartErlData(NamedTuple):
    """What boots next: ``ERTS_VERSION RELEASE_VERSION``."""

    erts_version: str
    release_version: str


def parse_rel(data: bytes, *, filename: str) -> Release:
    """The release of a ``.rel`` file's content, its first term. Raises OtpError."""
    file = _File(filename)
    term = file.first_term(data)
    if not (_tagged(term, "release", 4) and _shaped(term[1], 2) and _tagged(term[2], "erts", 2) and isinstance(term[3], list)):
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
    file = _File(filename)
    term = file.first_term(data)
    if not (_tagged(term, "application", 3) and isinstance(term[1], Atom) and isinstance(term[2], list)):
        raise file.error(term, "is not {application,Name,[{Key,Value}, ...]}")
    values: dict = {}
    for entry in term[2]:
        if not (_shaped(entry, 2) and isinstance(entry[0], Atom)):
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


def parse_releases(data: bytes, *, filename: str) -> list[InstalledRelease]:
    """The entries of ``RELEASES``, in its order. Raises OtpError."""
    file = _File(filename)
    term = file.first_term(data)
    return [_installed_release(file, entry) for entry in file.items(term, "the file's term")]


def format_releases(releases: list[InstalledRelease]) -> bytes:
    """The content of ``RELEASES`` as release_handler reads and writes it."""
    entries = []
    for release in releases:
        libraries = [(Atom(library.name), library.version, library.directory) for library in release.libraries]
        entries.append((Atom("release"), release.name, release.version, release.erts_version, libraries, Atom(release.status)))
    return format_terms([entries])


def parse_start_erl_data(data: bytes, *, filename: str) -> StartErlData:
    """The versions that ``start_erl.data`` names; it may lack its final newline. Raises OtpError."""
    file = _File(filename)
    try:
        words = data.decode("utf-8").split()
    except UnicodeDecodeError:
        raise OtpError(f"{filename}: is not UTF-8") from None
    if len(words) != 2:
        raise OtpError(f"{filename}: is not the line ERTS_VERSION RELEASE_VERSION, but {data[:60]!r}")
    return StartErlData(file.path_part(words[0], "the version of erts"), file.path_part(words[1], "the version of the release"))


def format_start_erl_data(value: StartErlData) -> bytes:
    """The content of ``start_erl.data``. Raises OtpError when a version has white space, which the file cannot hold."""
    for version in value:
        if not version or version.split() != [version]:
            raise OtpError(f"start_erl.data cannot hold the version {version!r}: it is empty or has white space. Choose another version.")
    return f"{value.erts_version} {value.release_version}\n".encode()


class _File(NamedTuple):
    """The file that an error names."""

    name: str

    def error(self, term, sentence: str) -> OtpError:
        text = format_term(term, width=10**6)
        return OtpError(f"{self.name}: {text if len(text) <= 100 else text[:97] + '...'} {sentence}")

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
        """A text that becomes a part of a path, and so must not lead anywhere else."""
        text = self.text(term, what)
        if text in ("", ".", "..") or "/" in text or not text.isprintable():
            raise self.error(term, f"cannot be {what}: it has to be usable as the name of a directory")
        return text

    def names(self, term, what: str) -> tuple[str, ...]:
        names = []
        for entry in self.items(term, what):
            if not isinstance(entry, Atom):
                raise self.error(entry, f"is not an atom, as each element of {what} has to be")
            names.append(entry.name)
        return tuple(names)


def _tagged(term, tag: str, size: int) -> bool:
    return _shaped(term, size) and term[0] == Atom(tag)


def _shaped(term, size: int) -> bool:
    return isinstance(term, tuple) and len(term) == size


def _module(entry):
    return entry[0] if _shaped(entry, 2) else entry


def _release_application(file: _File, entry) -> ReleaseApplication:
    shape = "is not {App,Vsn}, {App,Vsn,Type}, {App,Vsn,[Included, ...]} or {App,Vsn,Type,[Included, ...]}"
    if not (isinstance(entry, tuple) and 2 <= len(entry) <= 4 and isinstance(entry[0], Atom)):
        raise file.error(entry, shape)
    rest = entry[2:]
    kind = included = None
    if rest and isinstance(rest[0], Atom):
        kind = rest[0].name
        if kind not in START_TYPES:
            raise file.error(entry, f"has the type {kind}, which is none of {', '.join(START_TYPES)}")
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


def _installed_release(file: _File, entry) -> InstalledRelease:
    if not (_tagged(entry, "release", 6) and isinstance(entry[5], Atom)):
        raise file.error(entry, "is not {release,Name,Vsn,ErtsVsn,[{App,Vsn,Dir}, ...],Status}")
    if entry[5].name not in STATUSES:
        raise file.error(entry[5], f"is none of the statuses {', '.join(STATUSES)}")
    libraries = []
    for library in file.items(entry[4], "the applications of a release"):
        if not (_shaped(library, 3) and isinstance(library[0], Atom)):
            raise file.error(library, "is not {App,Vsn,Dir}")
        libraries.append(
            Library(
                name=file.path_part(library[0].name, "the name of an application"),
                version=file.path_part(library[1], "the version of an application"),
                directory=file.text(library[2], "the directory of an application"),
            )
        )
    return InstalledRelease(
        name=file.text(entry[1], "the name of a release"),
        version=file.path_part(entry[2], "the version of a release"),
        erts_version=file.path_part(entry[3], "the version of erts"),
        libraries=tuple(libraries),
        status=entry[5].name,
    )
