# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release to which no relup leads at once.

Rules: the node goes through the releases in between that need no restart, and each is checked and verified; only the last one is committed; whatever
fails leads back to the release before the first step; a way leads up or down, never through a newer release; one relup that leads there goes first.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._handler.test_running import ENTRY, Node, go, outcomes, root, upgrade_of
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.handler_node import REL

__all__ = ["root"]

INSTALL = ["check_install_release", "install_release", "status"]


def relup(version: str, up: str = "", down: str = "", instructions: str = "[point_of_no_return]") -> str:
    sides = [",".join(f'{{"{other}", [], {instructions}}}' for other in side.split()) for side in (up, down)]
    return f'{{"{version}", [{sides[0]}], [{sides[1]}]}}.\n'


@pytest.fixture
def node(root: Path) -> Node:
    """It runs 1; relups lead from 1 to 2 and from 2 to 3, and back."""
    node = Node(root)
    directory = root / "releases/3"
    directory.mkdir()
    for name, content in (("start.boot", ""), ("sys.config", "[].\n"), ("x.rel", REL % "3"), ("relup", relup("3", "2", "2"))):
        (directory / name).write_text(content)
    statuses = {"3": "unpacked", "2": "unpacked", "1": "permanent"}
    (root / "releases/RELEASES").write_text(f"[{','.join(ENTRY % pair for pair in statuses.items())}].\n")
    node.statuses = statuses
    node.libraries = {version: ["kernel-8", "sasl-4"] for version in statuses}
    return node


def test_through_a_release_in_between(root: Path, node: Node) -> None:
    ready = go(root, node, release="3", state="ready")
    assert (ready["way"], ready["between"], node.calls) == ("upgrade", ["2"], ["check_install_release"])
    node.calls.clear()
    result = go(root, node, release="3")
    # Once for the whole way, then for each step.
    assert node.calls == ["check_install_release", *INSTALL, *INSTALL, "make_permanent", "status"]
    entries = [(entry["action"], entry["release"], entry["from"]) for entry in result["history"]]
    assert entries == [("install", "2", "1"), ("install", "3", "2"), ("commit", "3", "1")]
    assert result["after"]["releases"] == {"3": "permanent", "2": "old", "1": "old"}
    # And back, by the same way. The files are as release_handler writes them.
    (root / "releases/RELEASES").write_text(f"[{','.join(ENTRY % pair for pair in node.statuses.items())}].\n")
    (root / "releases/start_erl.data").write_text("13.1.5 3\n")
    assert go(root, node, release="1", state="ready")["between"] == ["2"]
    assert go(root, node, release="1")["after"]["permanent"] == "1"


def test_the_way_is_foretold(root: Path, node: Node) -> None:
    upgrade = upgrade_of(root, node, release="3", state="current")
    upgrade.changes = Changes(check_mode=True)
    said = upgrade.carry_out(upgrade.apply)["between"], upgrade.changes.actions
    assert said[1] == ["switch the node x@h from release 1 to 2, without a restart", "switch the node x@h from release 2 to 3, without a restart"]
    assert node.calls == ["check_install_release"]


@pytest.mark.parametrize("of_2", [{"upgrade_from": {"1": "none"}, "made_from": {}}, {"upgrade_from": {"1": "both"}, "made_from": {}}])
def test_releases_that_are_still_in_their_packages(root: Path, node: Node, of_2: dict) -> None:
    node.statuses = {"1": "permanent"}
    for version in ("2", "3"):
        for path in (root / "releases" / version).iterdir():
            path.unlink()
    package = {"release": {"upgrade_from": {"2": "none"}, "made_from": {}}}
    upgrade = upgrade_of(root, node, release="3", state="ready", between={"2": of_2}, package=package)
    upgrade.observe()
    from ansible_collections.erlang.otp.plugins.module_utils._handler.way import between

    assert between(upgrade) == (["2"] if of_2["upgrade_from"]["1"] == "none" else [])


@pytest.mark.parametrize("bad", ["2", "3"])
def test_what_fails_leads_back_to_where_it_came_from(root: Path, node: Node, bad: str) -> None:
    call = node.call

    def ill(module: str, function: str, arguments: list, **options: t.Any) -> t.Any:
        node.is_well = node.statuses[bad] != "current"
        return call(module, function, arguments, **options)

    node.call = ill  # type: ignore[method-assign]
    with pytest.raises(HandlerError, match=f"^release {bad}: .*release 1 was installed again. Then it ran release 1") as raised:
        go(root, node, release="3")
    assert node.statuses["1"] == "permanent" and "current" not in node.statuses.values() and "make_permanent" not in node.calls
    assert outcomes(raised.value.result)[-1] == ("verify", "failed")
    with pytest.raises(HandlerError, match=f"release {bad} failed on this host") as raised:
        go(root, node, release="3", state="ready")
    assert raised.value.result["between"] == (["2"] if bad == "2" else [])


@pytest.mark.parametrize("last", ["2", "3"])
def test_an_emulator_that_ends_on_the_way_boots_the_release_before(root: Path, node: Node, last: str) -> None:
    """As heart starts the permanent one; the next run notices it."""
    for version in ("2", "3")[: int(last) - 1]:
        go(root, node, release=version, state="current")
    node.statuses = {"3": "unpacked", "2": "unpacked", "1": "permanent"}
    with pytest.raises(HandlerError, match=f"release {last} failed on this host.* it was installed .* and not committed"):
        go(root, node, release="3")


def test_a_step_that_is_refused_leads_back(root: Path, node: Node) -> None:
    call = node.call

    def refuses(module: str, function: str, arguments: list, **options: t.Any) -> t.Any:
        node.refuses = ("install_release",) if arguments == ["3"] else ()
        return call(module, function, arguments, **options)

    node.call = refuses  # type: ignore[method-assign]
    with pytest.raises(HandlerError, match="release 3: .* Then it ran release 2.*release 1 was installed again") as raised:
        go(root, node, release="3")
    assert raised.value.result["after"]["running"] == "1" and raised.value.result["rolled_back"]


@pytest.mark.parametrize(
    ("of_3", "options", "way"),
    [
        (relup("3", "2 1"), {}, []),
        (relup("3", "1", instructions="[restart_emulator]"), {"method": "hot", "allow_restart": True}, []),
        (relup("3", "2"), {"allow_restart": True}, ["2"]),
        (relup("3", "2"), {"method": "restart"}, []),
        (relup("3", "2", instructions="[restart_emulator]"), {}, []),
        (relup("2", "3") + "x", {}, []),
    ],
)
def test_which_way(root: Path, node: Node, of_3: str, options: dict[str, t.Any], way: list[str]) -> None:
    from ansible_collections.erlang.otp.plugins.module_utils._handler.way import between

    (root / "releases/3/relup").write_text(of_3)
    upgrade = upgrade_of(root, node, release="3", **options)
    upgrade.observe()
    assert between(upgrade) == way


def test_no_way_leads_through_a_newer_release(root: Path, node: Node) -> None:
    from ansible_collections.erlang.otp.plugins.module_utils._handler.way import between

    (root / "releases/2/relup").unlink()
    (root / "releases/3/relup").write_text(relup("3", "1", "2"))
    upgrade = upgrade_of(root, node, release="2")
    upgrade.observe()
    assert between(upgrade) == []
