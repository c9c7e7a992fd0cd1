# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step of a relup from one release to another.

Rules: the relup of the later release has both directions; the requested release is looked at first; restarts, soft purges and loads are found; without a
step the error names the files.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._tree.relup_step import NoRelupStep, RelupStep, find_relup_step
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

HOT = '[{load_object_code,{a,"2",[a]}},point_of_no_return,{load,{a,brutal_purge,soft_purge}}]'
SOFT = "[point_of_no_return,{load,{a,soft_purge,soft_purge}},{remove,{b,soft_purge,brutal_purge}},{apply,{m,f,[]}}]"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    for version in ("1", "2", "3"):
        (tmp_path / "releases" / version).mkdir(parents=True)
    return Tree(str(tmp_path))


def relup(tree: Tree, version: str, up: str, down: str) -> str:
    path = tree.path("releases", version, "relup")
    Path(path).write_text(f'{{"{version}", [{up}], [{down}]}}.\n')
    return path


def test_up_and_down_are_in_the_relup_of_the_later_release(tree: Tree) -> None:
    path = relup(tree, "2", f'{{"1", [], {HOT}}}, {{"1", [], [restart_emulator]}}', '{"1", [], [{apply,{m,f,[]}},restart_emulator]}')
    assert find_relup_step(tree, "1", "2") == RelupStep(path, "up", (), loads=frozenset(["a"]))
    assert find_relup_step(tree, "2", "1") == RelupStep(path, "down", ("restart_emulator",), loads=frozenset())


def test_the_wanted_release_comes_first(tree: Tree) -> None:
    """As in release_handler: an upgrade in the relup of the wanted release, then a downgrade in that of the one that runs."""
    relup(tree, "2", "", '{"3", [], [restart_emulator]}')
    path = relup(tree, "3", f'{{"2", [], {HOT}}}', "")
    assert find_relup_step(tree, "2", "3") == RelupStep(path, "up", (), loads=frozenset(["a"]))


@pytest.mark.parametrize(
    ("instructions", "restarts"),
    [("[restart_new_emulator]", ("restart_new_emulator",)), ("[restart_new_emulator,restart_emulator]", ("restart_new_emulator", "restart_emulator"))],
)
def test_restarts(tree: Tree, instructions: str, restarts: tuple[str, ...]) -> None:
    relup(tree, "2", f'{{"1", "why", {instructions}}}', "")
    assert find_relup_step(tree, "1", "2").restarts == restarts


def test_modules_that_are_purged_softly(tree: Tree) -> None:
    relup(tree, "2", f'{{"1", [], {SOFT}}}', f'{{"1", [], {HOT}}}')
    assert find_relup_step(tree, "1", "2").soft == {"a", "b"}
    assert find_relup_step(tree, "2", "1").soft == frozenset()


def test_no_way_says_where_it_looked(tree: Tree) -> None:
    relup(tree, "2", f'{{"1", [], {HOT}}}', "")
    with pytest.raises(NoRelupStep) as caught:
        find_relup_step(tree, "3", "2")
    assert f"{tree.path('releases/2/relup')} has no way up from 3, only 1" in str(caught.value)
    assert f"{tree.path('releases/3/relup')} is missing" in str(caught.value)


def test_an_unreadable_relup_is_named(tree: Tree) -> None:
    path = Path(tree.path("releases", "2", "relup"))
    for content in ("{", "{}.", '{"2", [a], []}.'):
        path.write_text(content)
        with pytest.raises(NoRelupStep, match="releases/2/relup"):
            find_relup_step(tree, "1", "2")


def test_the_ways_of_a_package_that_is_not_unpacked(tree: Tree) -> None:
    ways = {"1": "none", "2": "both", "0": "restart_emulator"}
    relup(tree, "3", "", '{"4", [], [restart_emulator]}')
    assert find_relup_step(tree, "1", "4", upgrade_from=ways) == RelupStep("the package's relup", "up", ())
    assert find_relup_step(tree, "2", "4", upgrade_from=ways).restarts == ("restart_new_emulator", "restart_emulator")
    assert find_relup_step(tree, "0", "4", upgrade_from=ways).restarts == ("restart_emulator",)
    assert find_relup_step(tree, "3", "4", upgrade_from=ways).direction == "down"
    with pytest.raises(NoRelupStep, match="the package has no way up from 9, only 1, 2, 0"):
        find_relup_step(tree, "9", "4", upgrade_from=ways)
