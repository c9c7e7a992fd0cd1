# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a run has ended only where that is known: its process was one of this place and is gone, or another one has its number; the mark of the
same operator's ended run does not count, and that of any other does.
"""

from __future__ import annotations

import os
import subprocess
import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._transport import this_run
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.stdin_transport import StdinTransport
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.this_run import has_ended, operator, run_as_operator, run_of
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._transport.tasks import make_action

HANDLER = StdinTransport("otp_release_handler")


def test_a_run_has_ended_when_its_process_is_gone() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        run = run_of(process.pid)
        number, start, place = run.split("-")
        assert not has_ended(run)
        process.kill()
        # It is still listed then.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert has_ended(run)
    assert has_ended(run)
    # Another process has its number.
    mine = run_of(os.getpid()).split("-")
    assert not has_ended("-".join(mine)) and has_ended(f"{mine[0]}-{int(mine[1]) - 1}-{mine[2]}")
    # Elsewhere, or nothing that is known here.
    words = ((number, start, "00000000"), (number, start), (number, "0", place), ("x", start, place), ("", "1", start, place), (number, "x", place), ("",))
    for other in map("-".join, words):
        assert not has_ended(other), other
    assert has_ended(f"{'9' * 30}-{start}-{place}")


def test_the_operator_is_a_user_of_a_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    assert operator().partition("@")[2]

    def nobody() -> str:
        raise KeyError

    monkeypatch.setattr(this_run.getpass, "getuser", nobody)
    assert operator().startswith(f"{os.getuid()}@")


@pytest.mark.parametrize(
    ("holder", "ended", "times"),
    [
        ({}, True, 1),
        ({"operator": "alice@laptop", "run": "1-2-a"}, True, 2),
        ({"operator": "alice@laptop", "run": "1-2-a"}, False, 1),
        ({"operator": "bob@desk", "run": "1-2-a"}, True, 1),
    ],
)
def test_the_mark_of_a_run_that_was_killed_does_not_count(monkeypatch: pytest.MonkeyPatch, holder: dict[str, str], ended: bool, times: int) -> None:
    asked: list[dict[str, t.Any]] = []
    monkeypatch.setattr(this_run, "run_module", lambda _action, _transport, arguments, _variables: asked.append(arguments) or {"held_by": holder})
    monkeypatch.setattr(this_run, "has_ended", lambda run: ended)
    run_as_operator(make_action(), HANDLER, {"operator": "alice@laptop"}, {})
    assert len(asked) == times and asked[0]["_run"] == run_of(os.getppid()) and "_ended_run" not in asked[0]
    assert times == 1 or asked[1]["_ended_run"] == "1-2-a"
