# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: each action plugin runs the module of its own name; no module goes to a box without Python."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.erlang.otp.plugins.plugin_utils._box.action import is_box
from ansible_collections.erlang.otp.plugins.plugin_utils._transport import stdin_transport
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.action import TransportAction
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._transport.tasks import Action, make_action

ACTIONS = Path(__file__).parents[4] / "plugins" / "action"
PACKAGE = "ansible_collections.erlang.otp.plugins.action"
# Where a plugin has its StdinTransport, if it has one.
TRANSPORT = {"TRANSPORT", "transport"}


@pytest.mark.parametrize("name", sorted(path.stem for path in ACTIONS.glob("*.py")))
def test_the_module_has_the_name_of_the_plugin(name: str) -> None:
    plugin = importlib.import_module(f"{PACKAGE}.{name}")
    assert getattr(plugin.ActionModule, "module", name) == name
    transports = [item.transport if hasattr(item, "transport") else item.TRANSPORT for item in (plugin, plugin.ActionModule) if TRANSPORT & set(vars(item))]
    assert [transport.name for transport in transports] in ([], [name])


class Chooser(TransportAction, Action):
    transport = stdin_transport.StdinTransport("otp_rpc")


@pytest.mark.parametrize(("otp_box", "delegate_to", "is_on_box"), [(True, None, True), ("yes", None, True), (False, None, False), (True, "master", False)])
def test_a_box_gets_no_module(monkeypatch: pytest.MonkeyPatch, otp_box: t.Any, delegate_to: str | None, is_on_box: bool) -> None:
    calls = []
    monkeypatch.setattr(stdin_transport, "on_box", lambda _action, module, *_arguments, **_options: calls.append(module) or {"changed": False})
    monkeypatch.setattr(Action, "_execute_module", lambda *_arguments, **_options: calls.append("host") or {})
    monkeypatch.setattr(stdin_transport, "is_switched_on", lambda *_arguments: False)
    monkeypatch.setattr(Action, "run", lambda *_arguments: {})
    action = make_action(kind=Chooser)
    action._task.delegate_to = delegate_to
    assert is_box(action, {"otp_box": otp_box}) is is_on_box
    action.run(None, {"otp_box": otp_box})
    assert calls == (["otp_rpc"] if is_on_box else ["host"])


class Builder(TransportAction, Action):
    transport = stdin_transport.StdinTransport("otp_release_build", for_boxes=False)


@pytest.mark.parametrize("seconds", [0, 60])
def test_a_builder_has_python_whatever_all_hosts_have_and_its_module_may_be_asynchronous(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    calls = []
    monkeypatch.setattr(Action, "_execute_module", lambda *_arguments, wrap_async, **_options: calls.append(wrap_async) or {})
    monkeypatch.setattr(stdin_transport, "is_switched_on", lambda *_arguments: False)
    monkeypatch.setattr(stdin_transport, "warn", calls.append)
    monkeypatch.setattr(Action, "run", lambda *_arguments: {})
    action = make_action(kind=Builder, async_seconds=seconds)
    assert action._supports_async
    action.run(None, {"otp_box": True})
    assert calls == [seconds]


DIRTY = {"msg": "\x1b[2Ja\x9b", "changed": False, "actions": ["b\u202e"], "\x1bc": {"diff": [{"before": "\x1b]0;d\x07\n"}]}}
CLEAN = {"msg": "[2Ja", "changed": False, "actions": ["b"], "c": {"diff": [{"before": "]0;d\n"}]}}


class Dirty:
    """In the place of a StdinTransport: brings results with control characters."""

    for_boxes = True

    def execute(self, *_arguments: t.Any) -> dict[str, t.Any]:
        return dict(DIRTY)


@pytest.mark.parametrize("name", sorted(path.stem for path in ACTIONS.glob("otp_r[ep]*.py")) + ["otp_target_system"])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_what_a_host_says_is_clean(monkeypatch: pytest.MonkeyPatch, name: str, state: str) -> None:
    plugin = importlib.import_module(f"{PACKAGE}.{name}")
    monkeypatch.setattr(plugin, "TRANSPORT", Dirty(), raising=False)
    monkeypatch.setattr(plugin.ActionModule, "transport", Dirty(), raising=False)
    monkeypatch.setattr(Action, "_execute_module", lambda *_arguments, **_options: dict(DIRTY))
    monkeypatch.setattr(Action, "run", lambda *_arguments: {})
    action = make_action(kind=type("Tried", (plugin.ActionModule, Action), {}))
    action._task.args = {"state": state}
    result = action.run(None, {})
    assert {key: result[key] for key in CLEAN} == CLEAN
    assert not any("\x1b" in key for key in result)


@pytest.mark.parametrize(
    ("name", "option"), [("otp_release_build", "version"), *((f"otp_release_{name}", "release") for name in ("handler", "config", "install", "client"))]
)
def test_a_version_that_is_a_number_does_not_reach_a_host(monkeypatch: pytest.MonkeyPatch, name: str, option: str) -> None:
    plugin = importlib.import_module(f"{PACKAGE}.{name}")
    monkeypatch.setattr(Action, "run", lambda *_arguments: {})
    action = make_action(kind=type("Tried", (plugin.ActionModule, Action), {}))
    action._task.args = {option: 1.10, "root": "/srv/exchange"}
    with pytest.raises(AnsibleActionFail, match=f"{option} is 1.1, and not a text: .* Write the version in quotes"):
        action.run(None, {})


def test_a_host_that_lacks_a_package_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = importlib.import_module(f"{PACKAGE}.otp_target_system")
    needs = {"needs_package": True, "msg": "north lacks FIRST", "changed": False}
    monkeypatch.setattr(plugin, "run_as_operator", lambda *_arguments: dict(needs))
    monkeypatch.setattr(Action, "run", lambda *_arguments: {})
    action = make_action(kind=type("Tried", (plugin.ActionModule, Action), {}))
    result = action.run(None, {})
    assert result["failed"] and result["msg"] == "north lacks FIRST, and no package is given: set otp_package, or have one built."
    needs.pop("needs_package")
    assert "failed" not in action.run(None, {})


def test_a_box_that_is_neither() -> None:
    with pytest.raises(AnsibleActionFail, match="otp_box is 'maybe': set it to true or false"):
        is_box(make_action(), {"otp_box": "maybe"})
    assert is_box(make_action(), {"otp_box": "true"}) and not is_box(make_action(), {"otp_box": "false"})
