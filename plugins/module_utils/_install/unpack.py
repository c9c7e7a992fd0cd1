# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unpacks a package into the staging directory, and compares it with the tree (release_handler:unpack_release/1).

A versioned directory (``lib/APP-VSN``, ``erts-VSN``, ``releases/VSN``) is installed and removed as a whole. One that the tree has is not
written again: its files must be the same (release_handler would silently keep the old ones), as far as they count (``_formats/significant``); but the
relup, which leads to the release, is that of the last package. Extra files are each release's (``_tree/extra_files``). All other files of a package
(``bin``, ``log``) belong to the first release that has them.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import open_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release
from ansible_collections.erlang.otp.plugins.module_utils._formats.significant import is_content_of, is_read_as_a_whole, joined
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_reader import TarMember
from ansible_collections.erlang.otp.plugins.module_utils._install.native import NativeCode, may_be_native
from ansible_collections.erlang.otp.plugins.module_utils._install.outcome import OtherContent
from ansible_collections.erlang.otp.plugins.module_utils._package.copies import copied_members
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import PackageError, checked_members
from ansible_collections.erlang.otp.plugins.module_utils._package.read import find_release, is_text, read_text
from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import ERTS_SCRIPTS, Base, is_appup
from ansible_collections.erlang.otp.plugins.module_utils._tree.bin_directory import CLEAN_BOOT
from ansible_collections.erlang.otp.plugins.module_utils._tree.extra_files import EXTRA, is_extra
from ansible_collections.erlang.otp.plugins.module_utils._tree.made_from import is_of_the_way
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import RECORD, STAGING
from ansible_collections.erlang.otp.plugins.module_utils._tree.scripts import is_foreign, make_scripts
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree, absolute_library, versioned_directory

# Files that a host writes into a release directory.
OF_THE_HOST = ("sys.config", "vm.args", RECORD)
# In a system that OTP's own target_system has made, this one is in bin alone.
_CLEAN_BOOT = "/" + CLEAN_BOOT
# The archive of a variable has its name and this suffix.
_ARCHIVE = ".tar.gz"
# Files that are never taken from a package.
_NEVER = ("releases/RELEASES", "releases/start_erl.data")


class Unpacked:
    """What is in a package: paths (absolute outside of the root), texts, the release, native code; and which files of the tree stay (kept)."""

    def __init__(self, native: NativeCode) -> None:
        self.native = native
        self.paths: set[str] = set()
        self.texts: dict[str, bytes] = {}
        self.kept: list[str] = []
        # Bytes, by versioned directory or path.
        self.sizes: dict[str, int] = {}
        self.release: Release | None = None
        # Versioned directories of which the tree has other content: a sentence about the first difference.
        self.other: dict[str, str] = {}
        # Of libraries outside of lib: directories by variable, archives by variable, directories by application.
        self.variables: dict[str, str] = {}
        self.archives: dict[str, t.BinaryIO] = {}
        self.places: dict[str, str] = {}


class CanWrite(t.Protocol):
    """What the content goes to."""

    def write(self, path: str, member: TarMember, pieces: t.Iterable[memoryview]) -> None: ...


