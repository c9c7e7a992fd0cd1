# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs where, from what each host said."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet import describe_fleet, duration, readable_time
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.fleets import NEVER, down, failed, hosts, said


def fleet_of(*said_of, **more):
    return describe_fleet(hosts(*said_of, **more), time="now")


def notes(*said_of):
    return [(note["text"], note["first"], note["last"], [host["host"] for host in note["hosts"]]) for note in fleet_of(*said_of)["notes"]]


@pytest.mark.parametrize(
    ("told", "state"),
    [
        (said(), "running"),
        (said(disagreements=["bin/erl is missing"]), "disagrees"),
        (said("2.0", permanent="1.0", disagreements=["release 2.0 runs and is not committed"]), "not committed"),
        (said(running={"status": "starting"}), "starting"),
        (said(running={"status": "stopping"}), "stopping"),
        (said(running={"answers": False, "release": None}), "no answer"),
        (down(), "down"),
        (down(disagreements=["releases/RELEASES is missing"]), "down"),
        ({**down(), "installed": False, "permanent": None, "releases": []}, "no system"),
        ({"failed": True, "msg": "/srv cannot be read"}, "not asked"),
        ({"unreachable": True, "msg": "no route to host"}, "unreachable"),
        (None, "not asked"),
    ],
)
def test_the_state_of_a_host(told, state):
    assert fleet_of(told)["rows"][0]["state"] == state


def test_a_row_says_what_runs_and_since_when():
    history = [{"time": "2026-11-18T03:12:00Z", "action": action, "release": "2.0"} for action in ("install", "commit")]
    row = fleet_of(said("2.0", permanent="1.0", node="exchange@elsewhere", history=history))["rows"][0]
    assert (row["name"], row["release"], row["permanent"], row["erts"], row["node"]) == ("exchange", "2.0", "1.0", "13.1.5", "exchange@elsewhere")
    assert (row["started"], row["up"]) == ("2026-11-18 03:12:55", "1 h 0 min")
    assert [(entry["action"], entry["time"]) for entry in row["history"]] == [("commit", "2026-11-18 03:12:00"), ("install", "2026-11-18 03:12:00")]


def test_of_a_node_that_is_down_the_inventory_and_the_files_tell():
    row = fleet_of(down("1.0"))["rows"][0]
    assert (row["name"], row["release"], row["permanent"], row["node"], row["up"]) == ("exchange", "", "1.0", "exchange@h1", "")


def test_the_worst_come_first_and_no_host_is_missing():
    fleet = fleet_of(said(), down(), said(disagreements=["it disagrees"]), {"unreachable": True, "msg": "no route"}, said())
    assert [row["host"] for row in fleet["rows"]] == ["h4", "h2", "h3", "h1", "h5"]
    assert [row["id"] for row in fleet["rows"]] == ["host-4", "host-2", "host-3", "host-1", "host-5"]


def test_what_several_hosts_have_to_tell_is_said_once():
    one = said(failed_releases={"3.0": failed("2026-11-21T03:00:00Z")})
    other = said(failed_releases={"3.0": failed("2026-11-20T03:00:00Z")})
    assert notes(one, other) == [(f"release 3.0 failed (verify): {NEVER}", "2026-11-20 03:00:00", "2026-11-21 03:00:00", ["h1", "h2"])]


def test_reasons_are_one_line_without_control_characters():
    assert notes({"failed": True, "msg": "it broke\n  here\x1b[31m\r\n"}) == [("it broke here [31m", "", "", ["h1"])]
    assert notes(None) == [("it has not been asked", "", "", ["h1"])]


def test_a_release_that_fell_back_before_its_commit():
    tried = {"time": "2026-11-21T03:00:00Z", "release": "2.0", "from": "1.0"}
    text = "release 2.0 was installed and never committed: its emulator has ended, and 1.0 boots again"
    assert notes(said("1.0", uncommitted=tried)) == [(text, "2026-11-21 03:00:00", "2026-11-21 03:00:00", ["h1"])]
    assert notes(down("1.0", uncommitted=tried))[0][0] == text
    assert notes(said("2.0", permanent="1.0", uncommitted=tried)) == []


def test_a_host_that_somebody_upgrades() -> None:
    mark = {"operator": "alice@laptop", "run": "1-2-a", "doing": "restarting the node", "since": "2026-11-21T03:00:00Z", "until": "2026-11-21T04:00:00Z"}
    text = "alice@laptop is restarting the node: others are refused until it gives it back, or 2026-11-21 04:00:00"
    assert notes(said("2.0", upgrading=mark)) == [(text, "2026-11-21 03:00:00", "2026-11-21 03:00:00", ["h1"])]


