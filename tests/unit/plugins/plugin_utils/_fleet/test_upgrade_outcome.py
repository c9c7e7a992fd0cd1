# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of a host in an upgrade.

Rules: a later result counts more than an earlier one; a host that could not be asked is refused, or left alone where otp_down says so; a rollback
that fails is named with both reasons; what is left undone at the end is not forgotten; a host is due only while its batch goes on, its node is
unchanged and it is not check mode; a host without hooks and gates is over when its node is; the module's options have the role's names.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.upgrade_outcome import cause, outcome_of

BEFORE = {"running": "1", "permanent": "1"}
READY = {"release": "2", "way": "upgrade", "before": BEFORE, "problems": []}
THERE = {"release": "1", "way": "none", "before": BEFORE, "problems": []}
DOWN = {"release": "2", "way": "none", "before": {"running": None, "permanent": "1"}}
DONE = {"release": "2", "ended": 12.0, "unreachable_seconds": 0.5, "problems": []}
NO = {"failed": True, "msg": "no"}
GONE = {"unreachable": True, "msg": "no line"}
SKIPPED = {"skipped": True}
STEPS = {"has_steps": True}
ENDED = {"ended": 11.0}
COMMITTED = {"after": {"running": "2", "permanent": "2"}}
GOES = {"began": 10.0, "goes": True}
BEFORE_AGAIN = {"after": BEFORE}
BACK = {"rollback": {"cause": {"reason": "rain"}, "ended": 11.0}}
SECOND = [{"kind": "second_emulator", "cause": "e", "remedy": "f"}]
NOT_REMOVED = [{"kind": "heart", "cause": "a", "remedy": "b"}, {"kind": "not_removed", "cause": "c", "remedy": "d"}]


def outcome(bring: t.Any, *, down: str = "fail", check_mode: bool = False, **of: t.Any) -> dict[str, t.Any]:
    """bring and so on: the results of these tasks; the other names are as in the host's variables."""
    tasks = {"bring": bring, **{task: of.pop(task) for task in ("inspect", "install", "commit", "step", "rolled", "reboot", "cleanup", "info") if task in of}}
    tasks["rollback"] = tasks.pop("rolled", {})
    host = {"_otp_batch": GOES, **{f"_otp_{task}_result": result for task, result in tasks.items()}, **{f"_otp_{name}": value for name, value in of.items()}}
    return outcome_of(host, down=down, check_mode=check_mode)


@pytest.mark.parametrize(
    ("host", "expected", "before", "now", "is_due", "is_over"),
    [
        (outcome_of({}), "not reached", "", "", False, False),
        (outcome({}), "not reached", "", "", False, False),
        (outcome(THERE, install=SKIPPED), "unchanged", "1", "1", False, True),
        (outcome({**THERE, **STEPS}, install=SKIPPED), "unchanged", "1", "1", False, False),
        (outcome(READY), "unchanged", "1", "1", True, False),
        (outcome({**READY, **STEPS}, install=SKIPPED), "unchanged", "1", "1", True, False),
        (outcome(READY, batch={"began": 1.0, "goes": False}), "unchanged", "1", "1", False, True),
        (outcome(READY, check_mode=True), "would change", "1", "2", False, True),
        (outcome({**READY, **STEPS}, check_mode=True), "would change", "1", "2", False, True),
        (outcome({**THERE, **STEPS}, check_mode=True), "unchanged", "1", "1", False, True),
        (outcome(READY, install=DONE), "done", "1", "2", False, True),
        (outcome(READY, install={**DONE, "problems": NOT_REMOVED}), "not finished", "1", "2", False, False),
        (outcome({**THERE, "problems": NOT_REMOVED}), "not finished", "1", "1", False, False),
        (outcome(READY, install=NO), "failed", "1", "?", False, False),
        (outcome(READY, install=NO, rolled=BEFORE_AGAIN, **BACK), "rolled back", "1", "1", False, False),
        (outcome({**READY, **STEPS}, steps=ENDED, commit=COMMITTED), "done", "1", "2", False, False),
        (outcome({**READY, **STEPS}, steps=ENDED, step={"after": {"running": "2", "permanent": "1"}}), "unchanged", "1", "1", True, False),
        (outcome({**READY, **STEPS}, steps=ENDED, commit=COMMITTED, cleanup={"problems": NOT_REMOVED}), "not finished", "1", "2", False, False),
        (outcome({**READY, **STEPS}, steps=ENDED, commit=COMMITTED, rolled=BEFORE_AGAIN, reboot=SKIPPED, **BACK), "rolled back", "1", "1", False, False),
        (outcome(READY, rolled=NO, reboot=BEFORE_AGAIN, **BACK), "rolled back", "1", "1", False, False),
        (outcome(READY, rolled=NO, reboot=NO, **BACK), "failed", "1", "?", False, False),
        (outcome(READY, rolled=BEFORE_AGAIN, cleanup_failure={"task": "t", "result": NO}, **BACK), "rolled back", "1", "1", False, False),
        (outcome({"release": "2", **NO}), "refused", "", "", False, False),
        (outcome(GONE), "refused", "", "", False, False),
        (outcome(GONE, down="skip"), "down, left alone", "", "", False, True),
        (outcome(NO, down="skip"), "refused", "", "", False, False),
        (outcome(DOWN, down="skip"), "down, left alone", "1", "1", False, True),
        (outcome({**DOWN, "way": "offline"}, install=DONE, down="offline"), "done", "1", "2", False, True),
    ],
)
def test_what_became_of_a_host(host: dict[str, t.Any], expected: str, before: str, now: str, is_due: bool, is_over: bool) -> None:
    assert (host["outcome"], host["before"], host["now"], host["is_due"], host["is_over"]) == (expected, before, now, is_due, is_over)
    assert host["is_bad"] == (expected in ("refused", "rolled back", "failed", "not finished"))


