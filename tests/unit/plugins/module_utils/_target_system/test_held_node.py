# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a system is marked while its node is started, stopped or restarted, and when it is given back.

Rules: it is marked when it is asked and something is to be done; a failure leaves the mark for the rollback; the last call gives it back; another run is
refused; check mode only says so.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._node.lifecycle import Node
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running
from ansible_collections.erlang.otp.plugins.module_utils._target_system import node_change
from ansible_collections.erlang.otp.plugins.module_utils._target_system.node_change import NodeError, NodeRequest, change_node
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import Claim, Held, read_mark
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

ALICE, BOB = Claim("alice@laptop", "1-2-a"), Claim("bob@desk", "3-4-b")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A system whose node is down, and does not start."""
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases/start_erl.data").write_text("13.1 FIRST")
    return Tree(str(tmp_path))


def go(tree: Tree, state: str, *, hold: float | None = 60.0, asks: bool = False, check: bool = False, claim: Claim = ALICE) -> tuple[str, bool]:
    """What the mark says afterwards, and whether the result says that there is one."""
    node = Node(tree.root, "nobody", "/nonexistent", tree.path("log"))
    request = NodeRequest(node, state, tree.path("pipe"), hold=hold, only_asks=asks, claim=claim, down="skip")
    try:
        result = change_node(request, Changes(check_mode=check))
    except NodeError as error:
        result = error.result
    mark = read_mark(tree)
    return mark.doing if mark else "", result["held"]


def test_it_is_marked_when_it_is_asked_until_the_last_call(tree: Tree) -> None:
    assert go(tree, "started", asks=True) == ("starting the node", True)
    assert go(tree, "started", hold=0) == ("starting the node", True), "it has failed"
    assert go(tree, "stopped") == ("starting the node", True)
    assert go(tree, "committed", hold=0) == ("", False)


@pytest.mark.parametrize("state", ["stopped", "restarted"])
def test_nothing_to_do_gives_it_back(tree: Tree, state: str) -> None:
    go(tree, "started", asks=True)
    assert go(tree, state, asks=True) == ("", False)


def test_who_says_nothing_of_it_marks_nothing(tree: Tree) -> None:
    assert go(tree, "started", asks=True, hold=None) == ("", False)
    assert go(tree, "started", asks=True, check=True) == ("", False)
    go(tree, "started", asks=True)
    assert go(tree, "stopped", hold=None) == go(tree, "stopped", hold=0, check=True) == ("starting the node", True)


@pytest.mark.parametrize("check", [False, True])
def test_a_system_of_another_run_is_refused(tree: Tree, check: bool) -> None:
    go(tree, "started", asks=True)
    with pytest.raises(Held, match="alice@laptop has been starting the node"):
        go(tree, "stopped", claim=BOB, check=check)


def test_a_release_that_is_not_committed_is_not_restarted(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be lost; once it is committed, it is permanent."""
    monkeypatch.setattr(node_change._lifecycle, "find_settled", lambda root: 4711)
    monkeypatch.setattr(node_change, "find_newer", lambda *_arguments: [])
    monkeypatch.setattr(node_change._lifecycle, "ask", lambda node: Running(node.name, 1, 1, "started", True, (), "", "", ""))
    monkeypatch.setattr(Running, "current", property(lambda _self: runs))
    request = NodeRequest(Node(tree.root, "nobody", "/nonexistent", tree.path("log"), name="a@localhost"), "restarted", tree.path("pipe"))
    runs = "SECOND"
    with pytest.raises(NodeError, match="release SECOND runs and is not committed.* commit it by the playbook erlang.otp.upgrade"):
        change_node(request, Changes(check_mode=True))
    runs = "FIRST"
    assert change_node(request, Changes(check_mode=True))["way"] == "restart"
