# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What follows for a batch and for a run, from the outcomes of the hosts; and the report.

Rules: a batch goes on while no more hosts than otp_max_fail_percentage are refused, and the run ends when more failed or were lost; a batch is over
when all of its hosts are; the first batch is the fleet if it has all hosts; a host that Ansible lost is in the report as lost.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.filter.upgrade_state import FilterModule
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.upgrade_state import is_one_batch

BEFORE = {"running": "1", "permanent": "1"}
BATCH = {"_otp_batch": {"began": 10.0, "goes": True}}
REFUSED = {**BATCH, "_otp_bring_result": {"failed": True, "release": "2", "msg": "no way"}}
DUE = {**BATCH, "_otp_bring_result": {"release": "2", "way": "upgrade", "before": BEFORE}}
DONE = {**DUE, "_otp_install_result": {"ended": 12.04, "unreachable_seconds": 0.5}}
BACK = {"_otp_rollback": {"cause": {"reason": "the gate is closed " * 8}, "ended": 12.0}, "_otp_rollback_result": {"after": BEFORE}}
ROLLED_BACK = {**DUE, **BACK}
UNCHANGED = {**BATCH, "_otp_bring_result": {"release": "1", "way": "none", "before": BEFORE}}
INSPECTED = {**DUE, "_otp_batch": {}}


