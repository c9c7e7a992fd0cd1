# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.upgrade_outcome import outcome_of

BEFORE = {"running": "1", "permanent": "1"}
READY = {"release": "2", "way": "upgrade", "before": BEFORE, "problems": []}
THERE = {"release": "1", "way": "none", "before": BEFORE, "problems": []}
DOWN = {"release": "2", "way": "none", "before": {"running": None, "permanent": "1"}}
DONE = {"release": "2", "ended": 12.0, "unreachable_seconds": 0.5, "problems": []}
GOES = {"began": 10.0, "goes": True}
SKIPPED = {"skipped": True, "false_condition": "_otp_is_due"}
STEPS = {"skipped": True, "false_condition": "not _otp_has_steps"}
NOT_REMOVED = [{"kind": "heart", "cause": "a", "remedy": "b"}, {"kind": "not_removed", "cause": "c", "remedy": "d"}]


def outcome(brought: t.Any, went: t.Any = None, said: t.Any = None, *, down: str = "fail", batch: t.Any = None, **more: t.Any) -> dict[str, t.Any]:
    return outcome_of({"_otp_batch": GOES if batch is None else batch, "_otp_brought": brought, "_otp_went": went, "_otp_said": said, **more}, down=down)


@pytest.mark.parametrize(
    ("host", "expected", "before", "now", "is_over"),
    [
        (outcome_of({}), "not reached", "", "", False),
        (outcome({}), "not reached", "", "", False),
        (outcome(THERE, SKIPPED), "unchanged", "1", "1", True),
        (outcome(THERE, STEPS), "unchanged", "1", "1", False),
        (outcome(READY), "unchanged", "1", "1", False),
        (outcome(READY, DONE), "done", "1", "2", True),
        (outcome(READY, {**DONE, "problems": NOT_REMOVED}), "not finished", "1", "2", False),
        (outcome({**THERE, "problems": NOT_REMOVED}, SKIPPED), "not finished", "1", "1", False),
        (outcome(READY, {"failed": True, "msg": "no"}), "failed", "1", "?", False),
        (outcome(READY, {"failed": True, "msg": "no"}, {"outcome": "rolled back", "reason": "r", "ended": 11.0}), "rolled back", "1", "1", False),
        (outcome(READY, STEPS, {"outcome": "done", "ended": 11.0}), "done", "1", "2", False),
        (outcome({"failed": True, "release": "2", "msg": "no"}, SKIPPED), "refused", "", "", False),
        (outcome({"unreachable": True, "msg": "no"}, SKIPPED), "refused", "", "", False),
        (outcome({"unreachable": True, "msg": "no"}, SKIPPED, down="skip"), "down, left alone", "", "", True),
        (outcome(DOWN, SKIPPED, down="skip"), "down, left alone", "1", "1", True),
        (outcome({**DOWN, "way": "offline"}, DONE, down="offline"), "done", "1", "2", True),
    ],
)
def test_what_has_become_of_a_host(host: dict[str, t.Any], expected: str, before: str, now: str, is_over: bool) -> None:
    assert (host["outcome"], host["before"], host["now"], host["is_over"]) == (expected, before, now, is_over)


def test_who_was_to_go_and_did_not() -> None:
    assert outcome(READY, STEPS)["is_lost"] and outcome(READY, STEPS)["is_due"]
    assert not outcome(READY, STEPS, batch={"began": 1.0, "goes": False})["is_lost"]
    assert not outcome(READY, DONE)["is_due"] and not outcome(THERE, SKIPPED)["is_due"]


def test_seconds() -> None:
    assert (outcome(READY, DONE)["seconds"], outcome(READY, DONE)["down"]) == (2.0, 0.5)
    assert outcome(READY, STEPS, {"outcome": "rolled back", "ended": 15.0, "down": 3.0})["seconds"] == 5.0
    assert outcome(THERE, SKIPPED)["seconds"] is None


@pytest.mark.parametrize(
    ("brought", "more", "reason"),
    [
        ({"unreachable": True, "msg": "no line"}, {}, "the host cannot be reached: no line"),
        ({"failed": True, "release": "2", "msg": "it failed before. Try again with force."}, {}, "it failed before. Try again with otp_force."),
        ({"failed": True, "release": "2", "msg": "Allow it with allow_restart."}, {}, "Allow it with otp_allow_restart."),
        ({"failed": True, "release": "2", "msg": "say with down what becomes of it"}, {}, "say with otp_down what becomes of it"),
        ({"failed": True, "release": "2", "msg": "x has no release 2: give its package"}, {}, "x has no release 2: give its package (otp_upgrade_to is 2)"),
        ({"failed": True, "release": "2", "msg": "no", "needs_package": True}, {}, "no (otp_upgrade_to is 2)"),
        ({"failed": True, "release": ""}, {"_otp_installed": {"msg": "no history"}}, "there is no release to go to: no history"),
        ({"failed": True, "release": ""}, {"_otp_installed": {"unreachable": True, "msg": "no"}}, "the host cannot be reached: no"),
    ],
)
def test_why_a_host_cannot_go(brought: dict[str, t.Any], more: dict[str, t.Any], reason: str) -> None:
    assert outcome(brought, SKIPPED, **more)["reason"] == reason


def test_without_a_release_the_way_out_is_told() -> None:
    assert "set otp_upgrade_to" in outcome({"failed": True, "release": ""}, SKIPPED)["reason"]


def test_why_an_installation_failed() -> None:
    assert outcome(READY, {"failed": True, "msg": "is refused here until force"})["reason"] == "Install the release: is refused here until otp_force"
    assert outcome(READY, {"unreachable": True, "msg": "no"})["reason"] == "Install the release: the host cannot be reached: no"
