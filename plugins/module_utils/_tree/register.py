# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RELEASES and start_erl.data: which releases there are, and which one boots (SASL, release_handler(3)). start_erl.data is written last.

release_handler reads RELEASES when it starts. In a tree at rest exactly one release is ``permanent``, the one that
start_erl.data names; what it calls ``current`` is never written.
"""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import (
    InstalledRelease,
    Library,
    StartErlData,
    format_releases,
    format_start_erl_data,
)
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release, parse_rel
from ansible_collections.erlang.otp.plugins.module_utils._tree.backup import forget_saved, save
from ansible_collections.erlang.otp.plugins.module_utils._tree.bin_directory import foretell_bin, refresh_bin
from ansible_collections.erlang.otp.plugins.module_utils._tree.extra_files import Kept, follow_extra
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import is_temporary
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import missing_part
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree, absolute_library, emulators, library_path


def register(
    tree: Tree,
    release: Release,
    changes: Changes,
    options: FileOptions,
    *,
    emulator: str = "beam",
    brought: t.Collection[str] = (),
    kept: list[Kept] | None = None,
) -> list[InstalledRelease]:
    """Ensure that the release of the tree is in RELEASES: permanent when it is the first one, else unpacked.

    brought: paths of files that are missing in check mode alone. kept: gets the files of the host that stay (``_tree/extra_files``).
    Returns the entries of RELEASES then. Raises OtpError for a system whose releases cannot be determined.
    """
    start = tree.start_erl_data()
    before = tree.releases()
    entries = _recovered(tree, start) if before is None and start is not None else before or []
    known = {entry.version: entry for entry in entries}
    status = "permanent" if start is None or start.release_version == release.version else "unpacked"
    if start is not None and release.version in known:
        status = known[release.version].status
    entry = entry_of(tree, release, status)
    if start is None:
        entries = [other._replace(status="unpacked") if other.status == "permanent" else other for other in entries]
    if release.version not in known:
        entries = [entry, *entries]
    elif known[release.version].libraries and not tree.places(release.version):
        # The entry is complete, and may name libraries in another way.
        entry = known[release.version]._replace(status=status)
    entries = [entry if other.version == release.version else other for other in entries]
    boots = start or StartErlData(release.erts_version, release.version)
    if tree.has(f"erts-{boots.erts_version}"):
        refresh_bin(tree, boots.release_version, boots.erts_version, changes, options, emulator=emulator, only_missing=True, brought=brought)
    else:
        foretell_bin(tree, boots.release_version, boots.erts_version, changes, brought)
    (kept if kept is not None else []).extend(follow_extra(tree, boots.release_version, changes, options, is_first=start is None))
    if entries != before:
        _write_releases(tree, entries, f"record release {release.version} as {status}", changes, options)
    if start is None:
        _write_start_erl_data(tree, boots, changes, options)
    return entries


def make_permanent(
    tree: Tree,
    release: Release,
    entries: list[InstalledRelease],
    changes: Changes,
    options: FileOptions,
    *,
    emulator: str = "beam",
    may_run: bool = False,
    kept: list[Kept] | None = None,
) -> list[InstalledRelease]:
    """Make the release, one of the entries of RELEASES, the one that the stopped system boots next. Returns the new entries.

    may_run: the node has no release_handler. kept: as of register(). Raises OtpError if the system runs otherwise: only release_handler may change that.
    """
    boots = StartErlData(release.erts_version, release.version)
    after = [switched(entry, release.version) for entry in entries if not is_temporary(entry.version)]
    start = tree.start_erl_data()
    if after == entries and (start == boots or (start is None and changes.check_mode)):
        return entries
    running = [] if may_run else emulators(tree)
    if running:
        raise OtpError(
            f"the system below {tree.root} runs (process {running[0]}): state permanent is for a stopped one. Stop it first, or"
            f' have its release_handler do it: install_release("{release.version}") and make_permanent("{release.version}").'
        )
    if tree.has(f"erts-{release.erts_version}"):
        refresh_bin(tree, release.version, release.erts_version, changes, options, emulator=emulator)
    (kept if kept is not None else []).extend(follow_extra(tree, release.version, changes, options))
    if not changes.check_mode:
        save(tree, options)
    if after != entries:
        _write_releases(tree, after, f"record release {release.version} as permanent", changes, options)
    if start != boots:
        _write_start_erl_data(tree, boots, changes, options)
    if not changes.check_mode:
        forget_saved(tree)
    return after


def entry_of(tree: Tree, release: Release, status: str) -> InstalledRelease:
    """The entry of RELEASES for a release whose applications are below ``lib`` or, with an absolute name (release_handler:set_unpacked/2), elsewhere."""
    places = tree.places(release.version)
    libraries = tuple(
        Library(item.name, item.version, places.get(item.name) or library_path(tree, release.erts_version, f"lib/{item.name}-{item.version}"))
        for item in release.applications
    )
    return InstalledRelease(release.name, release.version, release.erts_version, libraries, status)


def read_release(tree: Tree, version: str) -> Release | None:
    """The release whose release directory is ``releases/VERSION``, from the .rel in it, or None."""
    for name in sorted(tree.names("releases", version)):
        if name.endswith(".rel"):
            path = tree.path("releases", version, name)
            release = parse_rel(read_file(path) or b"", filename=path)
            if release.version == version:
                return release
    return None


def write_releases(tree: Tree, entries: list[InstalledRelease], options: FileOptions) -> None:
    """Write RELEASES."""
    options.file(tree.path("releases", "RELEASES"), format_releases(entries))


def _recovered(tree: Tree, start: StartErlData) -> list[InstalledRelease]:
    """Entries for a system without RELEASES (made by mix, or unpacked by hand), of what its files prove.

    Without RELEASES, release_handler would take the running release for one without libraries, and delete them along with the
    next release that is removed.
    """
    entries = []
    for version in tree.release_directories():
        release = read_release(tree, version)
        missing = "releases/VSN/NAME.rel" if release is None else _missing_part(tree, release)
        if missing is None:
            entries.append(entry_of(tree, release, "permanent" if version == start.release_version else "unpacked"))
        elif version == start.release_version:
            raise OtpError(
                f"{tree.path('releases')} has no RELEASES, and the parts of the permanent release {version} are not known:"
                f" {missing} is missing. Install it from its package into another root directory."
            )
    if not any(entry.status == "permanent" for entry in entries):
        raise OtpError(
            f"{tree.path('releases')} has no RELEASES, and its start_erl.data names release {start.release_version}, which is"
            " not there. Remove start_erl.data if no system is to be kept there."
        )
    return entries


def _missing_part(tree: Tree, release: Release) -> str | None:
    applications = [(item.name, item.version) for item in release.applications]
    places = {name: absolute_library(tree, place) for name, place in tree.places(release.version).items()}
    return missing_part(tree.directory, release.version, release.erts_version, applications, places)


def switched(entry: InstalledRelease, version: str) -> InstalledRelease:
    """The entry when the release of this version is permanent, and what was permanent is old."""
    if entry.version == version:
        return entry._replace(status="permanent")
    if entry.status in ("permanent", "tmp_current"):
        return entry._replace(status="old")
    return entry


def _write_releases(tree: Tree, entries: list[InstalledRelease], sentence: str, changes: Changes, options: FileOptions) -> None:
    changes.do(f"{sentence} in {tree.path('releases', 'RELEASES')}", write_releases, tree, entries, options)


def _write_start_erl_data(tree: Tree, boots: StartErlData, changes: Changes, options: FileOptions) -> None:
    path = tree.path("releases", "start_erl.data")
    sentence = f"write {path}: release {boots.release_version} on ERTS {boots.erts_version} boots next"
    changes.do(sentence, options.file, path, format_start_erl_data(boots))
