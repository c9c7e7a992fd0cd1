# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report on a fleet, as the playbook status gets it."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.filter.fleet_status import FilterModule
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.fleets import said

fleet_status = FilterModule().filters()["fleet_status"]
TIME = "2026-11-30 12:00:00"
HOSTILE = "<script>alert('1')</script> & \"more\""


def texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts(key)
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def test_every_text_of_the_page_is_escaped_and_those_of_the_terminal_are_not():
    hostvars = {HOSTILE: {"asked": {"unreachable": True, "msg": HOSTILE}, "otp_node_name": HOSTILE, "group_names": [HOSTILE]}}
    report = fleet_status(hostvars, hosts=[HOSTILE], register="asked", time=TIME)
    assert not any(set(text) & set("<>\"'") for text in texts(report["page"]))
    assert report["page"]["rows"][0]["node"].startswith("&lt;script&gt;")
    assert any(HOSTILE in line for line in report["lines"])


def test_keys_that_a_node_has_written_are_escaped():
    entry = {"time": "", "action": "install", "release": "1", "from": None, "outcome": "ok", "reason": "", HOSTILE: 1}
    told = {"installed": True, "running": {}, "disagreements": [], "history": [entry]}
    report = fleet_status({"h": {"asked": told, "group_names": []}}, hosts=["h"], register="asked", time=TIME)
    assert len(report["page"]["rows"][0]["history"][0]) == len(entry)
    assert not any(set(text) & set("<>\"'") for text in texts(report["page"]))


def test_a_terminal_gets_no_control_characters():
    hostvars = {"h": {"asked": {"unreachable": True, "msg": "a\x1b[2J\x9b\u202eb"}, "group_names": []}}
    lines = "".join(fleet_status(hostvars, hosts=["h"], register="asked", time=TIME)["lines"])
    assert "a [2J b" in lines and not set("\x1b\x9b\u202e") & set(lines)


def test_a_host_without_a_result_or_with_a_node_that_has_no_name_is_in_the_report():
    hostvars = {"h1": {"group_names": []}, "h2": {"asked": {"failed": True, "msg": "no"}, "otp_node_name": object(), "group_names": []}}
    assert [(row["host"], row["state"], row["node"]) for row in fleet_status(hostvars, hosts=["h1", "h2"], register="asked", time=TIME)["page"]["rows"]] == [
        ("h1", "not asked", ""),
        ("h2", "not asked", ""),
    ]


def test_clients_are_those_of_the_whole_inventory():
    told = {"installed": True, "running": {}, "disagreements": [], "clients": [{"client": "x@c"}, {"client": "x@left"}]}
    hostvars = {"m": {"asked": told, "otp_node_name": "x@m"}, "c": {"otp_master": "m", "otp_node_name": "x@c"}}
    lines = " ".join(fleet_status(hostvars, hosts=["m"], register="asked", time=TIME)["lines"])
    assert "x@left has a directory" in lines and "x@c" not in lines


@pytest.mark.parametrize("wrong", [None, [], "text"])
def test_what_is_no_hostvars_is_refused(wrong):
    with pytest.raises(AnsibleFilterError, match="hostvars"):
        fleet_status(wrong, hosts=[], register="asked", time=TIME)


@pytest.mark.parametrize("wrong", ["", "now", "2026-11-30T12:00:00Z", "2026-11-30 12:00:00.5"])
def test_a_time_that_other_programs_could_not_read_is_refused(wrong):
    with pytest.raises(AnsibleFilterError, match="a time such as 2026-01-31 12:00:00"):
        fleet_status({}, hosts=[], register="asked", time=wrong)


def test_other_programs_get_no_control_characters_and_nothing_escaped():
    hostvars = {HOSTILE: {"asked": {"unreachable": True, "msg": "a\x1b[2Jb"}, "group_names": ["all"]}}
    report = fleet_status(hostvars, hosts=[HOSTILE], register="asked", time=TIME)
    (host,) = report["data"]["hosts"]
    assert (host["host"], host["notes"], host["groups"]) == (HOSTILE, ["a [2Jb"], [])
    assert 'otp_host_state{host="<script>alert(\'1\')</script> & \\"more\\"",state="unreachable"} 1\n' in report["metrics"]


def test_the_packages_of_the_controller_are_compared(tmp_path):
    (tmp_path / "exchange-2.0.tar.gz").write_bytes(b"a package")
    releases = [{"name": "exchange", "version": "2.0", "package_sha256": "a" * 64}]
    hostvars = {"h": {"asked": said(releases=releases), "group_names": []}}
    (row,) = fleet_status(hostvars, hosts=["h"], register="asked", time=TIME, packages=str(tmp_path))["page"]["rows"]
    assert row["state"] == "disagrees" and f"{tmp_path}/exchange-2.0.tar.gz" in row["notes"][0]["text"]
    (row,) = fleet_status(hostvars, hosts=["h"], register="asked", time=TIME, packages=str(tmp_path / "none"))["page"]["rows"]
    assert row["state"] == "running"
