# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of the way that a module takes: the switch of the inventory goes before that of the environment; one warning says why the module goes
Ansible's way, none if the switch or invalid options are the cause; another strategy's or connection's methods make nothing crash.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from ansible.template import trust_as_template
from ansible.utils.display import Display

from ansible_collections.erlang.otp.plugins.plugin_utils._transport import stdin_transport
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.conditions import ENVIRONMENT_VARIABLE, VARIABLE
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._transport.tasks import Action, interpreter, make_action

TRANSPORT = stdin_transport.StdinTransport("otp_target_system")
ABSENT = {"root": "/nowhere/srv", "checksum": "sha256:" + 64 * "0"}


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    shown: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda _self, text, **_options: shown.append(text))
    return shown


@pytest.mark.parametrize(
    ("variable", "environment", "is_on"),
    [
        (None, None, True),
        (None, "", True),
        (None, "false", False),
        (None, "no", False),
        (None, "true", True),
        (False, None, False),
        (trust_as_template("{{ 1 == 2 }}"), None, False),
        ("false", "true", False),
        (True, "false", True),
    ],
)
def test_the_switch(tmp_path: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch, variable: t.Any, environment: str | None, is_on: bool) -> None:
    if environment is not None:
        monkeypatch.setenv(ENVIRONMENT_VARIABLE, environment)
    action = make_action()
    result = TRANSPORT.execute(action, ABSENT, {**interpreter(tmp_path), **({} if variable is None else {VARIABLE: variable})})
    assert bool(result.get("needs_package")) is is_on and bool(action.went_ansibles_way) is not is_on
    assert not warnings


def test_the_switch_of_the_host_that_does_the_task(tmp_path: Path, warnings: list[str]) -> None:
    action = make_action()
    action._task.delegate_to = "master"
    assert TRANSPORT.run(action, ABSENT, {VARIABLE: True, "ansible_delegated_vars": {"master": {**interpreter(tmp_path), VARIABLE: False}}}) is None
    assert not warnings


@pytest.mark.parametrize("name", [VARIABLE, ENVIRONMENT_VARIABLE])
def test_a_switch_that_is_no_boolean(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "of")
    with pytest.raises(AnsibleActionFail, match=f"{name} is 'of', which is not a boolean. Set it to true or false."):
        TRANSPORT.run(make_action(), ABSENT, {VARIABLE: "of"} if name == VARIABLE else {})


def test_options_that_are_invalid_go_ansibles_way_without_a_warning(tmp_path: Path, warnings: list[str]) -> None:
    action = make_action()
    assert TRANSPORT.execute(action, {"root": "/srv", "state": "running"}, interpreter(tmp_path))["arguments"]["state"] == "running"
    assert not warnings


class Mitogen(Action):
    """As ansible_mitogen.mixins.ActionModuleMixin replaces the methods."""

    def _is_pipelining_enabled(self, *dummy: t.Any) -> bool:
        raise AssertionError("_is_pipelining_enabled() should never be called.")


def without_a_shell_family() -> Action:
    action = make_action()
    action._connection._shell = object()
    return action


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: make_action(pipelining=False), "pipelining is off"),
        (lambda: make_action(async_seconds=60), "the task is asynchronous"),
        (without_a_shell_family, "the shell of the host is not a POSIX shell"),
        (lambda: make_action(kind=Mitogen), "AssertionError: _is_pipelining_enabled() should never be called."),
    ],
    ids=["pipelining", "async", "shell", "mitogen"],
)
def test_the_warning_says_why(tmp_path: Path, warnings: list[str], make: t.Callable[[], Action], reason: str) -> None:
    for directory in ("one", "other"):
        (tmp_path / directory).mkdir()
        action = make()
        assert TRANSPORT.execute(action, ABSENT, interpreter(tmp_path / directory))["arguments"] == ABSENT and action.went_ansibles_way == 1
    # Equal for all hosts, because Ansible shows equal warnings once.
    assert len(warnings) == 2 and len(set(warnings)) == 1
    assert reason in warnings[0] and "set otp_stdin_transport to false" in warnings[0]


def test_a_python_that_does_not_start(warnings: list[str]) -> None:
    action = make_action()
    TRANSPORT.execute(action, ABSENT, {"ansible_python_interpreter": "/nowhere/python"})
    assert action.went_ansibles_way == 1 and len(warnings) == 1 and "Python did not start on a host (status 127:" in warnings[0]
