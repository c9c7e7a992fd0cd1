# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to the release_handler of a running node.

Rules: copies of RELEASES and start_erl.data are there during a call that changes them; they go when it has written, or has written nothing; they
stay when the node restarts, and after an error that may have written.
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
    """A node whose release_handler refuses everything, or with no reason nothing; and which files are there meanwhile."""

    def __init__(self, releases: Path, reason: str = "") -> None:
        self.releases = releases
        self.reason = reason
        self.seen: set[str] = set()

    def call(self, *_call: t.Any, **_options: t.Any) -> t.Any:
        self.seen = {path.name for path in self.releases.iterdir()}
        return (Atom("error"), (Atom(self.reason), "2")) if self.reason else Atom("ok")


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    releases = tmp_path / "releases"
    releases.mkdir()
    (releases / "RELEASES").write_text('[{release,"x","1","13",[{kernel,"8","lib/kernel-8"}],permanent}].\n')
    (releases / "start_erl.data").write_text("13 1\n")
    return releases


def upgrade_of(node: Node) -> NodeUpgrade:
    upgrade = NodeUpgrade(Request(root=str(node.releases.parent), release="2", state="permanent"), Changes())
    upgrade.session = t.cast(t.Any, node)
    return upgrade


@pytest.mark.parametrize(("reason", "left"), [("no_such_release", set()), ("removed_by_somebody", COPIES)])
def test_copies_go_when_nothing_has_been_written(releases: Path, reason: str, left: set[str]) -> None:
    node = Node(releases, reason)
    with pytest.raises(Refused):
        upgrade_of(node).call_with_copies("make_permanent", "2")
    assert node.seen == NAMES | COPIES
    assert {path.name for path in releases.iterdir()} == NAMES | left


@pytest.mark.parametrize(
    ("function", "left"),
    [("unpack_release", set()), ("set_removed", set()), ("make_permanent", set()), ("install_release", COPIES), ("reboot_old_release", COPIES)],
)
def test_copies_go_when_it_has_written_unless_the_node_restarts(releases: Path, function: str, left: set[str]) -> None:
    node = Node(releases)
    upgrade_of(node).call_with_copies(function, "2")
    assert node.seen == NAMES | COPIES
    assert {path.name for path in releases.iterdir()} == NAMES | left
