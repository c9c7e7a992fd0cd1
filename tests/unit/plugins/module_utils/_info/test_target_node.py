# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node without an emulator. Rule: it is starting where heart or a script is about to start one, and down where only run_erl is left, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._info import target_node
from ansible_collections.erlang.otp.plugins.module_utils._info.target import read_target
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import Starter
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet import state_of


@pytest.mark.parametrize(
    ("programs", "state"),
    [([], "down"), (["run_erl"], "down"), (["heart"], "starting"), (["run_erl", "script"], "starting")],
)
def test_a_node_without_an_emulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, programs: list[str], state: str) -> None:
    monkeypatch.setattr(target_node, "find_emulator", lambda root: None)
    monkeypatch.setattr(target_node, "find_starters", lambda root: [Starter(program, 1) for program in programs])
    node, disagreements = target_node.describe_node(read_target(str(tmp_path)), NodeAddress(node="x@h"), timeout=1)
    assert (node["pid"], disagreements) == (None, [])
    assert state_of({"installed": True, "disagreements": [], "running": node}) == state
