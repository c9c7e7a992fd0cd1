# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fragments of a package, each made from a group of members and compressed no more than once, and the package file itself: erl_tar, gzip (RFC 1952)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.cache import Cache
from ansible_collections.erlang.otp.plugins.module_utils._build.package_members import Group
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_writer import FAST, SMALL, Fragment, Workers, fragment_key, gzip_parts, make_fragment
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_writer import END_OF_ARCHIVE, PackageMember, TarBytes, join_parts, tar_parts

GZIP_MAGIC = b"\x1f\x8b"


class Assembler:
    """Makes fragments of groups, or takes them from the cache.

    ``strip`` says how BEAM files are stripped, "" for not at all; it is part of a fragment's key.
    """

    def __init__(self, *, cache: Cache, mtime: int, strip: str) -> None:
        self._cache = cache
        self._mtime = mtime
        self._strip = strip
        self._workers = Workers()
        self._level = SMALL if strip else FAST
        self._made: dict[str, Fragment] = {}

    def find_keys(self, groups: t.Iterable[Group], known: t.Container[str]) -> dict[str, str]:
        """The key of each group's fragment, from the content of all its files.

        A fragment that is neither known (in the earlier package) nor in the cache is made at once, while its content is in memory,
        unless its files are to be stripped first.
        """

        def key_of(group: Group) -> str:
            parts = tar_parts(group.members, mtime=self._mtime)
            to_strip = self._strip if strippable(group) else ""
            key = fragment_key(parts, level=self._level, treatment=to_strip)
            if key not in known and not to_strip and not self._cache.has(key):
                self._make(key, parts)
            return key

        groups = list(groups)
        return dict(zip((group.name for group in groups), self._workers.map(key_of, groups)))

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
        return self._make(key, tar_parts(members, mtime=self._mtime), keep=False)

    def _make(self, key: str | None, parts: list[bytes], *, keep: bool = True) -> Fragment:
        fragment = make_fragment(join_parts(parts), self._workers, level=self._level)
        if key is not None:
            self._cache.put(key, fragment.pack())
            if keep:
                self._made[key] = fragment
        return fragment


def strippable(group: Group) -> list[str]:
    """The paths of the group's BEAM files."""
    return [member.source for member in group.members if member.source and member.name.endswith(".beam") and "/ebin/" in member.name]


def _stripped_member(member: PackageMember, stripped: dict[str, str]) -> PackageMember:
    """With the stripped file's content: beam_lib gzips it, which the package's own compression could not improve."""
    path = stripped.get(member.source or "")
    if path is None:
        return member
    import gzip

    with open(path, "rb") as file:
        content = file.read()
    return member._replace(source=None, content=gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content)


def end_fragment() -> Fragment:
    """The end of the archive."""
    return make_fragment(TarBytes(END_OF_ARCHIVE, []), Workers(1), level=FAST)


class PackageFile(t.NamedTuple):
    """A package that was written: where, its SHA-256 in hexadecimal and its size in bytes."""

    path: str
    sha256: str
    size: int


def write_package(path: str, fragments: t.Iterable[Fragment]) -> PackageFile:
    """Write the package and flush it. If that fails nothing is left behind; raises OSError."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), "wb") as file:
            written = describe_package(path, fragments, file.write)
            file.flush()
            os.fsync(file.fileno())
            return written
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def describe_package(path: str, fragments: t.Iterable[Fragment], write: t.Callable[[bytes], t.Any] | None = None) -> PackageFile:
    """The package as it would be written to the path. ``write`` gets its content."""
    digest = hashlib.sha256()
    size = 0
    for part in gzip_parts(fragments):
        digest.update(part)
        size += len(part)
        if write:
            write(part)
    return PackageFile(path, digest.hexdigest(), size)
