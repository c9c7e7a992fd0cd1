# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The document for other programs, and the metrics made of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet import STATES, describe_fleet
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_data import fleet_data
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_metrics import fleet_metrics
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.fleets import down, failed, hosts, said

TOP = Path(__file__).parents[5]
ENTRY = {"time": "2026-01-31T12:00:00Z", "action": "commit", "release": "2.0", "from": "1.0", "outcome": "ok", "reason": "", "more": 1}
TOLD = (
    {"unreachable": True, "msg": "no route"},
    down("1.0"),
    said(
        "2.0", node="exchange@h3", history=[ENTRY], failed_releases={"3.0": failed()}, running={"outdated": ["/srv/x/bin/start"]}, disagreements=["it is old"]
    ),
    said("1.0"),
)


def document(*told, **more):
    given = hosts(*told, **more)
    return fleet_data(describe_fleet(given, time="2026-11-30 12:00:00"), given)


def lines(*told):
    """The samples, without comments."""
    return [line for line in fleet_metrics(document(*told)).splitlines() if not line.startswith("#")]


def test_a_document_has_each_host_the_worst_first_and_null_for_what_is_not_known():
    found = document(*TOLD, groups=("all", "otp", "ungrouped"))
    assert (found["schema"], found["time"]) == (1, "2026-11-30T12:00:00Z")
    assert [(host["host"], host["state"], host["release"], host["permanent"]) for host in found["hosts"]] == [
        ("h1", "unreachable", None, None),
        ("h2", "down", None, "1.0"),
        ("h3", "disagrees", "2.0", "2.0"),
        ("h4", "running", "1.0", "1.0"),
    ]
    third = found["hosts"][2]
    assert third["groups"] == ["otp"] and third["started"] == "2026-11-18T03:12:55Z" and third["uptime"] == 3600
    assert third["failed_releases"] == ["3.0"] and third["disagreements"] == ["it is old"] and third["outdated"] == ["/srv/x/bin/start"]
    assert third["history"] == [{key: ENTRY[key] for key in ENTRY if key != "more"}]
    assert [(release["version"], release["hosts"]) for release in found["mixed"][0]["releases"]] == [("1.0", ["h4"]), ("2.0", ["h3"])]


def test_a_package_of_other_content_is_drift():
    first, second = (said(releases=[{"name": "exchange", "version": "2.0", "package_sha256": digest * 64}]) for digest in "ab")
    assert all("from another package" in host["disagreements"][0] for host in document(first, second)["hosts"])


def test_metrics():
    assert lines(*TOLD) == [
        'otp_release_info{host="h3",name="exchange",release="2.0",permanent="2.0",erts="13.1.5"} 1',
        'otp_release_info{host="h4",name="exchange",release="1.0",permanent="1.0",erts="13.1.5"} 1',
        'otp_host_state{host="h1",state="unreachable"} 1',
        'otp_host_state{host="h2",state="down"} 1',
        'otp_host_state{host="h3",state="disagrees"} 1',
        'otp_host_state{host="h4",state="running"} 1',
        'otp_node_uptime_seconds{host="h3"} 3600',
        'otp_node_uptime_seconds{host="h4"} 3600',
        'otp_failed_releases{host="h2"} 0',
        'otp_failed_releases{host="h3"} 1',
        'otp_failed_releases{host="h4"} 0',
        'otp_restart_pending_files{host="h2"} 0',
        'otp_restart_pending_files{host="h3"} 1',
        'otp_restart_pending_files{host="h4"} 0',
        'otp_drift{host="h2"} 0',
        'otp_drift{host="h3"} 1',
        'otp_drift{host="h4"} 0',
        "otp_status_time_seconds 1796040000",
    ]


@pytest.mark.parametrize(("text", "written"), [('a"b', 'a\\"b'), ("a\\b", "a\\\\b"), ("a\nb", "a\\nb"), ("Zürich", "Zürich")])
def test_labels_are_escaped(text, written):
    data = {**document(), "hosts": [{**document(said())["hosts"][0], "host": text}]}
    assert f'otp_host_state{{host="{written}",state="running"}} 1\n' in fleet_metrics(data)


def test_the_schema_has_the_states_and_the_keys_of_the_document():
    schema = json.loads((TOP / "docs/status.schema.json").read_text(encoding="utf-8"))
    of_host = schema["properties"]["hosts"]["items"]
    assert of_host["properties"]["state"]["enum"] == list(STATES)
    assert of_host["required"] == list(of_host["properties"])
    assert set(of_host["properties"]) == set(document(said())["hosts"][0]) and set(schema["properties"]) == set(document())
