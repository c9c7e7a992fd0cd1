# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fragments of a package, each made from a group of members and compressed no more than once, and the package file itself: erl_tar, gzip (RFC 1952)."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.cache import Cache
from ansible_collections.erlang.otp.plugins.module_utils._build.native_code import native_code, treatment
from ansible_collections.erlang.otp.plugins.module_utils._build.package_members import Group
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_writer import (
    FAST,
    SMALL,
    Fragment,
    Workers,
    fragment_key,
    gzip_parts,
    key_digest,
    make_fragment,
)
from ansible_collections.erlang.otp.plugins.module_utils._formats.large_file import LARGE, PIECE, Content
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_writer import END_OF_ARCHIVE, PackageMember, Piece, plain_pieces, tar_parts, tar_pieces

GZIP_MAGIC = b"\x1f\x8b"
# Bytes of fragments that are in memory until they are written.
HELD = 24 << 20


class Assembler:
    """Makes fragments of groups, or takes them from the cache. Small ones are in memory until they are written, others are made then.

    ``strip`` says how BEAM files are stripped, "" for nothing at all; it is part of a fragment's key.
    """

    def __init__(self, *, cache: Cache, mtime: int, strip: str) -> None:
        self._cache = cache
        self._mtime = mtime
        self._strip = strip
        self._workers = Workers()
        self._level = SMALL if strip else FAST
        self._made: dict[str, Fragment] = {}
        self._held = 0

    def find_keys(self, groups: t.Iterable[Group], known: t.Container[str]) -> dict[str, str]:
        """The key of each group's fragment, from the content of all its files.

        A fragment that is neither known (in the earlier package) nor in the cache is made at once, if its content is small, while that is in memory,
        unless its files are to be stripped first.
        """

        def key_of(group: Group) -> str:
            small: list[Content] = []
            to_strip = self._treatment(group)
            parts = _keep_small(tar_parts(group.members, mtime=self._mtime), small)
            key = fragment_key(plain_pieces(parts), level=self._level, treatment=to_strip)
            if small and self._held < HELD and key not in known and not to_strip and not self._cache.has(key):
                self._hold(key, self._make(key, tar_pieces(small)).load())
            return key

        groups = list(groups)
        return dict(zip((group.name for group in groups), self._workers.map(key_of, groups)))

    def _treatment(self, group: Group) -> str:
        """How files of the group are stripped; "" if none are."""
        beams = self._strip if strippable(group) else ""
        native = treatment(native_code(group)) if self._strip else ""
        return beams + native

    def lacks(self, key: str) -> bool:
        """Whether the fragment has yet to be made."""
        if key not in self._made:
            # It stays open: another build may remove it from the cache.
            file = self._cache.open(key, in_memory=LARGE if self._held < HELD else 0)
            if file is None:
                return True
            fragment = Fragment.unpack(file)
            self._hold(key, fragment.load() if isinstance(file, io.BytesIO) else fragment)
        return False

    def _hold(self, key: str, fragment: Fragment) -> None:
        self._made[key] = fragment
        self._held += sum(map(len, fragment.parts)) if isinstance(fragment.parts, list) else 0

    def fragment(self, group: Group, key: str | None = None, stripped: dict[str, str] | None = None) -> Fragment:
        """The group's fragment; ``stripped`` has the stripped file for the path of one."""
        if key is not None and key in self._made:
            return self._made.pop(key)
        file = self._cache.open(key) if key is not None else None
        if file is not None:
            return Fragment.unpack(file)
        members = (_stripped_member(member, stripped) for member in group.members) if stripped else group.members
        pieces = tar_pieces(tar_parts(members, mtime=self._mtime))
        return self._make(key, pieces if key is None or stripped else self._unchanged(pieces, key, group))

    def _unchanged(self, pieces: t.Iterable[Piece], key: str, group: Group) -> t.Iterator[Piece]:
        """The pieces, which are read for the second time. Raises OtpError if they are not the content that the key is for."""
        digest = key_digest(level=self._level, treatment="")
        for piece in pieces:
            digest.update(piece.data)
            yield piece
        if digest.hexdigest() != key:
            raise OtpError(f"A file of {group.name} changed while it was read into the package. Build again when nothing writes to it.")

    def _make(self, key: str | None, pieces: t.Iterable[Piece]) -> Fragment:
        """The fragment, which is put into the cache while its parts are taken."""
        fragment = make_fragment(pieces, self._workers, level=self._level)
        if key is not None:
            fragment.parts = self._cached(key, fragment, fragment.parts)
        return fragment

    def _cached(self, key: str, fragment: Fragment, parts: t.Iterable[bytes]) -> t.Iterator[bytes]:
        with self._cache.entry(key) as write:
            for part in parts:
                write(part)
                yield part
            write(fragment.sums())


def _keep_small(parts: t.Iterable[Content], kept: list[Content]) -> t.Iterator[Content]:
    """The parts, which are kept as well if all of them together are small; else nothing is kept."""
    size = 0
    for part in parts:
        size += len(part)
        if size <= LARGE:
            kept.append(part)
        else:
            kept.clear()
        yield part


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
        is_gzip = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    if not is_gzip:
        return member._replace(source=path)
    with gzip.open(path) as inflated:
        content = inflated.read(LARGE)
        if len(content) < LARGE:
            return member._replace(source=None, content=content)
        with open(path + ".plain", "wb") as plain:
            plain.write(content)
            shutil.copyfileobj(inflated, plain, PIECE)
    return member._replace(source=path + ".plain")


def end_fragment() -> Fragment:
    """The end of the archive."""
    return make_fragment([Piece(END_OF_ARCHIVE)], Workers(1), level=FAST).load()


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
