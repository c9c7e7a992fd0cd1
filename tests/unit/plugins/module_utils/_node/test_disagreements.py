# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The running node against RELEASES and start_erl.data.

Rules: without release_handler, or with another root directory, nothing else is compared; node, RELEASES and start_erl.data name one
permanent release; an installed release is unpacked in RELEASES; what only one side knows is reported; temporary releases have no libraries.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import InstalledRelease, Library, StartErlData
from ansible_collections.erlang.otp.plugins.module_utils._node.disagreements import disagreements
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Known, Running
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

START = StartErlData("13.1.5", "1")
KERNEL = ("kernel-8",)
NODE = (Known("x", "2", "unpacked", KERNEL), Known("x", "1", "permanent", KERNEL))


def entry(version: str, status: str) -> InstalledRelease:
    return InstalledRelease("x", version, "13.1.5", (Library("kernel", "8", "lib/kernel-8"),), status)


RELEASES = (entry("2", "unpacked"), entry("1", "permanent"))


def kinds(tmp_path: Path, *, start: StartErlData | None = START, listed: t.Sequence[InstalledRelease] | None = RELEASES, **more) -> list[str]:
    node = Running("x@h", 1, 1, "started", True, NODE, None, "", str(tmp_path))._replace(**more)
    return [found.kind for found in disagreements(node, Tree(str(tmp_path)), start, None if listed is None else [*listed])]


def test_they_agree(tmp_path: Path) -> None:
    assert kinds(tmp_path) == []


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"has_handler": False, "releases": (), "status": "stopping"}, ["sasl"]),
        ({"root": "/elsewhere", "status": "starting"}, ["other_root"]),
        ({"status": "starting"}, ["starting"]),
        ({"releases": (NODE[0]._replace(status="current"), NODE[1])}, ["uncommitted"]),
        ({"releases": (NODE[0]._replace(status="permanent"), NODE[1]._replace(status="old"))}, ["disagreement"]),
        ({"releases": (NODE[0]._replace(libraries=()), NODE[1])}, ["incomplete_entry"]),
        ({"releases": (*NODE, Known("x", "3", "old", KERNEL))}, ["not_listed"]),
        ({"releases": NODE[1:]}, ["not_known"]),
        ({"releases": (*NODE, Known("x", "__new_emulator__1", "old", ()))}, ["temporary"]),
        ({"start": None}, ["disagreement"]),
        ({"start": START._replace(release_version="2")}, ["disagreement"]),
        ({"listed": [entry("1", "old"), entry("2", "permanent")]}, ["disagreement"]),
        ({"listed": [entry("1", "permanent"), entry("2", "permanent")]}, ["disagreement"]),
    ],
)
def test_what_is_reported(tmp_path: Path, more: dict, expected: list[str]) -> None:
    assert kinds(tmp_path, **more) == expected


def test_without_releases_the_node_made_up_its_own(tmp_path: Path) -> None:
    assert kinds(tmp_path, listed=None) == []
