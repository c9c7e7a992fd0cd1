# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an application is. Rules: a version of it is named with the release that has it, where that runs and where it is installed; a host of which
something is not known is not among those without it; versions count as numbers.
"""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet import describe_fleet
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_data import fleet_data
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_text import fleet_lines
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.fleets import down, hosts, said

NEW = {"name": "exchange", "version": "2.10", "erts_version": "13.1.5", "applications": {"ssl": "10.10", "pea": "1.0"}}
OLD = {"name": "exchange", "version": "2.9", "erts_version": "13.1", "applications": {"ssl": "10.9", "kernel": "8.5"}}
BARE = {"installed": False, "releases": [], "disagreements": [], "running": {"pid": None, "answers": False}}
UNREACHABLE = {"unreachable": True, "msg": "no route"}


def found(name, *told):
    given = hosts(*told)
    fleet = describe_fleet(given, time="2026-11-30 12:00:00", application=name)
    return fleet_data(fleet, given)["application"], {row["host"]: row["application"] for row in fleet["rows"]}, fleet_lines(fleet)


def test_where_it_runs_and_where_it_is_installed():
    data, cells, lines = found("ssl", said("2.10", releases=[OLD, NEW]), said("2.9", releases=[OLD]), down("2.9", releases=[OLD, NEW]), BARE, UNREACHABLE)
    place = {"name": "exchange", "release": "2.9", "version": "10.9"}
    later = {"name": "exchange", "release": "2.10", "version": "10.10"}
    assert data["places"] == [
        {**place, "runs": True, "hosts": ["h2"]},
        {**place, "runs": False, "hosts": ["h3", "h1"]},
        {**later, "runs": True, "hosts": ["h1"]},
        {**later, "runs": False, "hosts": ["h3"]},
    ]
    assert (data["name"], data["without"], data["unknown"]) == ("ssl", ["h4"], ["h5"])
    assert cells == {"h1": "10.10 runs; 10.9 in 2.9", "h2": "10.9 runs", "h3": "10.9 in 2.9; 10.10 in 2.10", "h4": "", "h5": "not known"}
    assert [line for line in lines if line.startswith("ssl")] == [
        "ssl 10.9: in exchange 2.9, which runs on 1 host (h2)",
        "ssl 10.9: in exchange 2.9, which is installed on 2 hosts (h3, h1)",
        "ssl 10.10: in exchange 2.10, which runs on 1 host (h1)",
        "ssl 10.10: in exchange 2.10, which is installed on 1 host (h3)",
        "ssl: in no release on 1 host (h4)",
        "ssl: perhaps on 1 host (h5), as not all is known of it",
    ]


def test_erts_is_found_as_an_application_is():
    assert [(place["version"], place["release"]) for place in found("erts", said("2.10", releases=[NEW, OLD]))[0]["places"]] == [
        ("13.1", "2.9"),
        ("13.1.5", "2.10"),
    ]


def test_what_no_host_has():
    data, _cells, lines = found("sssl", said("2.10", releases=[NEW]), said("2.10", releases=[NEW]))
    assert data == {"name": "sssl", "places": [], "without": ["h1", "h2"], "unknown": []}
    assert "sssl: in no release on 2 hosts (h1, h2)" in lines


def test_who_does_not_ask_gets_nothing():
    given = hosts(said("2.10", releases=[NEW]))
    fleet = describe_fleet(given, time="2026-11-30 12:00:00")
    assert fleet["application"] is None and fleet_data(fleet, given)["application"] is None


@pytest.mark.parametrize(
    "told",
    [
        # RELEASES names no application, as that of a system which release_handler made up.
        said("2.10", releases=[{**NEW, "applications": {}}]),
        # The node runs what the files do not have.
        said("3.0", releases=[NEW]),
        # No release can be read.
        said("2.10", releases=[]),
        {"failed": True, "msg": "no"},
        {},
    ],
)
def test_a_host_of_which_not_all_is_known(told):
    data, cells, _lines = found("kernel", told)
    assert (data["without"], data["unknown"], cells) == ([], ["h1"], {"h1": "not known"})


def test_a_release_that_has_it_and_one_of_which_nothing_is_known():
    data, cells, _lines = found("ssl", said("2.10", releases=[NEW, {**OLD, "applications": None}]))
    assert (len(data["places"]), data["unknown"], cells) == (1, ["h1"], {"h1": "10.10 runs"})
