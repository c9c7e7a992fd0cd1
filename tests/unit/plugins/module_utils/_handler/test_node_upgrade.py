# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release on a running node.

Rule: the copies of RELEASES and start_erl.data go when release_handler has written nothing.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._handler.node_upgrade import NodeUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import Request
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Refused
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom

NAMES = {"RELEASES", "start_erl.data"}
COPIES = {f"{name}.saved" for name in NAMES}


class Node:
    """A node whose release_handler refuses everything, and what lies there meanwhile."""

    def __init__(self, releases: Path, reason: str) -> None:
        self.releases = releases
        self.reason = reason
        self.seen: set[str] = set()

    def call(self, *_call: t.Any, **_options: t.Any) -> t.Any:
        self.seen = {path.name for path in self.releases.iterdir()}
        return Atom("error"), (Atom(self.reason), "2")


@pytest.mark.parametrize(("reason", "left"), [("no_such_release", set()), ("removed_by_somebody", COPIES)])
def test_copies_go_when_nothing_has_been_written(tmp_path: Path, reason: str, left: set[str]) -> None:
    releases = tmp_path / "releases"
    releases.mkdir()
    (releases / "RELEASES").write_text('[{release,"x","1","13",[{kernel,"8","lib/kernel-8"}],permanent}].\n')
    (releases / "start_erl.data").write_text("13 1\n")
    node = Node(releases, reason)
    upgrade = NodeUpgrade(Request(root=str(tmp_path), release="2", state="permanent"), Changes())
    upgrade.session = t.cast(t.Any, node)
    with pytest.raises(Refused):
        upgrade.call_with_copies("make_permanent", "2")
    assert node.seen == NAMES | COPIES
    assert {path.name for path in releases.iterdir()} == NAMES | left
