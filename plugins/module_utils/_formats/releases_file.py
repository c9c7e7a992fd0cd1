# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``RELEASES`` and ``start_erl.data`` as typed records, as release_handler of OTP 25 and 27 writes and reads them (release_handler(3))."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import TermFile, is_shaped, is_tagged
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, format_terms

STATUSES = ("unpacked", "current", "permanent", "old", "tmp_current")


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


def parse_releases(data: bytes, *, filename: str) -> list[InstalledRelease]:
    """The entries of ``RELEASES``, in its order. Raises OtpError."""
    file = TermFile(filename)
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
    file = TermFile(filename)
    try:
        words = data.decode("utf-8").split()
    except UnicodeDecodeError:
        raise OtpError(f"{filename}: is not UTF-8") from None
    if len(words) != 2:
        raise OtpError(f"{filename}: is not the line ERTS_VERSION RELEASE_VERSION, but {data[:60]!r}")
    return StartErlData(file.path_part(words[0], "the version of erts"), file.path_part(words[1], "the version of the release"))


def format_start_erl_data(value: StartErlData) -> bytes:
    """The content of ``start_erl.data``. Raises OtpError if a version has white space, which the file cannot contain."""
    for version in value:
        if not version or version.split() != [version]:
            raise OtpError(f"start_erl.data cannot contain the version {version!r}: it is empty or has white space. Choose another version.")
    return f"{value.erts_version} {value.release_version}\n".encode()


def permanent_release(releases: list[InstalledRelease]) -> StartErlData | None:
    """The release that is permanent, which start_erl.data names in a tree at rest; None unless it is exactly one."""
    permanent = [StartErlData(release.erts_version, release.version) for release in releases if release.status == "permanent"]
    return permanent[0] if len(permanent) == 1 else None


def describe(releases: list[InstalledRelease]) -> str:
    """Releases with their status and applications, a line each, for a diff."""
    lines = []
    for release in sorted(releases):
        lines.append(f"{release.name} {release.version} on ERTS {release.erts_version}: {release.status}\n")
        lines += [f"  {library.name} {library.version}\n" for library in sorted(release.libraries)]
    return "".join(lines)


def _directory(file: TermFile, term) -> str:
    """The directory of a library: what is removed with a release. None leads upwards."""
    directory = file.text(term, "the directory of an application")
    if ".." in directory.split("/") or not directory.isprintable() or not directory.strip("./"):
        raise file.error(term, "cannot be the directory of an application")
    return directory


def _installed_release(file: TermFile, entry) -> InstalledRelease:
    if not (is_tagged(entry, "release", 6) and isinstance(entry[5], Atom)):
        raise file.error(entry, "is not {release,Name,Vsn,ErtsVsn,[{App,Vsn,Dir}, ...],Status}")
    if entry[5].name not in STATUSES:
        raise file.error(entry[5], f"is not one of the statuses {', '.join(STATUSES)}")
    libraries = []
    for library in file.items(entry[4], "the applications of a release"):
        if not (is_shaped(library, 3) and isinstance(library[0], Atom)):
            raise file.error(library, "is not {App,Vsn,Dir}")
        libraries.append(
            Library(
                name=file.path_part(library[0].name, "the name of an application"),
                version=file.path_part(library[1], "the version of an application"),
                directory=_directory(file, library[2]),
            )
        )
    return InstalledRelease(
        name=file.text(entry[1], "the name of a release"),
        version=file.path_part(entry[2], "the version of a release"),
        erts_version=file.path_part(entry[3], "the version of erts"),
        libraries=tuple(libraries),
        status=entry[5].name,
    )