def unpack(
    stream: Inflated,
    tree: Tree,
    writer: CanWrite | None,
    *,
    max_size: int,
    emulator: str = "beam",
    variables: t.Collection[str] = (),
    base: Base | None = None,
) -> Unpacked:
    """Read the whole package; write what is new to the tree (nothing without a writer); compare the rest. The archives of variables are kept for later.

    base: of a thin package whose release is to be completed from the tree. Raises PackageError for a bad package, OtherContent if versioned directories
    of the tree have other content.
    """
    package = stream.path
    unpacked = Unpacked(NativeCode(f"package {package}"))
    present: dict[str, bool] = {}
    aside = tree.path(STAGING) if tree.has(STAGING) else None
    with contextlib.closing(unpacked.native):
        for path, member, pieces in checked_members(stream, max_size=max_size, more=_completed(unpacked, tree, package, base)):
            if member.kind == "file" and path.endswith(_ARCHIVE) and path[: -len(_ARCHIVE)] in variables:
                unpacked.archives[path[: -len(_ARCHIVE)]] = _put_aside(pieces, aside)
                continue
            directory, extra = versioned_directory(path, is_directory=member.kind == "directory") or path, is_extra(path) and member.kind != "directory"
            if directory not in present:
                # Each release has its extra files.
                present[directory] = not extra and tree.has(directory)
            unpacked.sizes[directory] = unpacked.sizes.get(directory, 0) + member.size
            if member.kind != "directory":
                unpacked.paths.add(path)
            if member.kind == "file" and is_text(path):
                unpacked.texts[path] = content = _own_tree(path, read_text(member, pieces, unpacked.texts, package=package), tree, emulator)
                pieces = iter((memoryview(content),))
            elif member.kind == "file" and may_be_native(path) and not present[directory]:
                pieces = unpacked.native.look_at(path, pieces, aside)
            if path in _NEVER or path == "" or _is_foreign_start(path, unpacked, tree):
                continue
            if present[directory] and not is_of_the_way(path):
                if not may_differ(path, tree) and not is_equal(tree.path(path), member, pieces):
                    _keep_or_note(path, directory, unpacked, tree)
                elif member.kind == "file" and may_be_native(path):
                    unpacked.native.add_there(path, tree)
            elif writer is not None:
                writer.write(f"{EXTRA}/{path}" if extra else path, member, pieces)
    _refuse_one_directory(unpacked.paths, package)
    unpacked.native.add_names(unpacked.paths)
    unpacked.release = find_release(unpacked.texts, package=package)
    note_more_modules(unpacked.other, present, unpacked.paths, tree)
    if unpacked.other:
        raise OtherContent(other_content(unpacked.other, tree, package), facts_of(unpacked.release), [*unpacked.other])
    return unpacked


def _completed(unpacked: Unpacked, tree: Tree, package: str, base: Base | None) -> t.Iterator[tuple[TarMember, t.Iterator[memoryview]]]:
    """What the release has and the thin package does not. A package that lacks files lacks releases/NAME.rel as well, so that release_handler refuses it."""
    if base is None or not base.copies:
        return
    for path, content in [*unpacked.texts.items()]:
        name = f"releases/{os.path.basename(path)}"
        if path.endswith(".rel") and path.count("/") == 2 and name not in unpacked.paths:
            yield TarMember(name, "file", 0o644, len(content), ""), iter((memoryview(content),))
    yield from copied_members(base, tree, package)


def _refuse_one_directory(paths: set[str], package: str) -> None:
    """Refuse a release that was packed with the directory around it, as happens with releases of mix and relx."""
    tops = {path.partition("/")[0] for path in paths}
    (top,) = tops if len(tops) == 1 else [""]
    if any(path.startswith(f"{top}/releases/") for path in paths):
        raise PackageError(f"package {package}: all of it is below {top}. Pack the content of that directory, as tar -C {top} -czf PACKAGE . does")


def _put_aside(pieces, directory: str | None) -> t.BinaryIO:
    """The content as a file without a name, in the directory or the one for temporary files."""
    import tempfile

    file = t.cast("t.BinaryIO", tempfile.TemporaryFile(dir=directory, buffering=0))
    for piece in pieces:
        while piece:
            piece = piece[file.write(piece) :]
    file.seek(0)
    return file


def _is_foreign_start(path: str, unpacked: Unpacked, tree: Tree) -> bool:
    """Whether it is a bin/erl or bin/start that would run the build host's tree. It is not unpacked: stage_bin makes another."""
    return path in ("bin/erl", "bin/start") and path in unpacked.texts and is_foreign(unpacked.texts[path], tree.root)


def _own_tree(path: str, content: bytes, tree: Tree, emulator: str) -> bytes:
    """The content, or a script for this tree instead of one in erts-VSN/bin that would run the build host's tree."""
    erts, dummy, name = path.partition("/bin/")
    if erts and name in ("erl", "start") and is_foreign(content, tree.root):
        return make_scripts(root=tree.root, erts_version=erts[len("erts-") :], templates={}, emulator=emulator)[name]
    return content


def is_equal(path: str, member, pieces) -> bool:
    """Whether the file at path is the member with this content, as far as it counts."""
    try:
        if member.kind == "directory":
            return os.path.isdir(path)
        if member.kind == "link":
            return os.readlink(path) == member.target
        if is_read_as_a_whole(path, member.size):
            return is_content_of(path, joined(pieces))
        with open_file(path, buffering=0) as file:
            for piece in pieces:
                if file.read(len(piece)) != bytes(piece):
                    return False
            return not file.read(1)
    except (OSError, OtpError):
        return False


