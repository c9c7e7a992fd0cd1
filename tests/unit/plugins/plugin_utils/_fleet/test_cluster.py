# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the nodes of a cluster say together.

Rules: a fraction of the nodes is rounded up; nodes that are down or still boot count as missing, also on hosts outside of the run; a batch that takes too
many away is refused for that cluster, and the other hosts of the batch are held back; nodes that are only started take none away; the run ends whatever
otp_max_fail_percentage is; the message names what is down and how many may go. The batch before is the last one that was watched to its end.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.filter.upgrade_state import FilterModule
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.cluster import broken_gate, least_of, reports_before

UP, BOOTING, DOWN = {"text": "{started,started}"}, {"text": "{starting,starting}"}, {"msg": "The node c@c cannot be reached: refused.\nmore"}


@pytest.mark.parametrize(
    ("rule", "size", "least"), [("2/3", 3, 2), ("2/3", 4, 3), ("2/3", 6, 4), ("1/2", 5, 3), ("3/3", 7, 7), ("0/5", 5, 0), (2, 9, 2), ("0", 3, 0), ("2/3", 1, 1)]
)
def test_how_many_must_run(rule: t.Any, size: int, least: int) -> None:
    assert least_of(rule, size) == least


@pytest.mark.parametrize("rule", ["3/2", "2/0", "half", "66%", "-1", "1.5", " 2"])
def test_what_is_no_rule(rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        least_of(rule, 3)


def asked(cluster: str, rule: t.Any, **answers: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What a host of the batch has heard."""
    return {"results": [{"item": {"host": host, "cluster": cluster, "least": rule}, **answer} for host, answer in answers.items()]}


def host(name: str, way: str = "upgrade", *, heard: t.Mapping[str, t.Any] | None = None, **more: t.Any) -> dict[str, t.Any]:
    before = {"running": None if way in ("start", "offline") else "1", "permanent": "1"}
    bring = {"release": "2", "way": way, "before": before}
    return {"inventory_hostname": name, "_otp_batch": {"began": 1.0}, "_otp_bring_result": bring, "_otp_members_result": heard or {}, **more}


def state(*hosts: t.Mapping[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    return FilterModule().filters()["upgrade_state"]([*hosts], **options)


def decided(*hosts: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """As the role does it: what follows for the batch is with each of its hosts afterwards."""
    short = state(*hosts)["short"]
    return [{**each, "_otp_batch": {"began": 1.0, "goes": not short, "short": short}} for each in hosts]


def test_a_node_that_is_down_elsewhere_counts() -> None:
    hosts = decided(host("a", heard=asked("otp", "2/3", a=UP, b=UP, c=DOWN)))
    (outcome,) = state(*hosts)["hosts"]
    assert outcome["outcome"] == "refused" and not outcome["is_due"] and not outcome["can_go"] and not outcome["is_shown"]
    assert outcome["reason"] == (
        "only 1 of 3 nodes of the group otp would run without a, and otp_min_available is 2/3, which is 2. No node of the batch was taken away."
        " Down are: c (The node c@c cannot be reached: refused). The ways out: start c first, by the playbook erlang.otp.start,"
        " or lower it for this run, with -e otp_min_available=NUMBER."
    )
    assert state(*hosts, max_fail_percentage=100)["is_failed"]


def test_the_answers_are_of_all_hosts_of_the_batch_and_one_that_boots_is_down() -> None:
    hosts = [host("a", heard=asked("otp", 3, a=UP, c=UP)), host("b", heard=asked("otp", 3, b=UP, d=BOOTING, e=UP))]
    found = state(*hosts)
    assert found["running"] == ["a", "c", "b", "e"]
    assert [*found["short"]] == ["a", "b"] and "only 2 of 5 nodes" in found["short"]["a"]
    assert "Down are: d (it is {starting,starting})" in found["short"]["a"] and "with -e otp_serial=1, or" in found["short"]["a"]
    assert state(host("a", heard=asked("otp", 3, a=UP, b=UP, c=UP, d=BOOTING, e=UP)))["short"] == {}


def test_each_cluster_has_its_own_count() -> None:
    hosts = [host("a1", heard=asked("a", "1/2", a1=UP, a2=DOWN)), host("b1", heard=asked("b", "1/2", b1=UP, b2=UP))]
    assert [*state(*hosts)["short"]] == ["a1"]
    outcomes = state(*decided(*hosts), playing=["a1", "b1"])["report"]
    assert [(row["host"], row["outcome"]) for row in outcomes] == [("a1", "refused"), ("b1", "held back")]


@pytest.mark.parametrize(
    ("way", "rule", "is_short"),
    [
        ("upgrade", 3, True), ("restart", "3/3", True), ("reboot", 3, True), ("stop", 3, True), ("commit", 3, False), ("none", 3, False), ("upgrade", 2, False),
        ("upgrade", "", False), ("stop", "0", False),
    ],
)  # fmt: skip
def test_what_takes_a_node_away(way: str, rule: t.Any, is_short: bool) -> None:
    assert bool(state(host("a", way, heard=asked("otp", rule, a=UP, b=UP, c=UP)))["short"]) is is_short


@pytest.mark.parametrize("way", ["start", "offline"])
def test_a_node_that_is_down_is_started_although_too_few_run(way: str) -> None:
    assert state(host("a", way, heard=asked("otp", 3, a=DOWN, b=DOWN, c=UP)))["short"] == {}


def test_the_rule_that_all_run_names_no_smaller_batch() -> None:
    (reason,) = state(host("a", heard=asked("otp", 2, a=UP, b=UP)))["short"].values()
    assert "All of them run now. The ways out: lower it for this run" in reason


def test_a_gate_of_the_cluster_that_failed_ends_the_run() -> None:
    item = {"host": "c", "gate": "all see all"}
    hosts = [host("a", _otp_cluster_result={"results": [{"item": item}, {"item": item, "failed": True, "msg": "nodes/0 returned []"}]}), host("b")]
    found = state(*hosts, max_fail_percentage=100)
    assert found["broken"] == "cluster gate all see all, asked of c: nodes/0 returned []" and found["is_failed"]
    assert "it has not answered" in broken_gate([{"_otp_cluster_result": {"results": [{"item": item, "unreachable": True}]}}])
    assert broken_gate([{"_otp_cluster_result": {"skipped": True}}, {}]) == ""


def test_the_batch_before() -> None:
    def watched(began: float, reports: int | None) -> dict[str, t.Any]:
        return {"_otp_batch": {"began": began}, "_otp_watch": {"began": 0, "reports": reports}}

    assert reports_before([{}, {"_otp_batch": {}, "_otp_watch": {}}]) == 0
    assert reports_before([watched(1.0, 9), watched(2.0, 3), watched(2.0, 4), watched(3.0, None), {}]) == 4
