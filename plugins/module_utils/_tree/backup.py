# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of RELEASES and start_erl.data, kept while the two are changed, until the change is on the disk.

release_handler (SASL, release_handler.erl) overwrites both in place, so a power cut can leave empty files; and a power cut between two
renames leaves two that disagree. On a host that boots by itself, ``bin/start`` then restores the copies.
"""

from __future__ import annotations

import contextlib
import os

from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory, open_file, read_file, remove_left_over
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import SAVED, Tree

NAMES = ("RELEASES", "start_erl.data")


def save(tree: Tree, options: FileOptions) -> None:
    """Ensure that the copies are on the disk. Raises OtpError if one of the two is torn already."""
    remove_left_over(tree.path("releases"))
    for name, read in zip(NAMES, (tree.releases, tree.start_erl_data)):
        path = tree.path("releases", name)
        content = read_file(path)
        if content is not None and read() is not None and content != read_file(path + SAVED):
            options.file(path + SAVED, content)


def forget_saved(tree: Tree) -> None:
    """Flush both to the disk, then remove the copies: that of RELEASES last, because it shows that there are copies."""
    for name in NAMES:
        with contextlib.suppress(FileNotFoundError), open_file(tree.path("releases", name)) as file:
            os.fsync(file.fileno())
    flush_directory(tree.path("releases"))
    for name in reversed(NAMES):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(tree.path("releases", name + SAVED))
