# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Libraries of a release that are below the directory of a variable, such as ``$SECOND_ROOT``, and not in ``$ROOT/lib``.

The boot script names them: ``$SECOND_ROOT/APP-VSN/ebin`` (systools:make_script/2, option variables). A package contains them in a
separate archive, ``SECOND_ROOT.tar.gz`` (systools:make_tar/2, option var_tar), or not at all. Several systems may share
such a directory: it is locked like a root directory, and lists the systems that use it, and the libraries that came there out of packages.
"""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock, read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release
from ansible_collections.erlang.otp.plugins.module_utils._install.unpack import Unpacked, difference, is_equal, more_modules, other_content
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import PackageError, Writer, checked_members
from ansible_collections.erlang.otp.plugins.module_utils._tree.publish import staging
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import STAGING
from ansible_collections.erlang.otp.plugins.module_utils._tree.root_directory import ensure_root_directory
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import LOCK, Tree

# The root directories of the systems that use the directory of a variable, a line each.
SYSTEMS = ".systems"
# The libraries there that came out of packages, as paths below it, a line each: only these are ever removed.
LIBRARIES = ".libraries"
_VARIABLE = re.compile(rb"\$(?!ROOT/)[^/\0]{1,255}/")


def check_variables(variables: t.Mapping[str, str], tree: Tree) -> None:
    """Raise OtpError for directories that cannot contain libraries of this system."""
    seen = {tree.root: "root"}
    for name, directory in variables.items():
        if not name or "/" in name or name == "ROOT":
            raise OtpError(f"variables: {name!r} is not a name of a variable")
        try:
            plain = Tree(directory).root
        except OtpError:
            raise OtpError(f"variables: {name} is {directory!r}, which is not an absolute path in its plain form, other than '/'") from None
        if plain in seen:
            raise OtpError(f"variables: {name} is {directory}, and so is {seen[plain]}: give each another directory")
        seen[plain] = name


def find_places(boot: bytes, release: Release, *, filename: str) -> dict[str, tuple[str, str]]:
    """Of each application that a boot script expects outside of $ROOT, the variable and the path below its directory."""
    if not _VARIABLE.search(boot):
        return {}
    from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import EtfError, decode

    try:
        dummy, dummy, instructions = decode(boot)
        paths = [path for name, *rest in instructions if name.name == "path" for path in rest[0]]
    except (EtfError, ValueError, TypeError, AttributeError) as error:
        raise PackageError(f"{filename} is not a boot script: {error}") from None
    names = {f"{item.name}-{item.version}": item.name for item in release.applications}
    places = {}
    for path in paths:
        variable, *parts = path.split("/")
        if variable.startswith("$") and variable != "$ROOT" and parts[-1:] == ["ebin"] and parts[-2] in names:
            if set(parts) & {"", ".", ".."}:
                raise PackageError(f"{filename}: the path {path!r} can lead elsewhere")
            places[names[parts[-2]]] = variable[1:], "/".join(parts[:-1])
    return places


def locate(unpacked: Unpacked, variables: t.Mapping[str, str], *, package: str) -> None:
    """Set the places of the libraries that the boot script expects below a variable. Raises OtpError if a variable has no directory.

    Those that the package has below lib are in lib: in packages of mix, $RELEASE_LIB is $ROOT/lib.
    """
    release = unpacked.release
    boot = f"releases/{release.version}/start.boot"
    for name, (variable, path) in find_places(unpacked.texts.get(boot, b""), release, filename=f"{package}: {boot}").items():
        if f"lib/{path.rpartition('/')[2]}/ebin/{name}.app" in unpacked.paths:
            continue
        if variable not in variables:
            raise OtpError(
                f"package {package}: release {release.name} {release.version} expects {name} in ${variable}/{path}, and variables has"
                f" no {variable}: add it with its directory to variables (of the role: otp_boot_variables), and start the system"
                f" with -boot_var {variable} DIRECTORY"
            )
        unpacked.variables[variable] = variables[variable]
        unpacked.places[name] = f"{variables[variable]}/{path}"


def unpack_elsewhere(
    unpacked: Unpacked, tree: Tree, options: FileOptions, changes: Changes, stack: contextlib.ExitStack, *, package: str, max_size: int, lock_timeout: float
) -> list[Tree]:
    """Stage the archive of each variable that the release uses below the variable's directory; returns these trees.

    Their locks and staging directories last as long as the stack. Check mode only compares.
    """
    trees = []
    for variable, directory in unpacked.variables.items():
        other = Tree(directory, tree.destdir)
        archive = unpacked.archives.get(variable)
        if archive is None and not os.path.isdir(other.directory):
            continue
        if not os.path.isdir(other.directory):
            ensure_root_directory(other, options, changes)
        descriptor = stack.enter_context(work_in(other, changes, lock_timeout))
        with as_owner(other.root, other.destdir):
            # An existing directory keeps its owner, as other systems may use it.
            own = options._replace(uid=-1, gid=-1).with_owner_of(other.directory)
            writer = None if changes.check_mode else Writer(descriptor, uid=own.uid, gid=own.gid, mask=own.mask)
            if writer is not None:
                _list(other, SYSTEMS, [tree.root], own)
            if archive is not None:
                with Inflated(f"{package}: {variable}.tar.gz", archive) as stream:
                    libraries = _unpack_archive(stream, unpacked, other, writer, max_size)
                if writer is not None:
                    _list(other, LIBRARIES, libraries, own)
        trees.append(other)
    return trees


def tidy_elsewhere(record: dict, tree: Tree, changes: Changes, lock_timeout: float) -> None:
    """Remove what an interrupted installation of the recorded package left in the directories of its variables."""
    for directory in record.get("variables", {}).values():
        other = Tree(directory, tree.destdir)
        if other.has(STAGING) and tree.root in systems(other):
            with work_in(other, changes, lock_timeout):
                pass


@contextlib.contextmanager
def work_in(other: Tree, changes: Changes, lock_timeout: float) -> t.Iterator[int]:
    """Lock the directory and make a staging directory in it; yields the latter's descriptor. Check mode does neither and yields -1.

    What is done with it has the present rights, because the root directory may belong to another user.
    """
    stack = contextlib.ExitStack()
    try:
        with as_owner(other.root, other.destdir):
            if not changes.check_mode:
                stack.enter_context(lock(other.path(LOCK), timeout=lock_timeout))
            descriptor = stack.enter_context(staging(other, changes))
        yield descriptor
    finally:
        with as_owner(other.root, other.destdir):
            stack.close()


def _unpack_archive(stream: Inflated, unpacked: Unpacked, other: Tree, writer: Writer | None, max_size: int) -> list[str]:
    """Stage the libraries that are not there, compare the others; returns the former."""
    inside = other.root + "/"
    present = {place[len(inside) :]: False for place in unpacked.places.values() if place.startswith(inside)}
    for library in present:
        present[library] = other.has(library)
    paths: set[str] = set()
    for path, member, pieces in checked_members(stream, max_size=max_size):
        library = next((library for library in present if f"{path}/".startswith(f"{library}/")), None)
        if member.kind != "directory":
            if library in (None, path):
                raise PackageError(f"package {stream.path}: {path!r} is not in one of the libraries that the release has there")
            paths.add(path)
        if library is None:
            continue
        if not present[library]:
            if writer is not None:
                writer.write(path, member, pieces)
        elif not is_equal(other.path(path), member, pieces):
            raise OtpError(other_content({library: difference(path, other)}, other, stream.path))
    for library, is_there in present.items():
        if is_there and (more := more_modules(library, paths, other)):
            raise OtpError(other_content({library: f"{more[0]} is an extra module"}, other, stream.path))
    unpacked.paths.update(inside + path for path in paths)
    return [library for library, is_there in present.items() if not is_there]


def systems(other: Tree) -> list[str]:
    """The root directories of the systems that use the directory."""
    return _listed(other, SYSTEMS)


def libraries_of_packages(other: Tree) -> list[str]:
    """The libraries below the directory that came there out of packages."""
    return _listed(other, LIBRARIES)


def unlist_system(other: Tree, root: str) -> None:
    """Take the system from the list of the directory; without any system left, the lists are removed."""
    left = [line for line in systems(other) if line != root]
    if left:
        FileOptions().with_owner_of(other.directory).file(other.path(SYSTEMS), os.fsencode("".join(f"{line}\n" for line in left)))
        return
    for name in (LIBRARIES, SYSTEMS):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(other.path(name))


def _listed(other: Tree, name: str) -> list[str]:
    with as_owner(other.root, other.destdir):
        return os.fsdecode(read_file(other.path(name)) or b"").splitlines()


def _list(other: Tree, name: str, lines: t.Collection[str], options: FileOptions) -> None:
    known = _listed(other, name)
    new = [line for line in lines if line not in known]
    if new:
        options.file(other.path(name), os.fsencode("".join(f"{line}\n" for line in [*known, *new])))
