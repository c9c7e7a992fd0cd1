# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that a running node was started with, kept below ``$ROOT`` when they are replaced, until it has been restarted with the new ones."""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.module_utils._tree.kept import Kept, remove
from ansible_collections.erlang.otp.plugins.module_utils._tree.newer import files_of, find_newer
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator, is_noted
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree


class Previous(Kept):
    """The kept files of a system. All calls have the rights of its owner."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree.directory)
        self.tree = tree
        # Files that the node has not read as they are now; None: not asked for yet.
        self._newer: set[str] | None = None

    def files(self) -> list[str]:
        return files_of(self.tree, self.tree.start_erl_data())

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
            remove(self._place(stale))
        self._newer.add(path)
        self._copy(path)
