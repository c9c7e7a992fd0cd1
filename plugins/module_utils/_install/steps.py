# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of an installation in their order: repair, unpack, publish, register, make permanent. _install/install decides whether any is needed."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._core.steps import step
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated, InflateError
from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import describe
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release, ReleaseApplication
from ansible_collections.erlang.otp.plugins.module_utils._install.native import NativeCode, check_native
from ansible_collections.erlang.otp.plugins.module_utils._install.outcome import PackageNeeded, result_of
from ansible_collections.erlang.otp.plugins.module_utils._install.stage_bin import stage_bin
from ansible_collections.erlang.otp.plugins.module_utils._install.unpack import Unpacked, check_complete, unpack
from ansible_collections.erlang.otp.plugins.module_utils._install.variable_libraries import check_variables, locate, tidy_elsewhere, unpack_elsewhere
from ansible_collections.erlang.otp.plugins.module_utils._package.copies import check_copies
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import Writer
from ansible_collections.erlang.otp.plugins.module_utils._package.opened import OpenPackage
from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import BASE, Base, base_of, check_base, find_base, parse_base
from ansible_collections.erlang.otp.plugins.module_utils._tree.extra_files import EXTRA, LIST, Kept, is_extra, list_of
from ansible_collections.erlang.otp.plugins.module_utils._tree.made_from import is_of_the_way
from ansible_collections.erlang.otp.plugins.module_utils._tree.own_script import is_own, script_of, set_aside
from ansible_collections.erlang.otp.plugins.module_utils._tree.publish import flush_file_systems, publish, staging
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import RECORD, STAGING, find_record, format_record
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import make_permanent, register
from ansible_collections.erlang.otp.plugins.module_utils._tree.repair import repair
from ansible_collections.erlang.otp.plugins.module_utils._tree.root_directory import ensure_root_directory, remove_new_root_directory
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import LOCK, Tree, emulators


class Installation(t.NamedTuple):
    """A release to install in a tree. package, stream: its file and its content, None if another host has it. base: of a thin package.

    The rest: arguments of install_release().
    """

    tree: Tree
    digest: str
    digest_is_given: bool
    state: str
    release: dict | None
    emulator: str
    max_size: int
    variables: dict[str, str]
    lock_timeout: float
    options: FileOptions
    optional_native: t.Collection[str] | None = ()
    package: OpenPackage | None = None
    stream: Inflated | None = None
    base: Base | None = None


def install(installation: Installation, changes: Changes) -> dict:
    """Do all remaining steps, under the tree's lock. Result as of install_release()."""
    tree = installation.tree
    check_variables(installation.variables, tree)
    if installation.package is not None and installation.digest_is_given:
        installation.package.verify(installation.digest)
    installation = installation._replace(base=_base(installation))
    if base := installation.base:
        package = installation.stream.path if installation.stream else installation.release["package"]
        check_base(base, tree, package)
        # Otherwise they are compared while they are copied.
        check_copies(base, tree, package, content=changes.check_mode)
    is_new = ensure_root_directory(tree, installation.options, changes)
    with as_owner(tree.root, tree.destdir):
        installation = installation._replace(options=installation.options.with_owner_of(tree.directory))
        if changes.check_mode:
            with staging(tree, changes):
                return _work(installation, changes, -1)
        with lock(tree.path(LOCK), timeout=installation.lock_timeout):
            try:
                with staging(tree, changes) as descriptor:
                    return _work(installation._replace(options=installation.options._replace(beside=tree.path(STAGING))), changes, descriptor)
            except BaseException:
                if is_new:
                    remove_new_root_directory(tree)
                raise


def _base(installation: Installation) -> Base | None:
    """The base of a thin package; None for a full one."""
    if installation.stream is not None:
        try:
            return find_base(installation.stream.head(), package=installation.stream.path)
        except InflateError:
            # unpack() reports it.
            return None
    base = (installation.release or {}).get("base")
    return base_of(base) if base else None


def _work(installation: Installation, changes: Changes, descriptor: int) -> dict:
    tree = installation.tree
    if not emulators(tree):
        repair(tree, changes, installation.options)
    before = tree.releases() or []
    # Another run may have installed it while this one waited for the lock.
    record = find_record(tree.directory, installation.digest, tree.destdir, installation.variables)
    kept: list[str] = []
    extra: list[Kept] = []
    paths: t.Collection[str] = ()
    if record is None:
        release, kept, paths = _install(installation, changes, descriptor)
        record = _record(installation.digest, release, Unpacked(NativeCode()))
    else:
        release = _release(record)
        tidy_elsewhere(record, tree, changes, installation.lock_timeout)
    # In check mode, what the package would bring is not there yet.
    brought = paths if changes.check_mode else ()
    if brought:
        _foretell_directories(installation, brought, changes)
    after = register(tree, release, changes, installation.options, emulator=installation.emulator, brought=brought, kept=extra)
    script = script_of(release.name)
    if script and is_own(tree, script):
        # The package has brought another one.
        set_aside(tree, script, changes, installation.options, coming=(installation.release or {}).get("scripts"))
    if installation.state == "permanent":
        after = make_permanent(tree, release, after, changes, installation.options, emulator=installation.emulator, kept=extra)
    (status,) = [entry.status for entry in after if entry.version == release.version]
    kept += [os.path.relpath(each.name, tree.directory) for each in extra]
    return result_of(record, tree.root, status, kept=kept, before=describe(before), after=describe(after))


