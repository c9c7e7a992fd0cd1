# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of an upgrade in their order, with a release_handler that only keeps a list. A real one has its tests in tests/real.

Rules: one run at a time, from the first question to the last; a release that failed is refused until forced; a release is committed only after
its checks, and rolled back when they fail; copies of RELEASES and start_erl.data are there during each change, and afterwards not;
the release that runs, and the permanent one, are never removed, of a client neither; what failed is in the history, and so is what a run
did that was killed before it wrote this down.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._client.upgrade import ClientUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._handler import node_upgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.local import apply_local
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError, Request
from ansible_collections.erlang.otp.plugins.module_utils._handler.running import RunningUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._node.reconnecting import NotBack
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Known, Running
from ansible_collections.erlang.otp.plugins.module_utils._tree.history import append, entry_of
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.handler_node import (
    COPIES,
    ENTRY,
    RELUP,
    Node,
    go,
    make_root,
    outcomes,
    upgrade_of,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A system whose node runs release 1, with release 2 unpacked."""
    return make_root(tmp_path)


@pytest.fixture
def node(root: Path) -> Node:
    return Node(root)


def test_an_installation_has_a_limit_that_is_the_users(root: Path, node: Node) -> None:
    go(root, node, upgrade_timeout=7200.0, timeout=4.0)
    assert (node.timeouts["install_release"], node.timeouts["make_permanent"]) == (7200.0, 4.0)


def test_a_whole_upgrade_is_locked_and_copied(root: Path, node: Node) -> None:
    result = go(root, node)
    assert node.calls == ["check_install_release", "install_release", "status", "make_permanent", "status"]
    assert outcomes(result) == [("install", "ok"), ("commit", "ok")] and result["after"]["permanent"] == "2"
    assert node.unlocked == []
    # An installation without a restart writes nothing.
    assert node.uncopied == ["install_release"]
    assert not COPIES & set(os.listdir(root / "releases"))


@pytest.mark.parametrize(("rollback", "back"), [(True, ["install_release"]), (False, [])])
def test_what_fails_its_checks_is_not_committed(root: Path, node: Node, rollback: bool, back: list[str]) -> None:
    node.is_well = False
    with pytest.raises(HandlerError, match=r"force\) to try release 2 again") as raised:
        go(root, node, rollback=rollback)
    assert node.calls == ["check_install_release", "install_release", "status", *back]
    assert outcomes(raised.value.result) == [("install", "ok"), ("verify", "failed")] and raised.value.result["rolled_back"] is rollback
    node.is_well = True
    node.calls.clear()
    if rollback:
        with pytest.raises(HandlerError, match="release 2 failed on this host"):
            go(root, node)
        assert node.calls == []
        assert outcomes(go(root, node, force=True)) == [("install", "ok"), ("commit", "ok")]


@pytest.mark.parametrize(
    ("loaded", "stale", "said"),
    [
        ({}, ["x.beam", "a_b.beam"], "the code of a_b, x in the node is not that of the package"),
        ({"sasl": "3"}, [], "it has sasl 3 and not 4"),
        ({"sasl": None}, [], "sasl is not loaded"),
    ],
)
def test_what_the_node_runs_must_be_the_release(root: Path, node: Node, loaded: dict, stale: list[str], said: str) -> None:
    node.loaded = {name: version for name, version in {**node.loaded, **loaded}.items() if version}
    node.stale = stale
    with pytest.raises(HandlerError, match=f"the node does not run what release 2 is: {said}") as raised:
        go(root, node, verify=())
    assert node.calls == ["check_install_release", "install_release", "install_release"] and raised.value.result["rolled_back"]
    assert "make_permanent" not in node.calls and outcomes(raised.value.result) == [("install", "ok"), ("verify", "failed")]


def test_code_of_another_compiler_is_only_reported(root: Path, node: Node) -> None:
    """The releases have different ERTS, so what the relup does not load was compiled twice."""
    releases = root / "releases/RELEASES"
    text = releases.read_text()
    upgrade = upgrade_of(root, node, verify=(), state="current")
    upgrade.observe()
    from ansible_collections.erlang.otp.plugins.module_utils._handler.content import what_differs

    node.stale = ["x.beam"]
    assert what_differs(node, upgrade.tree, "2", "1", timeout=1).sentence
    (erts,) = set(re.findall(r'"2","([^"]+)"', text))
    releases.write_text(text.replace(f'"2","{erts}"', '"2","99.0"'))
    difference = what_differs(node, upgrade.tree, "2", "1", timeout=1)
    assert difference == ("", "the node keeps the code of x from before, which the relup does not load")


def test_modules_of_shared_libraries_are_not_asked_for(root: Path, node: Node) -> None:
    releases = root / "releases/RELEASES"
    releases.write_text(releases.read_text().replace('"lib/sasl-4"', '"lib/sasl-5"', 1))
    asked = []
    upgrade = upgrade_of(root, node, verify=(), state="current")
    call = node.call

    def remembered(module: str, function: str, arguments: list, **options: t.Any) -> t.Any:
        asked.append(arguments[0])
        return call(module, function, arguments, **options)

    node.call = remembered  # type: ignore[method-assign]
    upgrade.observe()
    from ansible_collections.erlang.otp.plugins.module_utils._handler.content import what_differs

    assert what_differs(node, upgrade.tree, "2", "1", timeout=1) == ("", "")
    (question,) = [text for text in asked if isinstance(text, str) and "loaded_applications" in text]
    assert f'{{Ebin,Old}}<-[{{"{root}/lib/sasl-5/ebin","{root}/lib/sasl-4/ebin"}}]' in "".join(question.split())


def test_a_rollback_after_which_the_node_does_not_come_back_is_remembered(root: Path, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_back(*dummy: t.Any, **_options: t.Any) -> Running:
        raise NotBack("the node is not up within 1 s")

    upgrade = upgrade_of(root, node)
    node.is_well = False
    monkeypatch.setattr(node_upgrade, "after_error", not_back)

    def apply() -> None:
        upgrade.install()
        node.refuses = ("install_release",)
        from ansible_collections.erlang.otp.plugins.module_utils._handler.verify import verify_or_roll_back

        verify_or_roll_back(upgrade)

    upgrade.observe()
    with pytest.raises(HandlerError, match=r"^release 2: x:status.*rollback by relup failed as well.* Then the node is not up") as raised:
        upgrade.carry_out(apply)
    assert outcomes(raised.value.result) == [("install", "ok"), ("install", "failed")]
    with pytest.raises(HandlerError, match="release 2 failed on this host"):
        RunningUpgrade(upgrade.request, Changes()).check_history()


@pytest.mark.parametrize("version", ["1", "2"])
def test_the_release_that_runs_and_the_permanent_one_stay(root: Path, node: Node, version: str) -> None:
    node.statuses["2"] = "current"
    # The one that runs is not permanent in the files.
    with pytest.raises(OtpError, match=f"release {version} is (permanent|current)"):
        go(root, node, release=version, state="absent")
    assert "set_removed" not in node.calls and (root / "releases" / version).is_dir()


def test_an_old_release_is_forgotten_first(root: Path, node: Node) -> None:
    result = go(root, node, release="2", state="absent")
    assert node.calls == ["set_removed"] and node.uncopied == [] and node.unlocked == []
    assert not (root / "releases/2").exists() and outcomes(result) == [("remove", "ok")]


@pytest.mark.parametrize(("state", "action"), [("permanent", "commit"), ("absent", "remove")])
def test_the_next_run_adds_what_a_killed_one_has_not_added(root: Path, node: Node, state: str, action: str) -> None:
    go(root, node, state=state)
    history = root / "releases/history.jsonl"
    lines = history.read_text().splitlines(keepends=True)
    # Something of the release must be known, as it is when it was brought by an upgrade.
    history.write_text("".join(lines[:-1]) or f"{json.dumps(entry_of('unpack', '2', before='1'))}\n")
    # The files are then as release_handler writes them.
    if state == "absent":
        del node.statuses["2"]
    else:
        (root / "releases/RELEASES").write_text(f"[{ENTRY % ('2', 'permanent')},{ENTRY % ('1', 'old')}].\n")
        (root / "releases/start_erl.data").write_text("13.1.5 2\n")
    assert outcomes(go(root, node, state=state)) == [(action, "ok")]
    added = json.loads(history.read_text().splitlines()[-1])
    assert {key: added[key] for key in ("action", "release", "from")} == {"action": action, "release": "2", "from": "1"}
    assert outcomes(go(root, node, state=state)) == []


def test_a_release_that_failed_may_be_committed_by_force_only(root: Path, node: Node) -> None:
    append(Tree(str(root)), entry_of("verify", "2", outcome="failed", reason="it crashed", before="1"))
    for state in ("ready", "current", "permanent"):
        with pytest.raises(HandlerError, match="it crashed"):
            go(root, node, state=state)
    assert node.calls == []


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_release_that_a_client_uses_stays(root: Path, node: Node, version: str) -> None:
    upgrade = ClientUpgrade(Request(root=str(root), release=version, state="absent", client="c1@h"), Changes())
    upgrade.session = t.cast(t.Any, node)
    directory = Path(upgrade.tree.path("releases", version))
    directory.mkdir(parents=True)
    upgrade.running = Running("c1@h", 1, (1, b""), "started", True, (Known("x", "1", "permanent", ()), Known("x", "2", "current", ())), "", "", str(root))
    with pytest.raises(OtpError, match=f"release {version} is (permanent|current)"):
        upgrade.remove(version)
    assert node.calls == [] and directory.is_dir()


def test_a_release_that_the_node_knows_without_its_files_is_refused(root: Path, node: Node) -> None:
    shutil.rmtree(root / "releases/2")
    with pytest.raises(OtpError, match="has no release 2: give its package"):
        go(root, node)
    assert node.calls == []


def test_copies_stay_until_the_node_is_back(root: Path, node: Node) -> None:
    node.restarts = True
    (root / "releases/2/relup").write_text(RELUP.replace("point_of_no_return", "restart_emulator"))
    result = go(root, node, state="current", method="hot", allow_restart=True)
    assert result["restarted"] and COPIES <= node.seen and node.uncopied == []
    assert not COPIES & set(os.listdir(root / "releases"))


def test_all_checks_of_a_removal_come_before_the_node_forgets_it(root: Path, node: Node) -> None:
    with pytest.raises(OtpError, match="is one of x, not of y"):
        go(root, node, state="absent", name="y")
    assert node.calls == []


def test_libraries_of_another_release_are_not_known(root: Path, node: Node) -> None:
    node.libraries["1"] = []
    with pytest.raises(OtpError, match="does not know which libraries release 1 has"):
        go(root, node, state="absent")
    assert node.calls == [] and (root / "lib/kernel-8").is_dir()


def test_what_failed_is_refused_while_the_node_is_down(root: Path) -> None:
    append(Tree(str(root)), entry_of("verify", "2", outcome="failed", reason="it crashed", before="1"))
    request = Request(root=str(root), release="2", state="permanent")
    with pytest.raises(HandlerError, match="it crashed"):
        apply_local(request, Changes())
    assert "1" in (root / "releases/start_erl.data").read_text()
    # Unpacked, it does nobody harm.
    apply_local(request._replace(state="unpacked"), Changes())


def test_files_that_cannot_be_read_are_a_problem(root: Path, node: Node) -> None:
    (root / "releases/start_erl.data").write_text("")
    with pytest.raises(HandlerError) as raised:
        go(root, node)
    assert "unreadable" in [problem["kind"] for problem in raised.value.result["problems"]] and node.calls == []


def test_a_release_is_on_trial_for_one_start(root: Path, node: Node) -> None:
    (root / "releases/2/relup").unlink()
    result = go(root, node, method="restart")
    files = node.at_reboot
    assert files["new_start_erl.data"] == "13.1.5 2\n" and files["start_erl.data"] == "13.1.5 1\n" and COPIES <= files.keys()
    assert files["RELEASES"].count("tmp_current") == 1 and files["RELEASES.saved"].count("tmp_current") == 0
    assert files["command"] == f'ok = heart:set_cmd("{root}/bin/start {root}/releases/new_start_erl.data"), init:reboot().'
    assert node.calls == ["status", "make_permanent", "status"] and node.unlocked == [] and node.uncopied == []
    assert outcomes(result) == [("boot", "ok"), ("install", "ok"), ("commit", "ok")] and result["restarted"]
    assert not ({"new_start_erl.data"} | COPIES) & set(os.listdir(root / "releases"))


def test_a_release_on_trial_that_does_not_come_up(root: Path, node: Node) -> None:
    node.comes_up = False
    with pytest.raises(HandlerError, match="the new release did not start, and the node came back on release 1") as raised:
        go(root, node, method="restart")
    assert outcomes(raised.value.result) == [("boot", "ok"), ("install", "failed")] and raised.value.result["rolled_back"] and node.calls == []
    assert not ({"new_start_erl.data"} | COPIES) & set(os.listdir(root / "releases"))


@pytest.mark.parametrize(
    ("statuses", "pid_before", "expected"),
    [
        ({"2": "current", "1": "permanent"}, 1, [("install", "ok"), ("commit", "ok")]),
        ({"2": "unpacked", "1": "permanent"}, 1, [("fall_back", "failed")]),
        # Somebody has written it.
        ({"2": "unpacked", "1": "permanent"}, "?", [("fall_back", "failed")]),
        # The reboot has not come about.
        ({"2": "unpacked", "1": "permanent"}, 0, [("install", "refused"), ("boot", "ok"), ("install", "ok"), ("commit", "ok")]),
    ],
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_a_trial_whose_run_was_killed(root: Path, node: Node, statuses: dict, pid_before: t.Any, expected: list, check_mode: bool) -> None:
    append(Tree(str(root)), entry_of("boot", "2", before="1", pid_before=pid_before or os.getpid(), status="unpacked"))
    (root / "releases/new_start_erl.data").write_text("13.1.5 2\n")
    node.statuses = dict(statuses)
    upgrade = upgrade_of(root, node, method="restart")
    upgrade.changes.check_mode = check_mode
    try:
        result = upgrade.carry_out(upgrade.apply)
    except HandlerError as error:
        assert "it was booted at" in str(error) and error.result["rolled_back"]
        result = error.result
    assert outcomes(result) == (expected[:1] if check_mode else expected)
    assert (root / "releases/new_start_erl.data").exists() is check_mode and (root / "releases/history.jsonl").read_text().count("\n") == (
        1 if check_mode else 1 + len(expected)
    )


def test_the_way_is_a_restart_where_one_is_allowed(root: Path, node: Node) -> None:
    assert go(root, node, state="ready")["way"] == go(root, node, state="ready", allow_restart=True)["way"] == "upgrade"
    relup = root / "releases/2/relup"
    relup.write_text(RELUP.replace("point_of_no_return", "restart_emulator"))
    for text in (RELUP.replace("point_of_no_return", "restart_emulator"), ""):
        relup.write_text(text)
        with pytest.raises(HandlerError, match=r"set otp_allow_restart \(option allow_restart\)|Set otp_allow_restart"):
            go(root, node, state="ready")
        assert go(root, node, state="ready", allow_restart=True)["way"] == go(root, node, state="ready", method="restart")["way"] == "restart"
    with pytest.raises(HandlerError, match=r"set otp_upgrade_method \(option method\) to restart"):
        go(root, node, state="ready", method="hot", allow_restart=True)