def state(*hosts: t.Mapping[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    named = [{"inventory_hostname": f"h{number}", **host} for number, host in enumerate(hosts, 1)]
    return FilterModule().filters()["upgrade_state"](named, **options)


@pytest.mark.parametrize(
    ("found", "true"),
    [
        (state(UNCHANGED, DONE), {"is_over", "is_well"}),
        (state(REFUSED, DUE), {"is_refused", "is_failed"}),
        (state(REFUSED, DUE, max_fail_percentage="50"), {"is_failed"}),
        (state(REFUSED, DONE, max_fail_percentage=50), set()),
        (state(REFUSED, DONE, max_fail_percentage=49), {"is_refused", "is_failed"}),
        (state(DUE, DONE), {"is_failed"}),
        (state(ROLLED_BACK, DONE), {"is_failed", "has_failed"}),
        (state({**DUE, "_otp_install_result": {"failed": True}}), {"is_failed", "has_failed", "is_one_batch"}),
        (state(DUE, DUE, check_mode=True), {"is_over", "is_well"}),
        (state(DONE, DONE, serial="100%"), {"is_over", "is_well", "is_one_batch"}),
    ],
)
def test_what_follows(found: dict[str, t.Any], true: set[str]) -> None:
    assert {name for name, value in found.items() if value is True} - {"is_reached"} == true


@pytest.mark.parametrize(
    ("serial", "count", "expected"),
    [
        (1, 1, True), (1, 2, False), (3, 3, True), ("3", 4, False), ("0", 9, True), (0, 9, True), ("100%", 9, True), ("25%", 4, False), ("25%", 1, True),
        (["1", "25%", "100%"], 1, True), (["1", "25%", "100%"], 2, False), ([2, 1], 2, True), (["50%"], 2, False), ("99%", 100, False),
    ],
)  # fmt: skip
def test_whether_one_batch_has_all_hosts(serial: t.Any, count: int, expected: bool) -> None:
    assert is_one_batch(serial, count) is expected


def test_the_report() -> None:
    assert state(DONE, ROLLED_BACK, REFUSED, DUE, UNCHANGED, UNCHANGED, INSPECTED, {}, playing=["h1", "h5"])["lines"] == [
        "HOST  BEFORE  NOW  SECONDS  OUTCOME      DOWN",
        "h1    1       2    2.0      done         0.5 s",
        "h2    1       1    2.0      rolled back  -",
        "h3    -       -    -        refused      -",
        "h4    1       ?    -        lost         -",
        "h5    1       1    -        unchanged    -",
        "h6    1       1    -        lost         -",
        "h7    1       1    -        not reached  -",
        "h8    -       -    -        not reached  -",
        "h2: the gate is closed the gate is closed the gate is closed the gate is closed the gate",
        "  is closed the gate is closed the gate is closed the gate is closed",
        "h3: no way",
        "h4: Ansible could not go on with the host, see above. Run the playbook again: it goes on",
        "  from where the host is.",
        "h6: Ansible could not go on with the host, see above. Run the playbook again: it goes on",
        "  from where the host is.",
    ]
    # Check mode has the release that the host would run, and that of a host which is not reached.
    assert [line.split() for line in state(DUE, INSPECTED, check_mode=True, playing=["h1", "h2"])["lines"][1:]] == [
        ["h1", "1", "2", "-", "would", "change", "-"],
        ["h2", "1", "1", "-", "not", "reached", "-"],
    ]


def test_an_emulator_that_has_ended_by_itself_was_down_for_a_while() -> None:
    host = {**ROLLED_BACK, "_otp_bring_result": {**DUE["_otp_bring_result"], "before": {**BEFORE, "pid": 1}}}
    for pid, down in ((1, "-"), (None, "-"), (2, "?")):
        line = state({**host, "_otp_rollback_result": {"after": {**BEFORE, "pid": pid}}})["lines"][1]
        assert line.split()[-1] == down


def test_each_host_has_its_own_way_with_a_node_that_is_down() -> None:
    down = {**BATCH, "_otp_bring_result": {"release": "2", "way": "none", "before": {"running": None, "permanent": "1"}}}
    found = state({**down, "otp_down": "skip"}, {**down, "otp_down": "offline"}, down="fail")
    assert [host["outcome"] for host in found["hosts"]] == ["down, left alone", "unchanged"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_host_whose_batch_was_refused_is_held_back(check_mode: bool) -> None:
    ready = {**DUE, "_otp_batch": {"began": 10.0, "goes": False}}
    lines = state({**REFUSED, "_otp_batch": ready["_otp_batch"]}, ready, check_mode=check_mode, playing=["h1", "h2"])["lines"]
    assert [line.split()[-3:-1] for line in lines[1:3]] == [["-", "refused"], ["held", "back"]]
    assert "h2: another host of its batch was refused, so no node of the batch was changed" in lines


def test_a_host_of_which_a_task_was_left_out_is_lost() -> None:
    """By --step: that which installs, the decision on the batch, that which commits."""
    found = {"running": {"pid": 1, "release": "2"}, "permanent": {"release": "1"}}
    steps = {"_otp_steps": {"ended": 11.0}, "_otp_step_result": {"after": {"running": "2", "permanent": "1"}}}
    hosts = [DUE, {**DUE, "_otp_batch": {"began": 10.0}}, {**DUE, **steps, "_otp_found_result": found}]
    said = state(*hosts, playing=["h1", "h2", "h3"])
    assert [line.split() for line in said["lines"][1:4]] == [[host, "1", now, "-", "lost", "-"] for host, now in (("h1", "?"), ("h2", "?"), ("h3", "2"))]
    assert said["lines"][4].startswith("h1: a task of the run was left out (--step)") and not said["is_well"] and not said["is_reached"]
    assert state(DONE, UNCHANGED, REFUSED)["is_reached"] and not state(INSPECTED)["is_reached"]


@pytest.mark.parametrize(
    ("host", "found", "now"),
    [
        (INSPECTED, {}, "1"),
        (INSPECTED, {"failed": True, "msg": "no"}, "1"),
        (INSPECTED, {"running": {"pid": 1, "release": "2"}, "permanent": {"release": "2"}}, "2"),
        (INSPECTED, {"running": {"pid": 1, "release": None}, "permanent": {"release": "2"}}, "?"),
        (INSPECTED, {"running": {"pid": None, "release": None}, "permanent": {"release": "2"}}, "2"),
        ({}, {"running": None, "permanent": {"release": "1"}}, "1"),
        ({}, {"running": None, "permanent": None}, "-"),
    ],
)
def test_what_runs_on_a_host_that_was_not_reached_is_asked_at_the_end(host: dict[str, t.Any], found: dict[str, t.Any], now: str) -> None:
    lines = state({**host, "_otp_found_result": found}, {})["lines"]
    assert lines[1].split() == ["h1", "1" if host else "-", now, "-", "not", "reached", "-"]
    changed = [f"h1: it runs {now} now, which this run has not done"]
    assert lines[3:] == (changed if host and now != "1" else [])


def test_input_that_is_not_a_list_of_hosts() -> None:
    from ansible.errors import AnsibleFilterError

    for wrong in ("h1", {"h1": {}}, None):
        with pytest.raises(AnsibleFilterError, match="needs a list of variables"):
            FilterModule().filters()["upgrade_state"](wrong)


def test_a_run_that_another_one_has_stopped_is_not_well_and_says_why_of_the_hosts_that_it_did_not_come_to() -> None:
    stop = "2026-11-30T12:00:00Z south: rolled back: a gate"
    found = state(DONE, {**INSPECTED, "_otp_stop": stop}, INSPECTED)
    assert found["stop"] == stop and not found["is_well"] and not found["is_reached"]
    assert [(row["outcome"], row["reason"]) for row in found["report"]] == [("done", ""), ("not reached", stop), ("not reached", stop)]
    # The table has it once, as the failure of the run.
    assert not any(stop in line for line in found["lines"])
    assert state(DONE, INSPECTED)["stop"] == ""


def test_the_cause_is_one_line_of_the_first_host_that_failed() -> None:
    failed = {**DUE, "_otp_rollback": {"cause": {"reason": "no\x1b[2J\nits log"}, "ended": 12.0}, "_otp_rollback_result": {"after": BEFORE}}
    assert state(DONE, failed, REFUSED)["cause"] == "h2: rolled back: no[2J"
    assert state(DONE, UNCHANGED)["cause"] == ""
