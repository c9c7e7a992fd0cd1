# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the native code of a release fits the host: the machine type, the C library, other libraries and their symbol versions (elf(5), ld.so(8)).

The emulator, programs of ERTS and port programs, drivers and NIFs. What they open by themselves (dlopen) is not in their headers, and is not looked for.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import open_file
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._formats.dynamic import Dynamic, read_dynamic
from ansible_collections.erlang.otp.plugins.module_utils._formats.elf import (
    THIS_PROGRAM,
    Program,
    find_incompatible,
    machine_of,
    parse_program,
    read_program,
    why_not,
)
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release
from ansible_collections.erlang.otp.plugins.module_utils._install.host_libraries import HostLibraries
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import PackageError
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import is_of_machine_type
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

# Bytes of one program in memory; a larger one is in a file meanwhile.
_IN_MEMORY = 1 << 20
# Characters of the names that all programs of a release need, and files that are looked at in a tree: more than any release has.
_MAX_NAMES = 8 << 20
_MAX_FILES = 100_000
# Entries of a list in a message.
_SHOWN = 8


class NativeCode:
    """Programs and libraries with native code by path, what they need, and the names of all libraries that the release brings."""

    def __init__(self, source: str = "") -> None:
        """source: what it is read from, for a message."""
        self.source = source
        self.programs: dict[str, Program] = {}
        self.dynamic: dict[str, Dynamic] = {}
        self.brought: set[str] = set()
        self._names = 0
        self._aside: t.BinaryIO | None = None

    def close(self) -> None:
        """Give back the room of the file that was looked at last."""
        if self._aside is not None:
            self._aside.close()

    def look_at(self, path: str, pieces: t.Iterator[memoryview], directory: str | None) -> t.Iterator[memoryview]:
        """The same content of a file, unchanged; a program is added. directory: for what is larger than a little."""
        first = next(pieces, memoryview(b""))
        # A piece may end anywhere.
        while len(first) < 64 and (more := next(pieces, None)) is not None:
            first = memoryview(bytes(first) + more)
        if machine_of(bytes(first[:64])) is None:
            return itertools.chain((first,), pieces)
        import tempfile  # lazy, for start-up time

        self.close()
        file = self._aside = t.cast("t.BinaryIO", tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=directory))
        for piece in itertools.chain((first,), pieces):
            file.write(piece)
        self.add(path, file)
        file.seek(0)
        return iter(lambda: memoryview(file.read(1 << 16)), b"")

    def add(self, path: str, file: t.BinaryIO) -> None:
        """Add the open file if it is a program or a library. Raises OtpError for more than any release has."""
        file.seek(0)
        program = machine_of(file.read(64))
        if program is None:
            return
        file.seek(0)
        # One whose header is damaged is still for a machine.
        with contextlib.suppress(OtpError):
            program = parse_program(file, path)
        self.programs[path] = program
        dynamic = read_dynamic(file)
        if dynamic is not None:
            self.dynamic[path] = Dynamic(dynamic.needs, dynamic.search, [])
            self._names += sum(map(len, dynamic.search)) + sum(len(text) for name, versions in dynamic.needs.items() for text in (name, *versions))
            if self._names > _MAX_NAMES:
                raise PackageError(f"{self.source}: {path} is one too many: the names of what native code needs are longer than {_MAX_NAMES} bytes together")

    def add_there(self, path: str, tree: Tree) -> None:
        """Add the file of the tree if it is a program or a library that can be read."""
        with contextlib.suppress(OSError, OtpError), open_file(tree.path(path)) as file:
            self.add(path, file)

    def add_names(self, paths: t.Iterable[str]) -> None:
        """Note which libraries the release brings, among all its paths."""
        self.brought.update(name for name in (os.path.basename(path) for path in paths) if ".so" in name)

    def as_data(self) -> dict[str, t.Any]:
        """For another host, as JSON."""
        return {
            "programs": {path: [*program] for path, program in self.programs.items()},
            "needs": {path: [*dynamic] for path, dynamic in self.dynamic.items()},
            "brought": sorted(self.brought),
        }

    @classmethod
    def from_data(cls, data: dict[str, t.Any]) -> NativeCode:
        """What as_data() returned."""
        found = cls()
        found.programs = {path: Program(*program) for path, program in data["programs"].items()}
        found.dynamic = {path: Dynamic(*dynamic) for path, dynamic in data["needs"].items()}
        found.brought = {*data["brought"]}
        return found


def may_be_native(path: str) -> bool:
    """Whether a file of a release with this path is looked at."""
    return path.startswith(("erts-", "lib/")) and not path.endswith(".beam")


