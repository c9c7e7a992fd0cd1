# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release in a tree: present beside the others, or permanent.

The first release is installed as ``target_system:install/2`` does it (OTP system principles, "Creating and Upgrading a Target System"), the
next ones as release_handler:unpack_release/1 does, but a run may be killed at any moment: a package is unpacked into ``$ROOT/.staging``, moved into
the tree by renames, and then registered, ``start_erl.data`` last. The next run finds out from the tree how far the last one came.
"""

from __future__ import annotations

import errno
import os

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import digest_of
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner, as_root
from ansible_collections.erlang.otp.plugins.module_utils._install.outcome import OtherContent, PackageNeeded, result_of
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import find_record, known_packages, status_at_rest


def install_release(
    *,
    root: str,
    changes: Changes,
    package: str | None = None,
    checksum: str | None = None,
    release: dict | None = None,
    state: str = "present",
    destdir: str = "",
    uid: int = -1,
    gid: int = -1,
    mode: int = 0o755,
    emulator: str = "beam",
    max_size: int | None = None,
    url_options: dict | None = None,
    variables: dict[str, str] | None = None,
    optional_native: list[str] | tuple[str, ...] | None = (),
    flush: bool = True,
    lock_timeout: float = 60.0,
    make_way=None,
) -> dict:
    """Ensure that the release of the package is in the tree; state: "present", or "permanent" (the stopped system boots it next).

    package: a path on this host, a URL, which is downloaded if needed, or None if another host has the package. The last two need the checksum
    ("sha256:..."). release: the content of the package for check mode without it (name, version, erts_version, applications: versions by name).
    max_size: of the unpacked package, by default as of _package/limits. url_options: of a download, as of URL_OPTIONS.
    uid, gid: numeric owner of new files; -1: the owner of an existing root directory, else of the process.
    variables: absolute directories of libraries outside of lib, by the name of the variable.
    optional_native: applications whose native code may lack libraries on this host; None: all, as the node runs on another one.
    mode: which permissions of the package are kept. flush: whether all is on the disk at the end.
    make_way: removes, for an OtherContent, the release of the same version, or raises OtpError; by default as of _install/replace.
    Returns the release, with "kept": files of the tree that differ from the package's and stay. Raises PackageNeeded, OtpError.
    """
    if checksum is None and (package is None or _is_url(package)):
        raise _no_checksum(package)
    size, opened, directory = 0, None, destdir.rstrip("/") + root.rstrip("/")
    try:
        # Before anything else: this file is the one that is used.
        opened = _opened(package, is_needed=checksum is None)
        digest = digest_of(checksum) if checksum else opened.sha256()
        with as_owner(root, destdir):
            variables = {name: path.rstrip("/") for name, path in (variables or {}).items()}
            record = find_record(directory, digest, destdir.rstrip("/"), variables)
            status = status_at_rest(directory, record) if record else None
            if status == "permanent" or (status and state == "present"):
                return result_of(record, root, status)
            if record is None and package is None and not (changes.check_mode and release):
                raise PackageNeeded(f"the system below {directory} lacks the package with sha256 {digest}", known_packages(directory, destdir.rstrip("/")))
            max_size = _limit(max_size)
            arguments = {"digest": digest, "digest_is_given": checksum is not None, "state": state, "release": release}
            arguments.update(emulator=emulator, max_size=max_size, variables=variables, optional_native=optional_native, lock_timeout=lock_timeout)
            how = {"uid": uid, "gid": gid, "mask": mode, "flush": flush}
            make_way = make_way or _make_way(root, destdir, changes, lock_timeout)
            if record is None and package is None:
                # Check mode, and the package is on another host.
                size = release.get("size", 0)
                _foretell(root, destdir, release, variables, optional_native, make_way)
            if record is not None or package is None:
                return _go_on(root, destdir, arguments, how, changes)
            from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated

            if _is_url(package):
                opened = _downloaded(package, digest, max_size, url_options)
                arguments["digest_is_given"] = False
            opened = opened or _opened(package)
            with opened.again() as again:
                try:
                    # Inflating begins at once, but nothing is read before the checksum has been verified.
                    with Inflated(package, opened) as stream:
                        size = stream.size()
                        return _go_on(root, destdir, {**arguments, "package": opened, "stream": stream}, how, changes)
                except OtherContent as other:
                    make_way(other)
                    if changes.check_mode:
                        return _foretold(other, root, directory, digest, state, changes)
                    again.seek(0)
                    with Inflated(package, again) as stream:
                        return _go_on(root, destdir, {**arguments, "package": again, "stream": stream}, how, changes)
    except OSError as error:
        raise OtpError(f"cannot install below {destdir}{root}: {_why(error, package, directory, size)}") from error
    finally:
        if opened is not None:
            opened.close()


def _is_url(package: str | None) -> bool:
    # Lazy, for start-up time, as in the next functions: a run with nothing to do has no package.
    from ansible_collections.erlang.otp.plugins.module_utils._package.download import is_url

    return is_url(package)


def _no_checksum(package: str | None) -> OtpError:
    from ansible_collections.erlang.otp.plugins.module_utils._core.options import named

    where = "the host does not have the package, and no checksum is given" if package is None else f"package {package}: a package from a URL needs a checksum"
    return OtpError(f"{where}: set {named('checksum')}")


def _opened(package: str | None, *, is_needed: bool = True):
    """The OpenPackage of a path on this host, else None; also if there is no such file, and it may not be needed."""
    if package is None or _is_url(package):
        return None
    from ansible_collections.erlang.otp.plugins.module_utils._package.opened import OpenPackage

    try:
        # The operator has given it: the owner of the tree may not be able to read it.
        with as_root():
            return OpenPackage(package)
    except FileNotFoundError:
        if is_needed:
            raise
        return None


def _downloaded(url: str, digest: str, max_size: int, options: dict | None):
    from ansible_collections.erlang.otp.plugins.module_utils._package.download import download
    from ansible_collections.erlang.otp.plugins.module_utils._package.opened import OpenPackage

    # The owner of the tree may not be able to read the files of the options.
    with as_root(), download(url, digest, max_size=max_size, options=options) as file:
        return OpenPackage(url, os.dup(file.fileno()))


def _limit(max_size: int | None) -> int:
    from ansible_collections.erlang.otp.plugins.module_utils._package.limits import MAX_SIZE

    return MAX_SIZE if max_size is None else max_size


def _foretold(other: OtherContent, root: str, directory: str, digest: str, state: str, changes: Changes) -> dict:
    """The result of check mode where another release makes way."""
    changes.actions.append(f"install release {other.release['name']} {other.release['version']} below {directory}")
    return result_of({**other.release, "sha256": digest}, root, "permanent" if state == "permanent" else "unpacked")


def _why(error: OSError, package: str | None, directory: str, size: int) -> str:
    """What is wrong with which file, and the way out. size: of the unpacked package, 0 if it is not known."""
    hint, what = "", f"{error.filename or package}: {error.strerror}"
    if isinstance(error, PermissionError):
        hint = " Use become to work as root or as the owner of the system."
    elif error.errno == errno.ENOSPC:
        # Where it was full says nothing.
        hint, what = _room(directory, size), what if os.path.isabs(error.filename or "") else error.strerror
    return f"{what}. Nothing is half installed.{hint}"


def _room(directory: str, size: int) -> str:
    """What is free on the directory's file system, and what a package of this unpacked size needs at most, as a sentence."""
    from ansible_collections.erlang.otp.plugins.module_utils._install.foretell import free_space

    need = f", and the whole package needs {size / 2**20:.1f} MiB" if size else ""
    return f" Make room: {free_space(directory) / 2**20:.1f} MiB is free{need}."


def _go_on(root: str, destdir: str, arguments: dict, how: dict, changes: Changes) -> dict:
    from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
    from ansible_collections.erlang.otp.plugins.module_utils._install.steps import Installation, install
    from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

    return install(Installation(tree=Tree(root, destdir), options=FileOptions(**how), **arguments), changes)


def _foretell(root: str, destdir: str, release: dict, variables: dict, optional_native: list[str] | tuple[str, ...] | None, make_way) -> None:
    """What the installation would refuse, in check mode."""
    from ansible_collections.erlang.otp.plugins.module_utils._install.foretell import foretell
    from ansible_collections.erlang.otp.plugins.module_utils._install.replace import compare
    from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

    try:
        compare(Tree(root, destdir), release)
    except OtherContent as other:
        make_way(other)
    foretell(Tree(root, destdir), release, has_variables=bool(variables), optional_native=optional_native)


def _make_way(root: str, destdir: str, changes: Changes, lock_timeout: float):
    def of_install(other: OtherContent) -> None:
        from ansible_collections.erlang.otp.plugins.module_utils._install.replace import make_way
        from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

        make_way(other, Tree(root, destdir), changes, lock_timeout=lock_timeout)

    return of_install
