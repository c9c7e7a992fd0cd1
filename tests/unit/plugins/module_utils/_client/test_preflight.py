# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a client node may lack.

Rules: each thing that is missing is a problem of its kind; a static client, and a disk-less one, cannot restart its emulator for an upgrade.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._client.preflight import ClientFacts, check_client, check_client_step
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree
from ansible_collections.erlang.otp.plugins.module_utils._tree.relup_step import RelupStep

NODE = "c1@h"


@pytest.fixture
def tree(tmp_path: Path) -> ClientTree:
    tree = ClientTree(str(tmp_path), NODE)
    Path(tree.path("releases")).mkdir(parents=True)
    Path(tree.path("releases", "start_erl.data")).write_text("13.1.5 FIRST")
    return tree


def facts(tree: ClientTree, **changed: t.Any) -> ClientFacts:
    return ClientFacts(("m@h",), (), tree.client_directory, tree.path("bin", "start"), False, "efile")._replace(**changed)


def running(tree: ClientTree, **changed: t.Any) -> Running:
    return Running(NODE, 7, (7, b""), "started", True, (), "", "", tree.root, tree.path("releases"))._replace(**changed)


def test_a_client_as_it_should_be(tree: ClientTree) -> None:
    assert [*check_client(tree, facts(tree), running(tree))] == []


@pytest.mark.parametrize(
    ("changed", "kind", "words"),
    [
        ({"masters": ()}, "no_client", "the node c1@h is not a client"),
        ({"client_directory": ""}, "no_client", "the node c1@h is not a client"),
        ({"client_directory": "/elsewhere"}, "other_directory", "has the directory /elsewhere, not"),
        ({"start_prg": ""}, "start_program", "a restart would start the master's"),
        ({"silent": ("m@h", "n@h")}, "master", "cannot reach its master m@h, n@h"),
        ({"static_emulator": True}, "missing_file", "start.boot and "),
    ],
)
def test_what_a_client_may_lack(tree: ClientTree, changed: dict[str, t.Any], kind: str, words: str) -> None:
    (problem,) = check_client(tree, facts(tree, **changed), running(tree))
    assert problem.kind == kind and problem.fatal and words in problem.cause


def test_its_releases_are_elsewhere(tree: ClientTree) -> None:
    (problem,) = check_client(tree, facts(tree), running(tree, directory=f"{tree.root}/releases"))
    assert problem.kind == "other_directory" and "Set RELDIR to that directory in its start script" in str(problem)


def test_nothing_says_what_it_boots(tree: ClientTree) -> None:
    Path(tree.path("releases", "start_erl.data")).unlink()
    (problem,) = check_client(tree, facts(tree), running(tree))
    assert problem.kind == "missing_file" and "start_erl.data is missing" in problem.cause


RESTARTS = RelupStep("relup", "up", ("restart_new_emulator",))


@pytest.mark.parametrize(
    ("changed", "step", "kinds"),
    [
        ({"static_emulator": True, "loader": "inet"}, RESTARTS, ["static_emulator"]),
        ({"loader": "inet"}, RESTARTS, ["diskless_restart"]),
        ({}, RESTARTS, []),
        ({"static_emulator": True, "loader": "inet"}, RelupStep("relup", "up", ()), []),
        ({"static_emulator": True}, None, []),
    ],
)
def test_a_restart(tree: ClientTree, changed: dict[str, t.Any], step: RelupStep | None, kinds: list[str]) -> None:
    assert [problem.kind for problem in check_client_step(tree, facts(tree, **changed), step, "SECOND")] == kinds