def test_before_is_what_ran_and_back_what_is_permanent() -> None:
    """An upgrade that was cut short before its commit, and a rollback of it."""
    tried = {"running": "2", "permanent": "1"}
    finished = outcome({**READY, "way": "commit", "before": tried}, install=DONE)
    assert (finished["before"], finished["now"], finished["back"]) == ("2", "2", "1")
    taken_back = outcome({**READY, "release": "1", "before": tried}, install={**DONE, "release": "1"})
    assert (taken_back["outcome"], taken_back["before"], taken_back["now"]) == ("done", "2", "1")
    failed = outcome({**READY, "before": tried}, install=NO, rolled=BEFORE_AGAIN, **BACK)
    assert (failed["outcome"], failed["before"], failed["now"]) == ("rolled back", "2", "1")


def test_seconds() -> None:
    assert (outcome(READY, install=DONE)["seconds"], outcome(READY, install=DONE)["down"]) == (2.0, 0.5)
    rolled_back = outcome(READY, step={"unreachable_seconds": 2.0}, rolled=NO, reboot={"unreachable_seconds": 1.0}, **BACK)
    assert (rolled_back["seconds"], rolled_back["down"]) == (1.0, 3.0)
    assert outcome(THERE)["seconds"] is None


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        (outcome(GONE), "the host cannot be reached: no line"),
        (outcome({**READY, "problems": SECOND}, install=DONE), "e. f."),
        (outcome({**READY, "problems": SECOND, "restarted": True}, check_mode=True), "its node would be restarted; e. f."),
        (outcome({**READY, "release": "3", "between": ["2"]}, check_mode=True), "its way is 1 -> 2 -> 3, without a restart"),
        (outcome({**READY, "release": "3", "between": ["2"]}, install=DONE), "its way is 1 -> 2 -> 3, without a restart"),
        (
            outcome({**READY, "release": "3", "between": ["2"]}, step={"release": "2"}, rolled=BEFORE_AGAIN, **BACK),
            "release 2: rain; its way is 1 -> 2 -> 3, without a restart",
        ),
        (outcome({"failed": True, "release": "2", "msg": "the node is down: start it"}), "the node is down: start it"),
        (outcome({"failed": True, "release": "2", "msg": "no", "needs_package": True}), "no (otp_upgrade_to is 2)"),
        # It failed before the module ran.
        (outcome({"failed": True, "msg": "Task failed: the package is damaged"}), "the package is damaged"),
        (outcome({}, info=GONE), "the host cannot be reached: no line"),
        (outcome({}, inspect=NO), "no"),
        (outcome({"skipped": True}, inspect=NO), "no"),
        (outcome(READY, install={"failed": True, "msg": "no heart"}), "Install the release: no heart"),
        (outcome(READY, install=GONE), "Install the release: the host cannot be reached: no line"),
        (outcome(READY, install=NO, rolled=BEFORE_AGAIN, rollback={"cause": {}, "ended": 1.0}), "Install the release: no"),
        (outcome(READY, rolled=NO, reboot=GONE, **BACK), "rain; and the rollback failed: the host cannot be reached: no line"),
        (outcome(READY, rolled={"after": {"running": "2"}}, **BACK), "rain; and the rollback failed: the node runs 2"),
        (outcome(READY, rolled=BEFORE_AGAIN, reboot={"after": {"running": None}}, **BACK), "rain; and the rollback failed: the node runs no release"),
        (outcome({**DOWN, "way": "offline"}, rolled={"after": DOWN["before"]}, **BACK), "rain"),
        (outcome(READY, install={**DONE, "problems": NOT_REMOVED}, cleanup_failure={"task": "Drain", "result": NO}), "Drain: no; c. d."),
        (outcome(READY, rolled=BEFORE_AGAIN, cleanup={"problems": NOT_REMOVED}, **BACK), "rain"),
        (outcome(READY, **BACK), "rain; and the rollback failed: none of its tasks was run"),
    ],
)
def test_the_reason(host: dict[str, t.Any], reason: str) -> None:
    assert host["reason"] == reason


