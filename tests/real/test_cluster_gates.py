# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gates that look at more than one node: otp_min_available, otp_cluster_gates and otp_soak, on three nodes of this machine that are connected.

The tests stand in the order of a fleet's life, and share one site.
"""

from __future__ import annotations

import json
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from upgrade_site import HOSTS, Site, upgrade_site
from waiting import wait_until

from ansible_collections.erlang.otp.plugins.module_utils._node.log_reports import count_reports
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import parse_one
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom

ALL_SEE_ALL = [{"name": "all see all", "rpc": {"module": "erlang", "function": "nodes", "expect_nodes": "others"}}]
ONE_BY_ONE = {"otp_serial": 1}


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    """Three nodes that run release FIRST."""
    with upgrade_site(Path(tempfile.mkdtemp(prefix="otp-cluster-"))) as site:
        connect(site)
        yield site


def connect(site: Site) -> None:
    """Each node with each other one, as the application of a cluster does."""
    for host in HOSTS:
        for other in HOSTS:
            site.call(host, "net_kernel", "connect_node", Atom(f"{other}@localhost"))
    for host in HOSTS:
        wait_until(lambda host=host: len(site.call(host, "erlang", "nodes")) == len(HOSTS) - 1, f"{host} is connected")


def hook(site: Site, *tasks: dict[str, t.Any]) -> dict[str, str]:
    """A hook after, which runs when a host is back in service, before its node is watched."""
    path = site.directory / "after.yml"
    path.write_text(yaml.safe_dump([{"name": "Hook after", **task} for task in tasks]))
    return {"after": str(path)}


def call_of(site: Site, module: str, function: str, arguments: list[t.Any]) -> dict[str, t.Any]:
    """A task of a hook that calls a function of the node of the host."""
    address = {"node": "{{ inventory_hostname }}@localhost", "cookie": site.cookie, "epmd_port": site.epmd_port}
    return {"erlang.otp.otp_rpc": {**address, "module": module, "function": function, "arguments": arguments}}


def again_and_again(milliseconds: int, call: str) -> str:
    """A child of a supervisor that makes a call again and again. An interval ends with the process that asked for it, so a supervisor has to be that."""
    return f"{{every_{milliseconds}, {{timer, apply_interval, [{milliseconds}, {call}]}}, temporary, 1000, worker, []}}"


def in_a_group(site: Site, **of_all: t.Any) -> None:
    """The inventory, in which the three are the cluster of the group east."""
    site.write_inventory("SECOND", "FIRST", otp_cluster="east", **of_all)
    inventory = yaml.safe_load(site.inventory.read_text())
    inventory["all"]["children"]["east"] = {"hosts": {host: {} for host in HOSTS}}
    site.inventory.write_text(yaml.safe_dump(inventory))


def plain(output: str) -> str:
    return " ".join(output.replace('",\n', "").replace('"', "").split())


def test_no_node_is_taken_away_while_another_one_is_down(site: Site) -> None:
    site.stop("west")
    pids = site.pids()
    in_a_group(site, otp_min_available="2/3")
    run = site.play("upgrade", "--limit", "builder,north,south", code=2, **ONE_BY_ONE)
    assert run.rows["north"][3] == "refused" and run.rows["south"][3] == "not reached"
    assert site.pids() == pids and ("FIRST", "permanent") in site.releases("north") and ("SECOND", "current") not in site.releases("north")
    said = plain(run.output)
    assert "only 1 of 3 nodes of the group east would run without north, and otp_min_available is 2/3, which is 2" in said
    assert "Down are: west (" in said and "The ways out: start west first, by the playbook erlang.otp.start, or lower it for this run" in said
    # The ways out.
    lower = site.play("restart", "--check", "--limit", "north", otp_min_available=1)
    assert lower.rows["north"][3] == "would change"
    site.play("start", "--limit", "west")
    connect(site)


def test_a_batch_that_is_too_large_is_refused_and_the_next_size_is_named(site: Site) -> None:
    pids = site.pids()
    run = site.play("restart", "--check", "--limit", "north,south", code=2, otp_serial=2)
    assert {run.rows[host][3] for host in ("north", "south")} == {"refused"} and site.pids() == pids
    assert "All of them run now. The ways out: take fewer at once, with -e otp_serial=1" in plain(run.output)
    smaller = site.play("restart", "--check", "--limit", "north,south", otp_serial=1)
    assert {smaller.rows[host][3] for host in ("north", "south")} == {"would change"}


@pytest.mark.full
def test_errors_that_rise_take_the_node_back_and_those_that_are_usual_do_not(site: Site) -> None:
    for host in HOSTS:
        site.call(host, "timer", "start")
        site.call(host, "supervisor", "start_child", Atom("kernel_safe_sup"), parse_one(again_and_again(200, 'logger, error, ["usual"]')))
    for host in HOSTS:
        # For as long as the soak, what is usual is in the log.
        wait_until(lambda host=host: count_reports(f"{site.root(host)}/log", seconds=10)["count"] >= 48, f"the log of {host} has the usual errors")
    crash = call_of(site, "supervisor", "start_child", ["kernel_safe_sup", again_and_again(20, "proc_lib, spawn, [erlang, error, [burst]]")])
    burst = {**crash, "when": "inventory_hostname == 'south' and upgrade_outcome.outcome == 'done'"}
    pids = site.pids()
    run = site.play("upgrade", code=2, otp_cluster_gates=ALL_SEE_ALL, otp_soak=10, otp_hooks=hook(site, burst), **ONE_BY_ONE, **site.package("SECOND"))
    assert [run.rows[host][3] for host in HOSTS] == ["done", "rolled back", "not reached"], run.output
    assert site.pids() == pids and ("FIRST", "permanent") in site.releases("south") and site.ask("north", "version") == "version 2.0"
    # The newest one is of either kind, and the table wraps its lines.
    assert "error reports in" in plain(run.output) and " REPORT==== " in plain(run.output)
    for host in HOSTS:
        # Without the timers.
        site.stop(host)
        site.start(host)
    connect(site)


@pytest.mark.full
def test_a_gate_that_fails_later_takes_the_node_back_and_the_host_remembers_it(site: Site) -> None:
    close = call_of(site, "application", "set_env", [{"$atom": "exchange"}, {"$atom": "closed"}, True])
    after = hook(site, {**close, "when": "upgrade_outcome.outcome == 'done'"})
    gate = {"name": "open", "rpc": {"module": "application", "function": "get_env", "arguments": ["exchange", "closed"], "expect": "undefined"}}
    run = site.play("upgrade", "--limit", "south,west", code=2, otp_gates=[gate], otp_soak=5, otp_hooks=after, **ONE_BY_ONE, **site.package("SECOND"))
    assert [run.rows[host][3] for host in ("south", "west")] == ["rolled back", "not reached"], run.output
    assert "south: Call the node: open: application:get_env/2 returned {ok,true}" in plain(run.output)
    assert ("FIRST", "permanent") in site.releases("south")
    entries = map(json.loads, Path(site.root("south"), "releases/history.jsonl").read_text().splitlines())
    assert [entry["reason"] for entry in entries if (entry["action"], entry["outcome"]) == ("verify", "failed")]


@pytest.mark.full
def test_a_gate_of_the_cluster_that_fails_takes_the_batch_back_and_ends_the_run(site: Site) -> None:
    """The nodes are restarted, and nothing connects them again."""
    variables = {"otp_upgrade_method": "restart", "otp_cluster_gates": ALL_SEE_ALL, "otp_max_fail_percentage": 100, "otp_force": True, **site.package("SECOND")}
    run = site.play("upgrade", "--limit", "south,west", code=2, **ONE_BY_ONE, **variables)
    assert [run.rows[host][3] for host in ("south", "west")] == ["rolled back", "not reached"], run.output
    assert ("FIRST", "permanent") in site.releases("south") and site.ask("south", "version") == "version 1.0"
    said = plain(run.output)
    assert "south: cluster gate all see all, asked of north: erlang:nodes/0 returned [west@localhost], which lacks south@localhost" in said
