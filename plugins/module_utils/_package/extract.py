# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The members of a release package, read as a stream. Nothing in a package is trusted (``docs/design.md``, Packages).

A member is written only after it has passed every rule of ``Rules``, to a new file below a directory that no other user can enter.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import unicodedata

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated, InflateError
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_reader import TarError, TarMember, members
from ansible_collections.erlang.otp.plugins.module_utils._package.limits import MAX_DEPTH, MAX_MEMBERS, MAX_NAME, MAX_NAMES, MAX_SIZE
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import versioned_directory

# Directories of every system: a link in place of one would lead all files below it elsewhere.
_NO_LINKS = ("bin", "lib", "log", "releases")


class PackageError(OtpError):
    """A package that is damaged, or contains what is not allowed in a release package."""


class Rules:
    """What is allowed in a package. ``check`` takes one member after the other and returns its plain path.

    ``repeated`` has the paths of files and links that have come more than once: mix packs its overlays twice.
    """

    def __init__(self, *, max_size: int = MAX_SIZE, max_members: int = MAX_MEMBERS) -> None:
        self.max_size = max_size
        self.max_members = max_members
        self.size = 0
        self.count = 0
        self.names = 0
        self.links: set[str] = set()
        self.directories: set[str] = set()
        self.files: set[str] = set()
        self.repeated: set[str] = set()
        self._folded: dict[str, str] = {}

    def check(self, member: TarMember) -> str:
        """The member's path below the root, without a slash at its end; "" for the root itself. Raises PackageError."""
        path = _plain_path(member.name)
        self._count(member)
        if member.kind not in ("file", "directory", "link"):
            raise PackageError(f"it is a {member.kind}: only files, directories and links within the package are installed")
        if member.mode & 0o7000 and member.kind != "link":
            bits = " and ".join(name for bit, name in _SPECIAL_BITS if member.mode & bit)
            raise PackageError(f"it has the {bits} bit set: no part of a release may")
        if path == "":
            if member.kind != "directory":
                raise PackageError("it would take the place of the root directory")
            return path
        self._parents(path)
        if path in self.links or path in self.files:
            if member.kind != ("link" if path in self.links else "file"):
                raise PackageError(OTHER_COPY)
            self.repeated.add(path)
            return path
        if path in self.directories and member.kind != "directory":
            raise PackageError(OTHER_COPY)
        self._spelling(path)
        if member.kind == "link":
            _check_target(path, member.target)
            self.links.add(path)
        elif member.kind == "file":
            self.files.add(path)
        else:
            self.directories.add(path)
        return path

    def _count(self, member: TarMember) -> None:
        self.count += 1
        self.size += member.size
        self.names += len(member.name) + len(member.target)
        if self.count > self.max_members:
            raise PackageError(f"the package has more than {self.max_members} members")
        if self.size > self.max_size:
            raise PackageError(f"up to here the package unpacks to {self.size} bytes: max_size allows {self.max_size}")
        if self.names > MAX_NAMES:
            raise PackageError(f"the names in the package are longer than {MAX_NAMES} bytes together")

    def _parents(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent in self.directories or not parent:
            return
        if parent in self.links:
            raise PackageError(f"it is below {parent}, which is a link")
        if parent in self.files:
            raise PackageError(f"it is below {parent}, which is a file")
        self._parents(parent)
        self._spelling(parent)
        self.directories.add(parent)

    def _spelling(self, path: str) -> None:
        """Refuse two names that are the same file on some file systems: one of them would be lost there."""
        folded = path.lower() if path.isascii() else unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
        other = self._folded.setdefault(folded, path)
        if other != path:
            raise PackageError(f"its name differs from {other} only in case or in unicode form")


OTHER_COPY = "it is in the package twice, and the two differ"
_SPECIAL_BITS = ((0o4000, "set-uid"), (0o2000, "set-gid"), (0o1000, "sticky"))


def _plain_path(name: str) -> str:
    if not name:
        raise PackageError("its name is empty")
    if len(os.fsencode(name)) > MAX_NAME:
        raise PackageError(f"its name is longer than {MAX_NAME} bytes")
    if name.count("/") > MAX_DEPTH:
        raise PackageError(f"it is in more than {MAX_DEPTH} directories")
    if "\0" in name:
        raise PackageError("its name has a NUL character in it")
    if name.startswith("/"):
        raise PackageError("its name is absolute")
    path = name[:-1] if name.endswith("/") else name
    # tar -C DIRECTORY -c . calls everything ./NAME.
    if path == ".":
        return ""
    while path.startswith("./"):
        path = path[2:]
    for part in path.split("/"):
        if part in ("", ".", ".."):
            raise PackageError(f"its name has the part {part!r} in it, by which a name can lead elsewhere")
    return path


def _check_target(path: str, target: str) -> None:
    """A link may lead up and then down, within the root. Up only at its beginning: the directories above a link are not links, but further on,
    ``..`` can be the parent of the target of another link.
    """
    if not target or "\0" in target or target.startswith("/"):
        raise PackageError(f"it is a link to {target!r}: links in a package are relative")
    parts = [part for part in target.split("/") if part not in ("", ".")]
    up = 0
    while up < len(parts) and parts[up] == "..":
        up += 1
    if ".." in parts[up:]:
        raise PackageError(f"it is a link to {target!r}: '..' is allowed only at the beginning of a link")
    if up > path.count("/"):
        raise PackageError(f"it is a link to {target!r}, which leads out of the root directory")
    if path in _NO_LINKS or versioned_directory(path, is_directory=True) == path:
        raise PackageError(f"it is a link to {target!r} in the place of a directory that the release needs for itself")


@contextlib.contextmanager
def _naming(package: str, at: list[str]):
    """Errors name the package and the member at which they happen, if any."""
    try:
        yield
    except (PackageError, InflateError, TarError) as error:
        member = f": {at[0][:MAX_NAME]!r}" if at else ""
        raise PackageError(f"package {package}{member}: {error}") from None


def checked_members(stream: Inflated, *, max_size: int = MAX_SIZE, max_members: int = MAX_MEMBERS, more=()):
    """Yield (path, TarMember, pieces of its content) of each member that has passed the rules.

    The pieces need not be read; each must be used before the next one is requested. A path comes once: its first copy. At the end, the whole file
    has been checked, and that all copies are equal. more: members that are not in the file, each with its pieces; they come after the others.
    Raises PackageError, which names the package and the member.
    """
    rules = Rules(max_size=max_size, max_members=max_members)
    at: list[str] = []
    with _naming(stream.path, at):
        for member in members(stream):
            at[:] = [member.name]
            path = rules.check(member)
            if path not in rules.repeated:
                yield path, member, _content(stream, member)
            # Errors from here on are of the archive, not of this member.
            del at[:]
        stream.finish()
        if rules.repeated:
            with stream.again() as copies:
                _compare_copies(copies, rules.repeated, at)
        for member, pieces in more:
            at[:] = [member.name]
            path = rules.check(member)
            if path in rules.repeated:
                raise PackageError(OTHER_COPY)
            yield path, member, pieces


def _compare_copies(stream: Inflated, repeated: set[str], at: list[str]) -> None:
    """Raise PackageError if the copies of such a path are not equal: tar would write the last one."""
    first: dict[str, tuple] = {}
    for member in members(stream):
        path = _plain_path(member.name)
        if path in repeated:
            at[:] = [member.name]
            digest = hashlib.sha256()
            for piece in stream.content():
                digest.update(piece)
            copy = (member.mode, member.target, digest.digest())
            if first.setdefault(path, copy) != copy:
                raise PackageError(OTHER_COPY)
            del at[:]


def _content(stream: Inflated, member: TarMember):
    with _naming(stream.path, [member.name]):
        yield from stream.content()


class Writer:
    """Writes members below an empty directory, given by its descriptor. OSErrors name the member.

    mask: which permissions of the archive are kept; the owner may always read, and write directories. uid, gid: the owner, -1 for the process's.
    """

    def __init__(self, directory: int, *, uid: int = -1, gid: int = -1, mask: int = 0o755) -> None:
        self.directory = directory
        self.uid = uid
        self.gid = gid
        self.mask = mask
        self._made = {""}

    def write(self, path: str, member: TarMember, pieces) -> None:
        """Write the member with the content of the pieces at the path from Rules.check()."""
        try:
            if member.kind == "directory":
                self.make_directories(path)
                return
            self.make_directories(path.rpartition("/")[0])
            if member.kind == "link":
                os.symlink(member.target, path, dir_fd=self.directory)
                self._give(path)
            else:
                self.write_file(path, pieces, member.mode)
        except OSError as error:
            error.filename = path
            raise

    def make_directories(self, path: str) -> None:
        """Make the directory and those above it, unless made before."""
        if path in self._made:
            return
        self.make_directories(path.rpartition("/")[0])
        os.mkdir(path, 0o700, dir_fd=self.directory)
        self._give(path)
        os.chmod(path, 0o755 & self.mask | 0o700, dir_fd=self.directory)
        self._made.add(path)

    def write_file(self, path: str, pieces, mode: int) -> None:
        """Write a new file."""
        # mix packs the cookie as a file that all users can read.
        mode &= self.mask & 0o600 if path == "releases/COOKIE" else self.mask
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=self.directory)
        try:
            for piece in pieces:
                while piece:
                    piece = piece[os.write(descriptor, piece) :]
            if (self.uid, self.gid) != (-1, -1):
                os.fchown(descriptor, self.uid, self.gid)
            os.fchmod(descriptor, mode | 0o400)
        finally:
            os.close(descriptor)

    def _give(self, path: str) -> None:
        if (self.uid, self.gid) != (-1, -1):
            os.chown(path, self.uid, self.gid, dir_fd=self.directory, follow_symlinks=False)
