# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of a cluster, each problem with its variable and its way out; and clusters that are not one group."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.checks import problems
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.cluster import of_clusters

SEES = {"module": "erlang", "function": "nodes", "expect_nodes": "others"}


def told(**variables: t.Any) -> list[str]:
    return problems({"otp_root": "/srv/exchange", **variables})


def test_nothing_to_say() -> None:
    assert told(otp_min_available="2/3", otp_cluster_gates=[{"name": "all", "rpc": SEES}], otp_soak=600, otp_cluster="east") == []
    assert told(otp_min_available=2, otp_soak="7200", otp_hold=0) == [] and told(otp_min_available="") == []


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"otp_min_available": "two thirds"}, "otp_min_available is 'two thirds': give a number of nodes, or a fraction of them up to 1, such as 2/3"),
        ({"otp_min_available": "4/3"}, "otp_min_available is '4/3'"),
        ({"otp_soak": -1}, "otp_soak is -1: give a number of seconds, or 0"),
        ({"otp_soak": 3600}, "otp_soak is 3600 and otp_hold is 3600: the mark of the run would expire while it watches the nodes. Set otp_hold"),
        ({"otp_cluster_gates": [{"rpc": {**SEES, "expect_nodes": "some"}}]}, "otp_cluster_gates: value of expect_nodes must be one of: all, others"),
        ({"otp_cluster_gates": [{"url": "http://x/"}]}, "otp_cluster_gates.url is unknown: there are name, rpc"),
        ({"otp_cluster_gates": [{"name": "x"}]}, "otp_cluster_gates: missing required arguments: rpc"),
    ],
)
def test_what_is_wrong(variables: dict[str, t.Any], said: str) -> None:
    assert any(said in sentence for sentence in told(**variables)), told(**variables)


def test_the_hosts_of_a_cluster_are_one_group() -> None:
    groups = {"otp": ["a", "b", "c"], "east": ["a", "b"]}
    rule = {"otp_min_available": "1/2", "groups": groups}
    hosts: dict[str, dict[str, t.Any]] = {"a": {**rule, "otp_cluster": "east"}, "b": {**rule, "otp_cluster": "east"}, "c": {"groups": groups}}
    assert [*of_clusters(hosts, hosts)] == []
    hosts["b"]["otp_cluster"] = "otp"
    assert [*of_clusters(hosts, ["a"])] == ["a: the group east is its otp_cluster, and not that of b: give all hosts of a cluster the same one."]
    hosts["a"]["otp_cluster"] = "west"
    (said,) = of_clusters(hosts, ["a", "c"])
    assert said.startswith("a: otp_cluster is 'west', and the host is not in a group of that name: set it to the group")
