# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that a running node has not read in their present state."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import StartErlData
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import started_at
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree


def files_of(tree: Tree, start: StartErlData | None) -> list[str]:
    """What an emulator reads at its start, below the root directory. start: which release boots."""
    if start is None:
        return []
    of_release = [tree.path("releases", start.release_version, name) for name in ("sys.config", "vm.args")]
    return [tree.path("bin", name) for name in ("start", "start_erl", "environment", "ssl_dist.conf")] + of_release + [*own_files(tree)]


def own_files(tree: Tree) -> dict[str, int]:
    """Those of otp_files among them: when each was removed, or 0."""
    if not tree.has("releases", "own_files"):
        return {}
    # Lazy, for start-up time: few systems have any.
    from ansible_collections.erlang.otp.plugins.module_utils._tree.own_files import read_at_start

    return read_at_start(tree)


def find_newer(tree: Tree, start: StartErlData | None, pid: int, *more: str, written: t.Collection[str] = ()) -> list[str]:
    """The files that the emulator read at its start, or its start scripts, that have changed since.

    start: which release boots; more: other files; written: those of this run.
    A release that becomes permanent has had its configuration loaded by an upgrade, so the time of start_erl.data counts as well, but not for the scripts
    and the operator's own files.
    """
    if start is None:
        return []
    started = started_at(pid)
    loaded = max(started, _modified_at(tree.path("releases", "start_erl.data")))
    scripts, own = tree.path("bin", ""), own_files(tree)
    return [
        path
        for path in dict.fromkeys((*files_of(tree, start), *more))
        if path in written or _modified_at(path, own.get(path, 0)) > (started if path.startswith(scripts) or path in own else loaded)
    ]


def _modified_at(path: str, gone: int = 0) -> int:
    """The time of the file in nanoseconds since the epoch. gone: if it does not exist."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return gone
