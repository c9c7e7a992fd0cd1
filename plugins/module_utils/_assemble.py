# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is a private part of the collection: only its own plugins may use it.

"""Groups of members to fragments of a package, each compressed no more than once, and the package file itself."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._archive import END_OF_ARCHIVE, Member, TarBytes, tar_bytes
from ansible_collections.erlang.otp.plugins.module_utils._cache import Cache
from ansible_collections.erlang.otp.plugins.module_utils._fragments import Fragment, Workers, fragment_key, gzip_parts, make_fragment
from ansible_collections.erlang.otp.plugins.module_utils._members import Group

GZIP_MAGIC = b"\x1f\x8b"


class Assembler:
    """Makes fragments of groups, or takes them from the cache.

    ``strip`` says how BEAM files are stripped, "" for not at all; it is part of a fragment's key.
    """

    def __init__(self, *, cache: Cache, mtime: int, strip: str, workers: Workers | None = None) -> None:
        self._cache = cache
        self._mtime = mtime
        self._strip = strip
        self._workers = workers or Workers()
        self._made: dict[str, Fragment] = {}

    def survey(self, groups: t.Iterable[Group], known: t.Container[str]) -> dict[str, str]:
        """The key of each group's fragment, from the content of all its files.

        What is neither known (in the package that is there) nor in the cache is compressed at once, while its content is at
        hand; unless it has to be stripped before.
        """
        keys = {}
        for group in groups:
            tar = tar_bytes(group.members, mtime=self._mtime)
            key = keys[group.name] = fragment_key(tar.data, self._strip if strippable(group) else "")
            if key not in known and not (self._strip and strippable(group)) and not self._cache.has(key):
                self._make(key, tar)
        return keys

    def lacks(self, key: str) -> bool:
        """Whether the fragment has yet to be made."""
        if key not in self._made:
            packed = self._cache.get(key)
            if packed is None:
                return True
            self._made[key] = Fragment.unpack(packed)
        return False

    def fragment(self, group: Group, key: str | None = None, stripped: dict[str, str] | None = None) -> Fragment:
        """The group's fragment; ``stripped`` has the stripped file for a BEAM file's path."""
        if key is not None and key in self._made:
            return self._made.pop(key)
        packed = self._cache.get(key) if key is not None else None
        if packed is not None:
            return Fragment.unpack(packed)
        members = [_stripped_member(member, stripped) for member in group.members] if stripped else group.members
        return self._make(key, tar_bytes(members, mtime=self._mtime), keep=False)

    def _make(self, key: str | None, tar: TarBytes, *, keep: bool = True) -> Fragment:
        fragment = make_fragment(tar, self._workers)
        if key is not None:
            self._cache.put(key, fragment.pack())
            if keep:
                self._made[key] = fragment
        return fragment


def strippable(group: Group) -> list[str]:
    """The paths of the group's BEAM files."""
    return [member.source for member in group.members if member.source and member.name.endswith(".beam") and "/ebin/" in member.name]


def _stripped_member(member: Member, stripped: dict[str, str]) -> Member:
    """With the stripped file's content: beam_lib gzips it, which the package's own compression could not improve."""
    path = stripped.get(member.source or "")
    if path is None:
        return member
    with open(path, "rb") as file:
        content = file.read()
    return member._replace(source=None, content=gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content)


def end_fragment(workers: Workers) -> Fragment:
    """The end of the archive."""
    return make_fragment(TarBytes(END_OF_ARCHIVE, []), workers)


class PackageFile(t.NamedTuple):
    """A package that was written: where, its SHA-256 in hexadecimal and its size in bytes."""

    path: str
    sha256: str
    size: int


def write_package(path: str, fragments: t.Iterable[Fragment]) -> PackageFile:
    """Write the package and flush it. When that fails nothing is left behind; raises OSError."""
    digest = hashlib.sha256()
    size = 0
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), "wb", buffering=0) as file:
            for part in gzip_parts(fragments):
                digest.update(part)
                size += len(part)
                view = memoryview(part)
                while view:
                    view = view[file.write(view) :]
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise
    return PackageFile(path, digest.hexdigest(), size)


def describe_package(path: str, fragments: t.Iterable[Fragment]) -> PackageFile:
    """The package as it would be written."""
    digest = hashlib.sha256()
    size = 0
    for part in gzip_parts(fragments):
        digest.update(part)
        size += len(part)
    return PackageFile(path, digest.hexdigest(), size)


def sha256_of(path: str) -> str | None:
    """The file's SHA-256 in hexadecimal, None when there is no file."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            while True:
                part = file.read(1 << 20)
                if not part:
                    return digest.hexdigest()
                digest.update(part)
    except (FileNotFoundError, NotADirectoryError):
        return None
