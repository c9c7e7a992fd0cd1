# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that a thin package leaves out of a changed library: copies of those in the version of the library that its base has.

They are read as members of the package, so all rules for these hold for them. Nothing is linked: a node may write into its libraries. What is read is
what was compared, whatever happens to the file meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import open_file
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._formats.large_file import LARGE, PIECE
from ansible_collections.erlang.otp.plugins.module_utils._formats.significant import digest_of_file, digest_of_pieces, is_read_as_a_whole
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_reader import TarMember
from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import Base, Copies, directory_digest, not_there
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree


def copied_paths(base: Base | None) -> list[str]:
    """The files that are not in the thin package and will be in its release."""
    return [f"{directory}/{path}" for directory, copies in (base.copies if base else {}).items() for path in copies.files]


def copied_members(base: Base, tree: Tree, package: str) -> t.Iterator[tuple[TarMember, t.Iterator[memoryview]]]:
    """Yield each copied file as a member, and the pieces of its content. Raises OtpError for one that is missing or changed."""
    for directory, copies in base.copies.items():
        found = _Found(base, copies, tree, package)
        for path in copies.files:
            with found.opened(path) as file:
                size = os.fstat(file.fileno()).st_size
                pieces = found.checked(path, size, file)
                yield TarMember(f"{directory}/{path}", "file", copies.modes.get(path, 0o644), size, ""), pieces
                for dummy in pieces:
                    # A comparison ends at the first difference.
                    pass
        found.check_all()


def check_copies(base: Base, tree: Tree, package: str, *, content: bool) -> None:
    """Raise OtpError if files are to be copied on a box, and for one that is missing or changed. content: look at the files."""
    if base.copies and remote_host():
        raise OtpError(
            f"package {package} is thin: files of {', '.join(base.copies)} are to be copied on the host, which needs Python there. Nothing has been changed."
            f" Give the full package, which was built with it (sha256 {base.full}): of that a box gets only the files that it lacks."
        )
    for _member, pieces in copied_members(base, tree, package) if content else ():
        for dummy in pieces:
            pass


def changed_copies(base: Base | None, tree: Tree) -> t.Iterator[tuple[str, str]]:
    """The directory and the path of each file that is in its place already, where the tree has the library, and is not the copy that it would be."""
    for directory, copies in (base.copies if base else {}).items():
        for path, beginning in copies.files.items() if tree.has(directory) else ():
            with contextlib.suppress(OSError, OtpError):
                if digest_of_file(tree.path(directory, path)).startswith(beginning):
                    continue
            yield directory, f"{directory}/{path}"


class _Found:
    """The files of one library, with the digests of those that were read."""

    def __init__(self, base: Base, copies: Copies, tree: Tree, package: str) -> None:
        self.base, self.copies, self.tree, self.package = base, copies, tree, package
        self.digests: dict[str, str] = {}

    @contextlib.contextmanager
    def opened(self, path: str) -> t.Iterator[t.BinaryIO]:
        """The file of the base, open for reading. No link below lib is followed."""
        *directories, name = [*self.copies.base.split("/")[1:], *path.split("/")]
        current = file = None
        try:
            current = os.open(self.tree.path("lib"), os.O_RDONLY | os.O_DIRECTORY)
            for directory in directories:
                above, current = current, os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=current)
                os.close(above)
            file = open_file(name, buffering=0, dir_fd=current, follow=False)
        except (OSError, OtpError) as error:
            # ELOOP, ENOTDIR: a link, or a file in the place of a directory.
            gone = getattr(error, "errno", None) == errno.ENOENT
            raise self.error("lacks" if gone else "has something other than a file at", path) from None
        finally:
            if current is not None:
                os.close(current)
        with file:
            yield file

    def checked(self, path: str, size: int, file: t.BinaryIO) -> t.Iterator[memoryview]:
        """The pieces of the content; of a small file none before all was compared. Raises OtpError."""
        if size <= LARGE or is_read_as_a_whole(path, size):
            content = memoryview(file.read(size))
            self.note(path, digest_of_pieces(path, size, iter((content,))))
            yield content
            return
        digest = hashlib.sha256()
        while piece := file.read(min(size, PIECE)):
            size -= len(piece)
            digest.update(piece)
            yield memoryview(piece)
        self.note(path, digest.hexdigest())

    def note(self, path: str, digest: str) -> None:
        """Compare the digest of a file. Raises OtpError."""
        if not digest.startswith(self.copies.files[path]):
            raise self.error("has other content in", path)
        self.digests[path] = digest

    def check_all(self) -> None:
        """Compare the whole digest of all files: the beginnings of theirs were compared before. Raises OtpError."""
        if directory_digest(self.digests) != self.copies.digest:
            raise not_there(self.base, self.tree, self.package, f"has other content in {self.copies.base}")

    def error(self, what: str, path: str) -> OtpError:
        return not_there(self.base, self.tree, self.package, f"{what} {self.copies.base}/{path}")
