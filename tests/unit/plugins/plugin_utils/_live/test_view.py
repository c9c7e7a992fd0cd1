# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: the line of a host has the release and the outcome of the report; a step within a task is shown with its own seconds, and numbers in it do not
start them anew; a failure that was rescued is none; what a hostile host says stays in its line.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._live.view import View

BEFORE = {"running": "1", "permanent": "1", "pid": 5}
READY = {"release": "2", "way": "upgrade", "before": BEFORE, "problems": []}
DONE = {"release": "2", "ended": 12.0, "unreachable_seconds": None, "problems": []}
GOES = {"began": 10.0, "goes": True}
NO = {"failed": True, "msg": "the gate is closed\nits log"}
BACK = {"release": "1", "after": BEFORE}


@pytest.fixture
def view() -> View:
    view = View()
    view.begin_batch("Upgrade", ["a", "b"], ["a", "b", "c"])
    return view


def end(view: View, name: str, task: str, result: t.Any) -> None:
    view.end(name, result, variable=f"_otp_{task}_result")


def of(view: View, name: str) -> tuple[str, str, str, bool, str]:
    host = view.hosts[name]
    return host.before, host.after, host.outcome, host.is_bad, host.reason


def test_an_upgrade(view: View) -> None:
    view.end("a", {}, facts={"_otp_batch": GOES, "else": 1}, shared=True)
    assert of(view, "a") == ("", "", "", False, "") and view.hosts["b"].results == {"_otp_batch": GOES} and not view.hosts["c"].results
    end(view, "a", "bring", READY)
    assert of(view, "a") == ("1", "2", "", False, "")
    end(view, "a", "install", DONE)
    assert of(view, "a") == ("1", "2", "done", False, "") and view.hosts["a"].seconds == 2.0
    end(view, "b", "bring", READY)
    end(view, "b", "install", NO)
    assert of(view, "b")[2:4] == ("failed", True) and "the gate is closed its log" in of(view, "b")[4]
    view.end("b", {}, facts={"_otp_rollback": {"cause": {}, "ended": 13.0}})
    end(view, "b", "rollback", BACK)
    assert of(view, "b")[:4] == ("1", "1", "rolled back", True) and "the gate is closed" in of(view, "b")[4]


def test_a_host_that_runs_the_release_already(view: View) -> None:
    end(view, "a", "inspect", {**READY, "way": "none"})
    assert of(view, "a")[2] == ""  # its batch comes
    end(view, "a", "bring", {**READY, "way": "none"})
    assert of(view, "a")[2] == "unchanged"


def test_a_host_that_is_refused(view: View) -> None:
    end(view, "a", "bring", {"unreachable": True, "msg": "no line"})
    assert of(view, "a")[2:4] == ("refused", True) and "no line" in of(view, "a")[4]


def test_a_deployment(view: View) -> None:
    result = {
        "changed": True, "before": None, "pending": "", "release": {"version": "2"}, "seconds": 1.5, "at_boot": "", "node": {"running": True, "pid": 7}
    }  # fmt: skip
    view.end("a", result, variable="_otp_system")
    assert of(view, "a") == ("", "2", "changed", False, "") and view.hosts["a"].seconds == 1.5
    view.end("b", NO, variable="_otp_system")
    assert of(view, "b")[2:4] == ("failed", True) and "the gate is closed" in of(view, "b")[4]


def test_the_seconds_of_a_step(view: View) -> None:
    view.begin("a", "Install", 10.0)
    view.report("a", "gate 1/10", 12.0)
    view.report("a", "gate 2/10", 15.0)
    assert (view.hosts["a"].step, view.hosts["a"].began) == ("gate 2/10", 12.0)
    view.end("a", {})
    view.report("a", "gate 3/10", 16.0)  # too late
    view.report("nobody", "gate 3/10", 16.0)
    assert (view.hosts["a"].step, view.hosts["a"].began) == ("", None) and "nobody" not in view.hosts


def test_a_failure_that_is_rescued_and_one_that_is_not(view: View) -> None:
    for name in ("a", "b"):
        view.begin(name, "Break", 1.0)
        view.end(name, NO)
        view.fail(name, "broken")
    view.begin("a", "Mend", 2.0)
    view.end("a", {})
    assert not view.hosts["a"].is_bad and of(view, "b")[3:] == (True, "broken")
    view.finish({"b"})
    assert [(host.outcome, host.is_bad) for host in view.hosts.values()] == [("ok", False), ("", True), ("not reached", False)]


def test_the_next_batch(view: View) -> None:
    end(view, "a", "bring", READY)
    end(view, "a", "install", DONE)
    view.begin("builder", "Build", 1.0)
    view.end("builder", {})
    view.begin_batch("Upgrade", ["c"], ["a", "b", "c"])
    assert list(view.hosts) == ["a", "b", "c"] and view.hosts["a"].outcome == "done" and view.hosts["c"].step == "waiting"


def test_a_hostile_host(view: View) -> None:
    evil = "\x1b[2J\x1b]0;title\x07one\r\ntwo\u202e\u2028\x9b1A"
    view.begin("a", evil, 1.0)
    assert view.hosts["a"].step == "[2J]0;titleone two1A"
    view.report("a", evil, 1.0)
    view.fail("a", evil)
    end(view, "a", "bring", {**READY, "release": evil, "before": {**BEFORE, "running": evil}})
    host = view.hosts["a"]
    assert all(text.isprintable() for text in (host.step, host.reason, host.before, host.after))
