# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the nodes of a cluster are called from the inventory.

Rules: the defaults are those of the role target_system; a client is called on the host of its master, without pipes; all and others are names of nodes, and
a node without a name is in no list; no cookie is in a call, because calls are shown.
"""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.filter.cluster_calls import FilterModule

HOSTS: dict[str, dict[str, t.Any]] = {
    "a": {"otp_root": "/srv/x", "otp_node_name": "x@a", "otp_cookie": "secret"},
    "b": {"otp_root": "/srv/x", "otp_node_name": "x@b", "otp_environment": {"ERL_EPMD_PORT": 4400}, "otp_run_dir": "/run/x"},
    "c": {"otp_root": "/srv/x", "otp_node_name": "", "otp_pipe_dir": "/pipes", "otp_epmd_port": "1"},
    "d": {"otp_root": "/srv/x", "otp_node_name": "x@d", "otp_master": "a"},
    "e": {"otp_root": "/srv/x", "otp_package": "https://mirror/x.tar.gz"},
}


def calls(hosts: t.Sequence[str], rpc: t.Mapping[str, t.Any], nodes: t.Sequence[str] = (), **more: t.Any) -> list[dict[str, t.Any]]:
    return FilterModule().filters()["cluster_calls"](HOSTS, hosts=hosts, gates=[{"rpc": rpc}, {"name": "two", "rpc": rpc}][: 1 + ("two" in more)], nodes=nodes)


def test_where_a_node_is_called() -> None:
    found = calls([*HOSTS], {"module": "m", "function": "f"})
    assert [(call["place"], call["node"], call["pipe_dir"], call["epmd_port"]) for call in found] == [
        ("a", "x@a", "/srv/x/run/pipe", 4369),
        ("b", "x@b", "/run/x/pipe", 4400),
        ("c", "", "/pipes", 1),
        ("a", "x@d", "", 4369),
        ("e", "", "/srv/x/run/pipe", 4369),
    ]
    assert "secret" not in str(found) and {call["gate"] for call in found} == {"m:f"} and not any("expect_nodes" in call for call in found)


def test_each_host_has_each_gate() -> None:
    found = calls(["a", "b"], {"module": "m", "function": "f", "arguments": [1], "expect": "ok"}, two=True)
    assert [(call["host"], call["gate"]) for call in found] == [("a", "m:f"), ("a", "two"), ("b", "m:f"), ("b", "two")]
    assert found[0]["arguments"] == [1] and found[0]["expect"] == "ok"


def test_all_and_others_are_names() -> None:
    nodes = {"a": "x@a", "b": "x@b", "c": "", "d": "x@d"}
    others = calls(["a", "c"], {"module": "erlang", "function": "nodes", "expect_nodes": "others"}, [*nodes])
    assert [call["expect_nodes"] for call in others] == [["x@b", "x@d"], ["x@a", "x@b", "x@d"]]
    everyone = calls(["a"], {"module": "mnesia", "function": "system_info", "expect_nodes": "all"}, [*nodes])
    assert everyone[0]["expect_nodes"] == ["x@a", "x@b", "x@d"]


def test_it_needs_hostvars() -> None:
    with pytest.raises(AnsibleFilterError, match="needs hostvars"):
        FilterModule().filters()["cluster_calls"]([], hosts=[], gates=[])
