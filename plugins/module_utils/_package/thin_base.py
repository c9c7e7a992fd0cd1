# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of a thin package: the release whose libraries, ERTS and files the package leaves out, and whether a tree has them.

A thin package begins with ``releases/VSN/base.json`` (``docs/design.md``, Packages), which release_handler unpacks and never reads.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import re
import typing as t
import zlib

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import from_json, is_directory_name, open_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.significant import digest_of_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_reader import TarError, members
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import PackageError
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import known_packages
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree, versioned_directory

BASE = "base.json"
# The bytes that are read of the package, and to which they may inflate: base.json has a line for each library.
_HEAD = 128 * 1024
_LIMIT = 1 << 20
# The installation replaces those of a foreign ERTS.
ERTS_SCRIPTS = ("bin/erl", "bin/start")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Copies(t.NamedTuple):
    """Files of a library that are copied from another version of it. base: its directory; files: by path in it, the beginning of the digest of each
    (``_formats/significant``), to find a changed one; digest: that of all of them (directory_digest); modes: by path, where not 0644; size: bytes of all.
    """

    base: str
    files: dict[str, str]
    digest: str
    modes: dict[str, int]
    size: int


class Base(t.NamedTuple):
    """name, version, sha256: of the base release and its package. directories: the digest of each lib/APP-VSN and erts-VSN that the thin
    package leaves out; files: the other files that it leaves out. full: the sha256 of the full package. copies: by the directory of the library.
    """

    name: str
    version: str
    sha256: str
    full: str
    directories: dict[str, str]
    files: list[str]
    copies: dict[str, Copies] = {}

    def as_data(self) -> dict[str, t.Any]:
        """As JSON has it, and base_of()."""
        return {**self._asdict(), "copies": {directory: copies._asdict() for directory, copies in self.copies.items()}}


def base_of(data: dict) -> Base:
    """What as_data() was called for. Raises TypeError or AttributeError for other data."""
    return Base(**{**data, "copies": {directory: Copies(**copies) for directory, copies in data.get("copies", {}).items()}})


def format_base(base: Base) -> bytes:
    """The content of base.json."""
    return json.dumps(base.as_data(), indent=0, separators=(",", ":")).encode() + b"\n"


def parse_base(content: bytes, *, filename: str) -> Base:
    """What format_base() was given. Raises PackageError."""
    try:
        base = base_of(from_json(content))
        texts = [base.name, base.version, base.sha256, base.full, *base.directories, *base.directories.values(), *base.files]
        if not all(isinstance(text, str) for text in texts) or not isinstance(base.files, list):
            raise TypeError
        if not all(versioned_directory(path, is_directory=True) == path and _is_inside(path) for path in base.directories) or not all(
            map(_is_inside, base.files)
        ):
            raise ValueError
        # By the second one the full package counts as installed.
        if not all(map(_DIGEST.fullmatch, (base.sha256, base.full))):
            raise ValueError
        if not all(itertools.starmap(_are_copies, base.copies.items())):
            raise ValueError
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise PackageError(f"{filename} does not name the base of the package: it is damaged") from None
    return base


def _are_copies(directory: str, copies: Copies) -> bool:
    """Whether they are files of a library, from another version of the same. Raises TypeError, AttributeError."""
    libraries = (directory, copies.base)
    return (
        directory != copies.base
        and all(path.startswith("lib/") and versioned_directory(path, is_directory=True) == path and _is_inside(path) for path in libraries)
        and len({path.partition("-")[0] for path in libraries}) == 1
        and all(_is_inside(path) and not is_appup(path) for path in copies.files)
        and all(isinstance(text, str) for text in (copies.digest, *copies.files.values()))
        and all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in (copies.size, *copies.modes.values()))
    )


def _is_inside(path: str) -> bool:
    return all(map(is_directory_name, path.split("/")))


def read_base(package: str) -> Base | None:
    """The base of a thin package, of which only the beginning is read; None for any other. Raises PackageError, OSError."""
    with open_file(package, buffering=0) as file:
        head = file.read(_HEAD)
    try:
        return find_base(zlib.decompressobj(31).decompress(head, _LIMIT) if head.startswith(b"\x1f\x8b") else head, package=package)
    except zlib.error:
        # The one that reads all of it reports the error.
        return None


def find_base(head: bytes, *, package: str) -> Base | None:
    """The same from the beginning of the package's content. Raises PackageError."""
    stream = _Head(head)
    try:
        member = next(members(stream), None)
        if member is None or not member.name.endswith("/" + BASE) or not member.name.startswith("releases/") or member.name.count("/") != 2:
            return None
        return parse_base(stream.read(member.size), filename=f"{package}: {member.name}")
    except TarError:
        return None


class _Head:
    """The beginning of an archive, for members()."""

    left = 0

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        found = self._data.read(size)
        if len(found) != size:
            raise TarError("it ends here")
        return found

    def skip(self, size: int) -> None:
        self.read(size)


def check_base(base: Base, tree: Tree, package: str) -> None:
    """Raise OtpError, which names what is missing, unless the tree has all that the thin package leaves out, but for the files that are copied."""
    known = base.sha256 in known_packages(tree.directory, tree.destdir)
    missing = [_title(directory) for directory in base.directories if not os.path.isdir(tree.path(directory))]
    missing += [path for path in base.files if not tree.has(path)]
    other = [] if missing or known else [_title(directory) for directory, digest in base.directories.items() if digest_there(tree, directory) != digest]
    if missing or other:
        what = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(other)} with other content"
        raise not_there(base, tree, package, what)


class BaseMissing(OtpError):
    """The tree lacks a part of the base, so that only the full package can be installed. result: what the result of a module says of it."""

    result = {"needs_full_package": True}


def not_there(base: Base, tree: Tree, package: str, what: str) -> BaseMissing:
    """The error for a tree that lacks a part of the base. what: a verb and its object."""
    return BaseMissing(
        f"package {package} is thin: it leaves out what release {base.name} {base.version} has, and the system below {tree.directory} {what}."
        f" Nothing has been changed. Give the full package, which was built with it (sha256 {base.full})."
    )


def _title(directory: str) -> str:
    """For a sentence: "ERTS 13.1.5", "kernel 8.5.3"."""
    name, dummy, version = directory.rpartition("/")[2].partition("-")
    return f"{'ERTS' if directory == f'erts-{version}' else name} {version}"


def directory_digest(files: t.Mapping[str, str]) -> str:
    """The digest of a library or an ERTS from those of its files (``_formats/significant``) and links (link_digest), by path in the directory.

    No emulator reads an appup, and systools packs none.
    """
    lines = [f"{path}\0{text}\n" for path, text in sorted(files.items()) if path not in ERTS_SCRIPTS and not is_appup(path)]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def is_appup(path: str) -> bool:
    """Whether it is the appup of a library, by its path there."""
    return path.startswith("ebin/") and path.endswith(".appup")


def link_digest(target: str) -> str:
    """The digest of a link, for directory_digest()."""
    return f"link to {target}"


def digest_there(tree: Tree, directory: str) -> str:
    """The directory_digest() of a library or an ERTS of the tree."""
    found = {}
    top = tree.path(directory)
    for parent, names, files in os.walk(top):
        for path in (os.path.join(parent, name) for name in [*files, *names]):
            if os.path.islink(path):
                found[os.path.relpath(path, top)] = link_digest(os.readlink(path))
            elif os.path.isfile(path):
                found[os.path.relpath(path, top)] = digest_of_file(path)
    return directory_digest(found)
