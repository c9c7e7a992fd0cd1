# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages of releases in between.

Rules: they are looked for only where no relup leads to the release without a restart, and a release is to be brought; each is unpacked from its package, with
the configuration of the host; then all is checked once more; what is wrong with one is reported with its name; in check mode nothing more is asked.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.action import otp_release_handler
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._transport.tasks import Action, make_action

NO_WAY = {"failed": True, "msg": "no way", "problems": [{"kind": "no_way"}]}
RESTART = {"way": "restart", "changed": True, "before": {"running": "1"}}
THROUGH = {"way": "upgrade", "between": ["2"], "changed": False, "before": {"running": "1"}, "actions": ["a"]}


class Handler(otp_release_handler.ActionModule, Action):
    pass


def run(directory: Path, monkeypatch: pytest.MonkeyPatch, answers: list[dict[str, t.Any]], *, check_mode: bool = False, **arguments: t.Any) -> tuple:
    """The result, and the arguments of each call of the module. SYSTEM-3, from a package, is requested; SYSTEM-2 is beside it."""
    for version, earlier in (("2", "1"), ("3", "2")):
        relup = {f"releases/{version}/relup": f'{{"{version}",[{{"{earlier}",[],[]}}],[]}}.\n'.encode()}
        write_package(directory / f"SYSTEM-{version}.tar.gz", {**relup, **release_members(version)})
    calls: list[dict[str, t.Any]] = []
    monkeypatch.setattr(Action, "run", lambda *_arguments: {})
    monkeypatch.setattr(otp_release_handler, "run_as_operator", lambda _action, _transport, asked, _vars: calls.append(asked) or answers.pop(0))
    action = make_action(kind=Handler, check_mode=check_mode)
    package = str(directory / "SYSTEM-3.tar.gz")
    action._task.args = {"release": "3", "state": "ready", "_between_dir": "/none", "package": package, "checksum": "c", "configuration": {"x": 1}, **arguments}
    return action.run(None, {}), calls


@pytest.mark.parametrize("first", [NO_WAY, RESTART])
def test_a_release_in_between_is_brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: dict[str, t.Any]) -> None:
    unpacked = {"changed": True, "actions": ["b"]}
    result, calls = run(tmp_path, monkeypatch, [first, THROUGH, unpacked, {**THROUGH, "actions": ["c"]}])
    assert (result["way"], result["between"], result["changed"], result["actions"]) == ("upgrade", ["2"], True, ["a", "b", "c"])
    assert calls[1]["_between"]["2"]["upgrade_from"] == {"1": "none"} and [*calls[1]["_between"]] == ["2"]
    assert calls[2] == {"release": "2", "state": "unpacked", "package": str(tmp_path / "SYSTEM-2.tar.gz"), "configuration": {"x": 1}}
    assert calls[3] == calls[0] and "_between_dir" not in calls[0]


def test_one_that_is_there_is_configured_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, calls = run(tmp_path, monkeypatch, [THROUGH, {"changed": True}, THROUGH])
    assert result["changed"] and [call["state"] for call in calls] == ["ready", "unpacked", "ready"] and "_between" not in str(calls)


@pytest.mark.parametrize(
    ("answers", "more", "count"),
    [
        ([{"way": "upgrade"}], {}, 1),
        ([RESTART], {"method": "restart"}, 1),
        ([NO_WAY], {"state": "permanent"}, 1),
        ([NO_WAY], {"client": "c@h"}, 1),
        ([NO_WAY], {"_between_dir": ""}, 1),
        ([NO_WAY], {"package": "https://example.com/SYSTEM-3.tar.gz"}, 1),
        # No way through these either.
        ([NO_WAY, {**NO_WAY, "msg": "other"}], {}, 2),
        ([RESTART, RESTART], {}, 2),
    ],
)
def test_otherwise_nothing_is_different(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: list, more: dict[str, t.Any], count: int) -> None:
    result, calls = run(tmp_path, monkeypatch, [*answers], **more)
    assert len(calls) == count and {key: result.get(key) for key in answers[0]} == answers[0]


def test_what_is_wrong_with_one_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"failed": True, "msg": "release 2 failed on this host", "between": ["2"]}
    result, calls = run(tmp_path, monkeypatch, [NO_WAY, failed])
    assert result["msg"] == failed["msg"] and len(calls) == 2
    result, calls = run(tmp_path, monkeypatch, [NO_WAY, THROUGH, {"failed": True, "msg": "no room"}])
    assert result["failed"] and result["msg"] == "release 2, which is in between: no room" and len(calls) == 3


@pytest.mark.parametrize("way", [["2"] * 21, "2", [["2"]], {"2": ""}])
def test_no_host_keeps_the_controller_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: t.Any) -> None:
    result, calls = run(tmp_path, monkeypatch, [NO_WAY, {**THROUGH, "between": way}])
    assert result["failed"] and result["between"] == [] and len(calls) == 2


def test_check_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = {"name": "SYSTEM", "version": "3"}
    more = {"package": None, "_package_release": package, "_between_dir": str(tmp_path)}
    result, calls = run(tmp_path, monkeypatch, [NO_WAY, THROUGH, {"changed": True}], check_mode=True, **more)
    assert result["between"] == ["2"] and result["changed"] and len(calls) == 3 and calls[1]["_package_release"] == package