def may_differ(path: str, tree: Tree) -> bool:
    """Whether a file of a versioned directory says nothing of its content: scripts that the installation makes, appups, which no emulator reads, and a
    start_clean.boot that is missing.
    """
    directory = versioned_directory(path) or path
    inside = path[len(directory) + 1 :]
    if directory.startswith("erts-"):
        return inside in ERTS_SCRIPTS
    if directory.startswith("lib/"):
        return is_appup(inside)
    return path.endswith(_CLEAN_BOOT) and not tree.has(path)


def _keep_or_note(path: str, directory: str, unpacked: Unpacked, tree: Tree) -> None:
    if directory == path or is_of_the_host(path, directory):
        # The files in bin belong to the permanent release.
        if not path.startswith("bin/"):
            unpacked.kept.append(path)
        return
    unpacked.other.setdefault(directory, difference(path, tree))


def difference(path: str, tree: Tree) -> str:
    """How a file of the tree is not the same as in the package, for other_content()."""
    return f"{path} {'differs' if tree.has(path) else 'is missing'}"


def other_content(other: t.Mapping[str, str], tree: Tree, package: str) -> str:
    """The sentence about versioned directories that are not the same in the tree and in the package. other: a difference of each."""
    return (
        f"package {package} has another {', '.join(other)} than {tree.directory} has: there, {', '.join(other.values())}. A library must have the"
        " same content whenever it has the same version. Give the changed part a new version, or remove the installed one if no release uses it."
    )


def is_of_the_host(path: str, directory: str) -> bool:
    """Whether a host writes this file of the versioned directory."""
    return directory.startswith("releases/") and path[len(directory) + 1 :] in OF_THE_HOST


def note_more_modules(other: dict[str, str], directories: t.Iterable[str], paths: t.Container[str], tree: Tree) -> None:
    """Add the libraries that are in the tree with more modules than in the package. paths: those in the package."""
    for directory in directories:
        for path in more_modules(directory, paths, tree) if directory.startswith("lib/") else []:
            other.setdefault(directory, f"{path} is an extra module")


def more_modules(library: str, paths: t.Container[str], tree: Tree) -> list[str]:
    """The modules that only the installed library has: they would be loaded with the package's."""
    names = (f"{library}/ebin/{name}" for name in sorted(tree.names(library, "ebin")) if name.endswith(".beam"))
    return [path for path in names if path not in paths]


def facts_of(release: Release) -> dict:
    """The release as install_release() takes it."""
    applications = {item.name: item.version for item in release.applications}
    return {"name": release.name, "version": release.version, "erts_version": release.erts_version, "applications": applications}


def check_complete(unpacked: Unpacked, tree: Tree, package: str) -> None:
    """Raise PackageError unless each part that the release needs is in the package or on the host."""
    release = unpacked.release

    def is_there(path: str) -> bool:
        return path in unpacked.paths or os.path.exists(absolute_library(tree, path))

    for application in release.applications:
        place = unpacked.places.get(application.name)
        directory = place or f"lib/{application.name}-{application.version}"
        if not is_there(f"{directory}/ebin/{application.name}.app"):
            hint = (
                place
                and f" (variable {_variable_of(place, unpacked)}): unpack its archive there first, or build the package with include in {named('var_tar')}"
            )
            raise PackageError(
                f"package {package}: release {release.name} {release.version} needs {directory} (with ebin/{application.name}.app),"
                f" and neither the package nor {'the host' if place else tree.directory} has it{hint or ''}"
            )
    erts = f"erts-{release.erts_version}"
    if not is_there(f"{erts}/bin/erlexec"):
        raise PackageError(
            f"package {package}: release {release.name} {release.version} needs {erts}, and neither the package nor"
            f" {tree.directory} has it: build the package with its emulator ({_how_with_erts(unpacked.paths)})"
        )
    if not is_there(f"releases/{release.version}/start.boot"):
        raise PackageError(f"package {package}: it has no boot script releases/{release.version}/start.boot")


def _variable_of(place: str, unpacked: Unpacked) -> str:
    return next(name for name, directory in unpacked.variables.items() if place.startswith(directory + "/"))


def _how_with_erts(paths: set[str]) -> str:
    """The option by which the tool that made the package includes the emulator: mix and relx are known by their scripts."""
    if any(path.startswith("releases/") and path.endswith("/env.sh") for path in paths):
        return "mix: include_erts: true"
    return "relx: {include_erts, true}" if "bin/install_upgrade.escript" in paths else "erts: true"