@pytest.mark.parametrize(
    ("info", "text"),
    [
        ({}, "no release to change to is known: set otp_upgrade_to to its version, or have it built"),
        ({"msg": "no history"}, "no release to change to is known: no history"),
        ({"previous": None, "permanent": None}, "no system is installed below otp_root"),
        ({"previous": None, "permanent": {"release": "1"}, "releases": [{"version": "1"}, {"version": "2"}]}, "so set otp_upgrade_to to one of those that"),
        ({"previous": None, "permanent": {"release": "1"}, "releases": [{"version": "1"}]}, "no release before 1 is known, and no other one is installed"),
    ],
)
def test_without_a_release_the_way_out_is_named(info: dict[str, t.Any], text: str) -> None:
    assert text in outcome({}, info=info)["no_release"]


def test_what_was_shown_is_not_shown_again() -> None:
    """A host that is not finished, because of a problem in the result of a task that has not failed, has not been shown."""
    assert outcome(READY, install=NO)["is_shown"] and outcome(GONE)["is_shown"] and outcome(READY, install=DONE, cleanup_failure={"task": "t"})["is_shown"]
    assert not outcome(READY, install={**DONE, "problems": NOT_REMOVED})["is_shown"]
    elsewhere = {"after": {"running": "2"}}
    assert outcome(READY, rolled=BEFORE_AGAIN, **BACK)["is_shown"] and not outcome(READY, rolled=elsewhere, **BACK)["is_shown"]
    assert outcome(READY, rolled=elsewhere, rollback={"cause": {"task": "t", "result": NO}, "ended": 11.0})["is_shown"]


def test_a_node_that_is_down_is_named_and_what_was_only_started_leads_nowhere_back() -> None:
    assert outcome(DOWN, down="offline")["reason"] == "the node is down"
    starts = {**DOWN, "way": "start"}
    assert outcome(starts, down="offline")["is_due"]
    assert outcome(starts, down="offline", check_mode=True)["reason"] == "its node is down, and would be started"
    failed = outcome(starts, down="offline", step=NO, rolled={"release": "1"}, **{"rollback": BACK["rollback"]})
    assert failed["outcome"] == "failed" and failed["reason"].startswith("rain; the node was down, and was only started")


@pytest.mark.parametrize(
    ("held", "is_held"),
    [([], False), ([True], True), ([True, False], False), ([True, True], True), ([True, True, True, False], False), ([True, False, True], True)],
)
def test_a_host_is_held_as_its_last_result_has_it(held: list[bool], is_held: bool) -> None:
    tasks = dict(zip(("install", "step", "rolled"), ({**DONE, "held": each} for each in held[1:])))
    assert outcome({**READY, **({"held": held[0]} if held else {})}, **tasks, cleanup=SKIPPED)["is_held"] == is_held


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        ({}, ""),
        ({"reason": "another host failed"}, "another host failed"),
        ({"task": "Drain", "result": {"failed": True}}, "Drain: it failed"),
        ({"task": "Get", "result": {"results": [{"item": {"url": "u"}, **NO}, {"item": {"name": "n", "url": "u"}}]}}, "Get: u: no"),
        ({"task": "Get", "result": {"results": [{"item": {"name": "n", "command": "c"}, **NO}, {"item": {"command": "c"}, **NO}]}}, "Get: n: no, c: no"),
        ({"task": "Hook", "result": {"results": [{"item": 3, **NO}], "msg": "One or more items failed"}}, "Hook: 3: no"),
    ],
)
def test_why_a_task_failed(failure: dict[str, t.Any], text: str) -> None:
    assert cause(failure) == text
