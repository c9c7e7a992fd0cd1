# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a module that a relup loads, and the one that it replaces, need the chunk Attr; of a release in its package, the libraries that change count."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._handler.attributes import without_attributes
from ansible_collections.erlang.otp.plugins.module_utils._tree.relup_step import RelupStep
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

HOT = RelupStep("relup", "up", ())
RESTARTS = HOT._replace(restarts=("restart_new_emulator",))


def beam(*chunks: bytes) -> bytes:
    content = b"BEAM" + b"".join(name + (4).to_bytes(4, "big") + b"here" for name in chunks)
    return b"FOR1" + len(content).to_bytes(4, "big") + content


WHOLE, BARE = beam(b"AtU8", b"Attr", b"Code"), beam(b"AtU8", b"Code")


def loading(*names: str) -> RelupStep:
    return HOT._replace(loads=frozenset(names))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Release 1 has a-1, which was stripped, and b-1, release 2 has a-2, b-1 and c-1, which was stripped; d-1 has another kind of content."""
    for library, module in {"a-1": BARE, "a-2": WHOLE, "b-1": WHOLE, "c-1": BARE, "d-1": b"mark"}.items():
        (tmp_path / f"lib/{library}/ebin").mkdir(parents=True)
        (tmp_path / f"lib/{library}/ebin/m.beam").write_bytes(module)
    for version, applications in {"1": '{a,"1"},{b,"1"}', "2": '{a,"2"},{b,"1"},{c,"1"},{d,"1"}'}.items():
        (tmp_path / f"releases/{version}").mkdir(parents=True)
        (tmp_path / f"releases/{version}/x.rel").write_text(f'{{release,{{"x","{version}"}},{{erts,"1"}},[{applications}]}}.\n')
    return Tree(str(tmp_path))


IN_PACKAGE = {"applications": {"a": "3", "b": "1"}}


@pytest.mark.parametrize(
    ("new", "step", "package", "expected"),
    [
        ("2", loading("a"), {}, "lib/a-1"),
        ("2", loading("b"), {}, ""),
        ("2", loading("c"), {}, "lib/c-1"),
        ("2", loading("d"), {}, ""),
        ("2", loading("nowhere"), {}, ""),
        ("2", loading(), {}, ""),
        ("3", HOT, IN_PACKAGE, "lib/a-1"),
        ("3", HOT, {"applications": {"a": "1", "b": "2", "c": "1"}}, ""),
        ("3", HOT, {}, ""),
        # What is loaded after another emulator has started is seen in the relup.
        ("3", RESTARTS, IN_PACKAGE, ""),
        ("2", RESTARTS._replace(loads=frozenset(["a"])), {}, "lib/a-1"),
    ],
)
def test_which_library_lacks_them(tree: Tree, new: str, step: RelupStep, package: t.Mapping[str, t.Any], expected: str) -> None:
    assert without_attributes(tree, "1", new, step, package) == expected
