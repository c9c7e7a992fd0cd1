# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that a running node was started with, kept when they are replaced, until it has been restarted with the new ones.

``$ROOT/.previous`` has them by their paths below $ROOT. An empty directory there is for a file that did not exist.
"""

from __future__ import annotations

import contextlib
import os
import stat

from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory, make_parents, read_file, write_file
from ansible_collections.erlang.otp.plugins.module_utils._tree.newer import files_of, find_newer
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator, is_noted
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

PREVIOUS = ".previous"


class Previous:
    """The kept files of a system. All calls have the rights of its owner."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        # Files that the node has not read as they are now; None: not asked for yet.
        self._newer: set[str] | None = None

    def kept(self) -> list[str]:
        """The paths of the files whose earlier content is kept."""
        return [path for path in files_of(self.tree, self.tree.start_erl_data()) if os.path.lexists(self._place(path))]

    def keep(self, path: str) -> None:
        """Keep the file as it is, before it is replaced, if the node runs with it. Of several changes the first one counts: the node has seen no other."""
        start, pid = self.tree.start_erl_data(), find_emulator(self.tree.root)
        # A node that another script has started cannot go back to what it was started with.
        if pid is None or path not in files_of(self.tree, start) or not is_noted(self.tree.root, pid):
            return
        if self._newer is None:
            self._newer = set(find_newer(self.tree, start, pid))
        if path in self._newer:
            return
        # The node has been started with the files that these were replaced by.
        for stale in set(self.kept()) - self._newer:
            _remove(self._place(stale))
        self._newer.add(path)
        with contextlib.suppress(FileExistsError):
            # One of the files has secrets.
            os.mkdir(self.tree.path(PREVIOUS), 0o700)
        place, content = self._place(path), read_file(path)
        make_parents(place)
        if content is None:
            os.mkdir(place)
        else:
            found = os.stat(path)
            write_file(place, content, mode=stat.S_IMODE(found.st_mode), uid=found.st_uid, gid=found.st_gid)
            os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))
        flush_directory(os.path.dirname(place))

    def put_back(self) -> None:
        """Put each file back. An interrupted call is completed by the next one."""
        for path in self.kept():
            place = self._place(path)
            if os.path.isdir(place):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                os.rmdir(place)
            else:
                os.replace(place, path)
            flush_directory(os.path.dirname(path))
        self.forget()

    def forget(self) -> None:
        """Remove what is kept: the node has been restarted, and stays with its files."""
        _remove(self.tree.path(PREVIOUS))

    def exists(self) -> bool:
        """Whether anything is left here."""
        return self.tree.has(PREVIOUS)

    def _place(self, path: str) -> str:
        return self.tree.path(PREVIOUS, os.path.relpath(path, self.tree.directory))


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        # Lazy, for start-up time: few runs need it.
        from ansible_collections.erlang.otp.plugins.module_utils._tree.publish import remove_tree

        remove_tree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