def test_which_releases_run_on_how_many_hosts():
    fleet = fleet_of(said("1.0"), said("2.0"), said("2.0", permanent="1.0"), down("1.0"), said("1.0", name="billing"))
    counted = [(release["name"], release["version"], len(release["rows"])) for release in fleet["releases"]]
    assert counted == [("exchange", "2.0", 2), ("billing", "1.0", 1), ("exchange", "1.0", 1)]
    assert [(state["state"], len(state["rows"])) for state in fleet["states"]] == [("down", 1)]


@pytest.mark.parametrize(
    ("groups", "told", "mixed"),
    [
        ({"h1": ["otp"], "h2": ["otp"]}, ["2.0", "2.0"], []),
        ({"h1": ["otp"], "h2": ["otp"]}, ["2.0", "1.0"], ["otp"]),
        ({"h1": ["all", "otp", "same"], "h2": ["all", "otp", "same"]}, ["2.0", "1.0"], ["otp"]),
        ({"h1": ["otp", "north"], "h2": ["otp", "south"]}, ["2.0", "1.0"], ["otp"]),
        ({"h1": ["otp", "north"], "h2": ["otp", "north"], "h3": ["otp", "south"]}, ["2.0", "1.0", "1.0"], ["otp", "north"]),
        ({"h1": ["all"], "h2": ["all", "ungrouped"]}, ["2.0", "1.0"], []),
    ],
)
def test_groups_with_several_releases(groups, told, mixed):
    given = hosts(*map(said, told))
    for host, names in groups.items():
        given[host]["groups"] = names
    assert [found["group"] for found in describe_fleet(given, time="now")["mixed"]] == mixed


def test_two_systems_in_one_group_are_not_mixed():
    assert fleet_of(said("1.0"), said("7", name="billing"))["mixed"] == []


def of_master(*said_of, master="h1"):
    """Clients of h1."""
    given = hosts(*said_of)
    for host in [*given][1:]:
        given[host]["master"] = master
    return describe_fleet({**given, "other": {"result": down()}}, time="now")


def test_clients_are_below_their_master_and_it_has_the_place_of_the_worst_of_them():
    fleet = of_master(said(), said(), {"unreachable": True, "msg": "no route"})
    assert [(row["host"], row["master"]) for row in fleet["rows"]] == [("h1", ""), ("h3", "h1"), ("h2", "h1"), ("other", "")]


def test_a_client_of_a_master_that_is_not_looked_at_is_a_host_like_others():
    fleet = of_master(said(), said(), master="elsewhere")
    assert [(row["host"], row["master"]) for row in fleet["rows"]] == [("other", ""), ("h1", ""), ("h2", "")]


def test_directories_of_clients_that_no_host_is():
    told = said(clients=[{"client": "exchange@h2"}, {"client": "exchange@left"}])
    (note,) = describe_fleet(hosts(told), time="now", clients={("h1", "exchange@h2"), ("h9", "exchange@left")})["notes"]
    assert note["text"].startswith("client exchange@left has a directory, but no host") and [host["host"] for host in note["hosts"]] == ["h1"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h 0 min"),
        (86399, "23 h 59 min"),
        (90000, "1 d 1 h"),
        (8640000, "100 d 0 h"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_time_that_is_none_is_shown_as_it_is():
    assert readable_time("2026-01-31T12:00:59Z") == "2026-01-31 12:00:59" and readable_time(7) == "7"


def of_package(digest: str, release: str = "2.0") -> dict:
    return said(release, releases=[{"name": "exchange", "version": release, "package_sha256": digest * 64}])


def test_a_release_from_another_package_disagrees() -> None:
    fleet = describe_fleet(hosts(of_package("a"), of_package("b"), of_package("c", "1.0"), said()), time="")
    notes = {row["host"]: (row["state"], [note["text"] for note in row["notes"]]) for row in fleet["rows"]}
    assert notes["h3"] == notes["h4"] == ("running", [])
    for host, digest in (("h1", "a"), ("h2", "b")):
        state, (text,) = notes[host]
        assert state == "disagrees" and f"release 2.0 is from the package with sha256 {digest * 12}..., and other hosts have" in text


def test_a_release_from_another_package_than_the_controllers_disagrees() -> None:
    packages = {("exchange", "2.0"): ("/x/exchange-2.0.tar.gz", "a" * 64)}
    first, second = describe_fleet(hosts(of_package("a"), of_package("b")), time="", packages=packages)["rows"]
    assert [first["host"], first["state"]] == ["h1", "disagrees"] and "other hosts" in first["notes"][0]["text"]
    assert f"sha256 {'b' * 12}..., not from /x/exchange-2.0.tar.gz ({'a' * 12}...)" in second["notes"][0]["text"]
    (only,) = describe_fleet(hosts(of_package("a")), time="", packages=packages)["rows"]
    assert only["state"] == "running" and only["notes"] == []