def _foretell_directories(installation: Installation, paths: t.Iterable[str], changes: Changes) -> None:
    """In check mode: those outside of the release that are made with it, for the steps that come after the installation."""
    tree = installation.tree
    changes.foretell(tree.path("log"))
    for path in paths:
        if installation.state == "permanent" and is_extra(path):
            changes.foretell(os.path.dirname(tree.path(path)))


def _install(installation: Installation, changes: Changes, descriptor: int) -> tuple[Release, list[str], t.Collection[str]]:
    """Unpack and publish; in check mode read and compare only. Returns the release, the files of the tree that stay, and the paths in the package."""
    tree = installation.tree
    kept: list[str] = []
    paths: t.Collection[str]
    if installation.stream is None:
        if not changes.check_mode:
            raise PackageNeeded(f"the system below {tree.directory} lacks the package with sha256 {installation.digest}")
        known = installation.release
        release, paths = _release(known), {*(known.get("digests") or ()), *(known.get("paths") or ())}
    else:
        release, kept, paths = _unpack_and_publish(installation, changes, descriptor)
    changes.actions.append(f"install release {release.name} {release.version} below {tree.directory}")
    return release, kept, paths


def _unpack_and_publish(installation: Installation, changes: Changes, descriptor: int) -> tuple[Release, list[str], t.Collection[str]]:
    tree, options, package, size = installation.tree, installation.options, installation.stream.path, {"max_size": installation.max_size}
    step("check the package" if changes.check_mode else "unpack the package")
    writer = None if changes.check_mode else Writer(descriptor, uid=options.uid, gid=options.gid, mask=options.mask)
    unpacked = unpack(
        installation.stream,
        tree,
        writer,
        emulator=installation.emulator,
        variables=installation.variables,
        base=installation.base,
        max_size=installation.max_size,
    )
    installation.package.verify_read(installation.digest)
    locate(unpacked, installation.variables, package=package)
    with contextlib.ExitStack() as stack:
        others = unpack_elsewhere(unpacked, tree, options, changes, stack, package=package, lock_timeout=installation.lock_timeout, **size)
        check_complete(unpacked, tree, package)
        check_native(unpacked.native, tree, unpacked.release, package, installation.optional_native)
        if writer is not None:
            step(f"install release {unpacked.release.name} {unpacked.release.version} below {tree.directory}")
            _publish(installation, unpacked, writer, others)
    return unpacked.release, unpacked.kept, unpacked.paths


def _publish(installation: Installation, unpacked: Unpacked, writer: Writer, others: list[Tree]) -> None:
    """Move what is staged into the trees: first into those of the variables' libraries."""
    tree, options, release = installation.tree, installation.options, unpacked.release
    stage_bin(tree, unpacked, writer, installation.emulator)
    record = f"releases/{release.version}/{RECORD}"
    content = format_record(_record(installation.digest, release, unpacked))
    is_there = tree.has("releases", release.version)
    if not is_there:
        writer.make_directories("log")
        writer.make_directories(f"releases/{release.version}")
        writer.write_file(record, [content], 0o644)
    _stage_extra(tree, release.version, writer)
    if options.flush:
        flush_file_systems([tree, *others])
    # A .rel beside RELEASES is that of the package installed last, and so is a relup.
    newer = {path for path in unpacked.paths if (path.count("/") == 1 and path.endswith(".rel")) or is_of_the_way(path)}
    publish([*others, tree], replace=newer, flush=options.flush)
    if is_there:
        # The rest is equal, so it is the release of this package.
        options.file(tree.path(record), content)


def _stage_extra(tree: Tree, version: str, writer: Writer) -> None:
    """Move the extra files, which were unpacked before the version was known, into the staged release directory, with their list."""
    staged, directory = tree.path(STAGING, EXTRA), f"releases/{version}"
    writer.make_directories(directory)
    writer.write_file(f"{directory}/{LIST}", [list_of(staged)], 0o644)
    if os.path.isdir(staged):
        os.rename(staged, tree.path(STAGING, directory, EXTRA))


def _record(digest: str, release: Release, unpacked: Unpacked) -> dict:
    record: dict[str, t.Any] = {"name": release.name, "version": release.version, "erts_version": release.erts_version, "sha256": digest}
    base = f"releases/{release.version}/{BASE}"
    if base in unpacked.texts:
        record["full"] = parse_base(unpacked.texts[base], filename=base).full
    record["applications"] = {item.name: item.version for item in release.applications}
    if unpacked.places:
        archives = {name: unpacked.variables[name] for name in unpacked.archives if name in unpacked.variables}
        record.update(places=unpacked.places, variables=unpacked.variables)
        record.update({"archives": archives} if archives else {})
    return record


def _release(record: dict) -> Release:
    applications = tuple(ReleaseApplication(name, version) for name, version in record["applications"].items())
    return Release(record["name"], record["version"], record["erts_version"], applications)
