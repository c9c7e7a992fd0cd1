# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of a host that is verified, and what is sent to it.

Rules: the host is asked for its releases, and gets what their packages have; a package is sent only where something is to be put back, never in check mode, and
only one that may go to the host; the actions of all are reported; a failure ends it; of a box the controller does the work.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.action import otp_release_verify
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._transport.tasks import Action, make_action

RELEASES = [{"name": "SYSTEM", "version": "FIRST"}, {"name": "SYSTEM", "version": "SECOND"}]
ASKED = {"needs_manifests": RELEASES}
FOUND = {"changed": False, "drift": [], "to_restore": [], "invocation": {}}


class Verifier(otp_release_verify.ActionModule, Action):
    pass


class Transport:
    """In the place of a StdinTransport: gives answers, and keeps what it was asked."""

    def __init__(self, answers: list[dict[str, t.Any]]) -> None:
        self.answers, self.calls, self.packages = answers, [], []

    def execute(self, _action: t.Any, arguments: dict[str, t.Any], _vars: t.Any) -> dict[str, t.Any]:
        self.calls.append(arguments)
        return self.answers.pop(0)

    def run(self, action: t.Any, arguments: dict[str, t.Any], task_vars: t.Any, *, package: str) -> dict[str, t.Any]:
        self.packages.append(package)
        return self.execute(action, arguments, task_vars)


def run(
    directory: Path, monkeypatch: pytest.MonkeyPatch, *answers: dict[str, t.Any], check_mode: bool = False, task_vars: t.Any = None, **arguments: t.Any
) -> tuple[dict[str, t.Any], Transport]:
    for version in ("FIRST", "SECOND"):
        write_package(directory / f"SYSTEM-{version}.tar.gz", release_members(version))
    transport = Transport([*answers])
    monkeypatch.setattr(Action, "run", lambda *_arguments: {})
    monkeypatch.setattr(otp_release_verify, "TRANSPORT", transport)
    monkeypatch.setattr(otp_release_verify.C, "DEFAULT_LOCAL_TMP", str(directory))
    action = make_action(kind=Verifier, check_mode=check_mode)
    action._task.args = {"root": "/srv/exchange", "packages": [str(directory), ""], **arguments}
    return action.run(None, task_vars or {}), transport


def test_a_host_gets_what_its_packages_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, transport = run(tmp_path, monkeypatch, ASKED, FOUND)
    first, second = transport.calls
    assert first["operator"] and first["_run"] and "_manifests" not in first
    assert {*second["_manifests"]} == {"FIRST", "SECOND"} and "releases/FIRST/start.boot" in second["_manifests"]["FIRST"]["files"]
    assert not transport.packages and result == {"changed": False, "drift": [], "to_restore": []}


def test_packages_are_sent_where_something_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, put = {**FOUND, "to_restore": ["SECOND", "FIRST"]}, {**FOUND, "changed": True}
    answers = (ASKED, found, {**put, "actions": ["a"]}, {**put, "actions": ["b"]})
    result, transport = run(tmp_path, monkeypatch, *answers, repair=True)
    assert [call.get("_restore") for call in transport.calls] == [None, None, "SECOND", "FIRST"]
    assert transport.packages == [str(tmp_path / f"SYSTEM-{version}.tar.gz") for version in ("SECOND", "FIRST")]
    assert result["changed"] and result["actions"] == ["a", "b"]


def test_nothing_is_sent_in_check_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, transport = run(tmp_path, monkeypatch, ASKED, {**FOUND, "changed": True, "to_restore": ["FIRST"]}, check_mode=True, repair=True)
    assert result["changed"] and not transport.packages


def test_a_failure_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, transport = run(tmp_path, monkeypatch, {"failed": True, "msg": "no system"})
    assert result["msg"] == "no system" and len(transport.calls) == 1
    found = {**FOUND, "to_restore": ["FIRST", "SECOND"]}
    result, transport = run(tmp_path, monkeypatch, ASKED, found, {"failed": True, "msg": "a link"}, repair=True)
    assert result["msg"] == "a link" and len(transport.packages) == 1


def test_a_package_that_is_not_signed_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "signers").write_text("")
    result, transport = run(
        tmp_path, monkeypatch, ASKED, {**FOUND, "to_restore": ["FIRST"]}, task_vars={"otp_allowed_signers": str(tmp_path / "signers")}, repair=True
    )
    assert all("is not signed" in known["reason"] and "files" not in known for known in transport.calls[1]["_manifests"].values())
    assert not transport.packages and not result["changed"]


def test_a_package_does_not_go_to_a_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The controller has it, and does the work."""
    calls: list[tuple[t.Any, ...]] = []

    def on_box(_action: t.Any, name: str, arguments: dict[str, t.Any], _vars: t.Any, *, package: str) -> dict[str, t.Any]:
        calls.append((name, arguments["_restore"], package))
        return {**FOUND, "changed": True, "actions": ["a"]}

    monkeypatch.setattr(otp_release_verify, "on_box", on_box)
    monkeypatch.setattr(Transport, "name", "otp_release_verify", raising=False)
    result, transport = run(tmp_path, monkeypatch, ASKED, {**FOUND, "to_restore": ["FIRST"]}, task_vars={"otp_box": True}, repair=True)
    assert calls == [("otp_release_verify", "FIRST", str(tmp_path / "SYSTEM-FIRST.tar.gz"))] and not transport.packages
    assert result["actions"] == ["a"] and result["changed"]
