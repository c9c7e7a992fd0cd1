# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration that config providers have made, where release_handler reads it: for the time of one installation, ``sys.config`` is a link to it.

The file of the package is ``sys.config.built`` meanwhile. What config providers read may be secret, so it is in no release directory. If a run is
killed, the next run puts the file back, or ``bin/start_erl`` does (template mix.j2).
"""

from __future__ import annotations

import os

from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory, read_file
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

SYS_CONFIG = "sys.config"
BUILT = "sys.config.built"


def built_config(tree: Tree, version: str) -> bytes | None:
    """The sys.config of the release as its package has it; None if there is none."""
    content = read_file(tree.path("releases", version, BUILT))
    return read_file(tree.path("releases", version, SYS_CONFIG)) if content is None else content


def put_in_place(tree: Tree, version: str, resolved: str) -> None:
    """Make the file at the path ``resolved`` the sys.config of the release. At any moment sys.config is one of the two."""
    directory = tree.path("releases", version)
    present, link = os.path.join(directory, SYS_CONFIG), os.path.join(directory, f".{SYS_CONFIG}.link")
    if os.path.lexists(link):
        os.unlink(link)
    os.symlink(resolved, link)
    os.link(present, os.path.join(directory, BUILT))
    # A boot after a power cut needs what is put back.
    flush_directory(directory)
    os.replace(link, present)


def put_back(tree: Tree, version: str) -> None:
    """Make sys.config of the release that of the package again, if it is not."""
    directory = tree.path("releases", version)
    present, built = os.path.join(directory, SYS_CONFIG), os.path.join(directory, BUILT)
    if os.path.lexists(built):
        if os.path.islink(present):
            os.replace(built, present)
        else:
            # They are two names of one file, and rename(2) does nothing then.
            os.unlink(built)
        flush_directory(directory)


def put_all_back(tree: Tree) -> None:
    """Put back what runs that were killed have left."""
    for version in tree.release_directories():
        put_back(tree, version)