def check_native(native: NativeCode, tree: Tree, release: Release, package: str, optional: t.Collection[str] | None = ()) -> None:
    """Raise PackageError if the emulator cannot run on this host, or native code cannot be loaded by the emulator.

    optional: applications whose libraries may be missing; None: those of all, because the node runs on another host. The hosts of an image (destdir) or of
    a machine type of clients are not known, so their machine type is not checked.
    """
    path = f"erts-{release.erts_version}/bin/beam.smp"
    emulator = native.programs.get(path)
    like = remote_host().program if remote_host() else "" if tree.destdir or is_of_machine_type(tree) else THIS_PROGRAM
    reason = None
    if emulator is None:
        with contextlib.suppress(OtpError, FileNotFoundError):
            emulator = read_program(tree.path(path))
    elif like:
        # The machine type of a box may be unknown.
        with contextlib.suppress(OtpError):
            reason = why_not(emulator, path, like=like)
    reason = reason or find_incompatible(native.programs, emulator)
    if reason:
        raise PackageError(f"package {package}: {reason}. Build it for this host's machine type and C library: set {named('erts')}, or {named('otp_root')}")
    lack = None if optional is None else find_lack(native, tree, emulator, optional)
    if lack:
        raise PackageError(f"package {package}: {lack[0]}. {lack[1]}")


def find_lack(native: NativeCode, tree: Tree, emulator: Program | None, optional: t.Collection[str]) -> tuple[str, str] | None:
    """What the host of the tree lacks of what native code needs, and what to do, as two sentences; None if nothing, or if it is not known."""
    # Of a box, and of clients of another machine type, the libraries are not known; nor those of an image that has no loader.
    if emulator is None or not emulator.interpreter or remote_host() or is_of_machine_type(tree):
        return None
    if tree.destdir and not os.path.lexists(tree.destdir + emulator.interpreter):
        return None
    host = HostLibraries(tree.destdir, emulator.interpreter)
    libraries: dict[str, list[str]] = {}
    versions: dict[str, tuple[list[str], list[str]]] = {}
    for path, dynamic in sorted(native.dynamic.items()):
        program = native.programs[path]
        if not _is_loaded(path, program, emulator) or _application_of(path) in optional:
            continue
        origin = f"{tree.root}/{os.path.dirname(path)}"
        # In its plain form, as its own directory may still be in the package.
        search = [os.path.normpath(directory.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)) for directory in dynamic.search]
        for name, needed in dynamic.needs.items():
            # Wherever it is in the release: it may have been loaded before, or LD_LIBRARY_PATH lead to it.
            if name in native.brought:
                continue
            place = host.find(name, program, search)
            if place is None:
                libraries.setdefault(name, []).append(path)
                continue
            for version in host.lacks(place, needed):
                known, paths = versions.setdefault(place, ([], []))
                known += [] if version in known else [version]
                paths += [] if path in paths else [path]
    return _sentences(libraries, versions, f"the image {tree.destdir}" if tree.destdir else "this host")


def _is_loaded(path: str, program: Program, emulator: Program) -> bool:
    """Whether the loader has to do with the file: others may be for other systems, as find_incompatible() knows."""
    name = os.path.basename(path)
    is_named_so = name.endswith(".so") or ".so." in name or "/bin/" in path
    return program.is_like(emulator) and (is_named_so or program.interpreter == emulator.interpreter)


def _application_of(path: str) -> str:
    """Its name, of lib/NAME-VSN/...; "erts" for ERTS."""
    return path.split("/")[path.startswith("lib/")].rpartition("-")[0]


def _sentences(libraries: dict[str, list[str]], versions: dict[str, tuple[list[str], list[str]]], where: str) -> tuple[str, str] | None:
    lacks = [f"{name}, which {_listed(paths)}" for name, paths in sorted(libraries.items())]
    lacks += [f"{', '.join(sorted(known))} in {place}, which {_listed(paths)}" for place, (known, paths) in sorted(versions.items())]
    if not lacks:
        return None
    more = f"; and {len(lacks) - _SHOWN} more" if len(lacks) > _SHOWN else ""
    ways = ["Install the libraries there, and run ldconfig if their directory is one of /etc/ld.so.conf"] if libraries else []
    ways += ["Build the package on a system whose libraries are as old as those there, or older"] if versions else []
    ways += [f"Or name in {named('optional_native')} the applications whose native code is not used there"]
    return f"{where} lacks what native code of the release needs: {'; '.join(lacks[:_SHOWN])}{more}", ". ".join(ways) + "."


def _listed(paths: list[str]) -> str:
    return f"{paths[0]} needs" if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more need"


def native_code_of(tree: Tree, release: Release) -> NativeCode:
    """The native code of a release in the tree."""
    native = NativeCode()
    places = [f"erts-{release.erts_version}/bin", *(f"lib/{item.name}-{item.version}/priv" for item in release.applications)]
    walks = (found for place in places for found in os.walk(tree.path(place)))
    for directory, name in itertools.islice(((directory, name) for directory, dummy, names in walks for name in sorted(names)), _MAX_FILES):
        path = os.path.relpath(os.path.join(directory, name), tree.directory)
        native.add_names([path])
        native.add_there(path, tree)
    return native
