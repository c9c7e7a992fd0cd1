# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An installed tree by its paths, and the few files that list its releases. Reads only.

The files are release_handler's: SASL, release_handler(3); OTP system principles, "Creating and Upgrading a Target System".
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import inherited_owner, read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import InstalledRelease, StartErlData, parse_releases, parse_start_erl_data
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulators
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import MAX_RECORD, RECORD, parse_record

LOCK = ".lock"
# That of a call that changes a release or the node; taken first.
HANDLER_LOCK = ".handler.lock"
# The suffix of the copies of RELEASES and start_erl.data (_tree/backup).
SAVED = ".saved"
# Seconds within which release_handler has written one of these files.
WRITING = 2.0


class Tree:
    """The system whose root directory is root, written below destdir when it is part of an image.

    ``root`` is the root directory as the system itself names it; ``path()`` is where a file of it is now.
    """

    def __init__(self, root: str, destdir: str = "") -> None:
        if not root.startswith("/") or os.path.normpath(root) != root.rstrip("/") or "\n" in root or "\0" in root:
            raise OtpError(f"root {root!r} is not an absolute path in its plain form, other than '/'")
        self.root = root.rstrip("/")
        self.destdir = destdir.rstrip("/")
        self.directory = self.destdir + self.root
        # In check mode, the content to which a torn file would be repaired, by name below releases.
        self.mended: dict[str, bytes] = {}

    def path(self, *names: str) -> str:
        return os.path.join(self.directory, *names)

    def has(self, *names: str) -> bool:
        """Whether anything, a broken link too, has this name."""
        return os.path.lexists(self.path(*names))

    def releases(self) -> list[InstalledRelease] | None:
        """The entries of RELEASES; None if it does not exist."""
        return self._parsed(parse_releases, "RELEASES")

    def start_erl_data(self) -> StartErlData | None:
        """Which release boots; None if start_erl.data does not exist."""
        return self._parsed(parse_start_erl_data, "start_erl.data")

    def _parsed(self, parse: t.Callable, name: str):
        path = self.path("releases", name)
        deadline = time.monotonic() + WRITING
        while True:
            content = self.mended.get(name) or read_file(path)
            if content is None:
                return None
            try:
                return parse(content, filename=path)
            except OtpError as error:
                has_copy = self.has("releases", "RELEASES" + SAVED)
                # The release_handler of a node that runs may just be writing it, in place.
                if not has_copy or self.destdir or time.monotonic() > deadline or not emulators(self):
                    remedy = "Repair the file, or remove it: the next installation writes it again"
                    if has_copy:
                        remedy = f"Stop the system, if it runs: the next run repairs it with the copy {self.path('releases', 'RELEASES' + SAVED)}"
                    raise OtpError(f"{error}. {remedy}") from error
            time.sleep(0.05)

    def record(self, version: str) -> dict | None:
        """The record of the release, package.json; None if it is missing or unreadable, as for a release that another tool installed."""
        return parse_record(read_file(self.path("releases", version, RECORD), limit=MAX_RECORD) or b"")

    def places(self, version: str) -> dict[str, str]:
        """The directories of the libraries that are below a variable's directory, by application."""
        return (self.record(version) or {}).get("places", {})

    def names(self, *names: str) -> list[str]:
        """The names in the directory, sorted; empty if it is not a directory."""
        try:
            return sorted(os.listdir(self.path(*names)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def file_options(self, uid: int = -1, gid: int = -1) -> FileOptions:
        """How to write below releases: by default with the owner of releases, because the node must be able to remove the files."""
        owner = inherited_owner(self.path("releases"))
        return FileOptions(owner[0] if uid == -1 else uid, owner[1] if gid == -1 else gid)

    def release_directories(self) -> list[str]:
        """The names of the directories below releases."""
        return [name for name in self.names("releases") if os.path.isdir(self.path("releases", name))]


def library_path(tree: Tree, erts_version: str, directory: str) -> str:
    """How RELEASES names a library directory ("lib/APP-VSN").

    From OTP 25 (ERTS 13) on release_handler reads relative names as relative to its root directory, and a tree may be
    moved; earlier ones take them as relative to the working directory.
    """
    major = erts_version.partition(".")[0]
    return directory if not major.isdigit() or int(major) >= 13 else f"{tree.root}/{directory}"


def absolute_library(tree: Tree, directory: str) -> str:
    """Where a library directory named in RELEASES is now: relative, relx's ``./lib/..``, or absolute."""
    return tree.destdir + directory if directory.startswith("/") else os.path.normpath(tree.path(directory))


def emulators(tree: Tree) -> list[int]:
    """The process numbers of the emulators of this host that run this system. A system below a destdir does not run, unless it is the copy of one elsewhere."""
    return find_emulators(tree.root) if tree.directory == tree.root or remote_host() else []


def versioned_directory(path: str, *, is_directory: bool = False) -> str | None:
    """The ``lib/APP-VSN``, ``erts-VSN`` or ``releases/VSN`` that the path is, or is in, or None."""
    parts = path.split("/")
    if parts[0] not in ("lib", "releases") and not parts[0].startswith("erts-"):
        return None
    depth = 1 if parts[0].startswith("erts-") else 2
    inside = len(parts) > depth or (is_directory and len(parts) == depth)
    return "/".join(parts[:depth]) if inside else None
