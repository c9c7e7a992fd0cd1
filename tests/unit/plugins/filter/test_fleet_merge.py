# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One report of several: that of the same hosts in one document, but for times; and what is not such a document is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.filter.fleet_merge import FilterModule
from ansible_collections.erlang.otp.plugins.filter.fleet_status import FilterModule as StatusModule
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.fleets import down, failed, said

fleet_merge = FilterModule().filters()["fleet_merge"]
EARLY, LATE = "2026-11-30 12:00:00", "2026-11-30 12:05:00"
ENTRY = {"time": "2026-01-31T12:00:00Z", "action": "commit", "release": "2.0", "from": "1.0", "outcome": "ok", "reason": ""}
FROM = [{"name": "exchange", "version": "2.0", "erts_version": "13.1.5", "status": "permanent", "package_sha256": digest * 64} for digest in "ab"]
HOSTS = {
    "h1": {"unreachable": True, "msg": "no route <b>"},
    "h2": down("1.0"),
    "h3": said("2.0", failed_releases={"3.0": failed()}, history=[ENTRY], disagreements=["it is old"]),
    "h4": said("1.0"),
    "h5": said(releases=FROM[:1]),
}


def status(*names: str, time: str = EARLY, **others: dict) -> dict:
    hostvars = {name: {"asked": others.get(name, HOSTS.get(name)), "otp_node_name": f"x@{name}", "group_names": ["otp"]} for name in names}
    report: dict = StatusModule().filters()["fleet_status"](hostvars, hosts=names, register="asked", time=time)
    return report


def files(tmp_path: Path, *reports: dict) -> list[str]:
    for number, report in enumerate(reports):
        (tmp_path / f"{number}.json").write_text(json.dumps(report["data"]))
    return [str(tmp_path / f"{number}.json") for number in range(len(reports))]


def test_it_is_the_report_on_all_hosts(tmp_path):
    merged, whole = fleet_merge(files(tmp_path, status("h4", "h5"), status("h1", "h2", "h3", time=LATE))), status(*HOSTS)
    assert merged["data"]["time"] == "2026-11-30T12:00:00Z"
    by_name = [{host["host"]: host for host in report["data"]["hosts"]} for report in (merged, whole)]
    assert by_name[0] == by_name[1] and merged["data"]["mixed"] == whole["data"]["mixed"]
    assert sorted(merged["metrics"].splitlines()) == sorted(whole["metrics"].splitlines())
    # A document has the notes without their times.
    assert sorted(joined(merged["lines"])) == sorted(line.replace("2026-11-21 03:04:05 UTC: ", "") for line in joined(whole["lines"]))
    page = {row["host"]: row for row in merged["page"]["rows"]}
    assert page["h3"]["history"] == next(row for row in whole["page"]["rows"] if row["host"] == "h3")["history"]
    assert page["h1"]["notes"][0]["text"] == "no route &lt;b&gt;"


def joined(lines: list[str]) -> list[str]:
    """The lines, without the wraps of notes."""
    return "\n".join(lines).replace("\n  ", " ").split("\n")


def test_packages_of_other_slices_are_compared(tmp_path):
    merged = fleet_merge(files(tmp_path, status("h5"), status("h6", h6=said(releases=FROM[1:]))))
    assert [(host["state"], len(host["disagreements"])) for host in merged["data"]["hosts"]] == [("disagrees", 1)] * 2
    # Merged again, nothing is said twice.
    again = fleet_merge(files(tmp_path, merged))
    assert again["data"] == merged["data"]


def test_the_newest_document_on_a_host_counts(tmp_path):
    for order in (1, -1):
        paths = files(tmp_path, status("h4"), status("h4", time=LATE, h4=said("2.0")))[::order]
        assert [host["release"] for host in fleet_merge(paths)["data"]["hosts"]] == ["2.0"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("[]", "list indices"),
        ("{}", "it has no 'time'"),
        ('{"time": "2026-11-30T12:00:00Z", "schema": 2, "hosts": []}', "its schema is 2, and 1 is known here"),
        ('{"time": "2026-11-30T12:00:00Z", "schema": 1, "hosts": [{"host": "h", "state": "odd"}]}', "the state of h is 'odd'"),
        ('{"time": "2026-11-30T12:00:00Z", "schema": 1, "hosts": [{"host": "h", "state": "down"}]}', "it has no 'master'"),
    ],
)
def test_what_is_no_document_is_named(tmp_path, text, reason):
    (tmp_path / "odd.json").write_text(text)
    with pytest.raises(AnsibleFilterError) as said_of_it:
        fleet_merge([*files(tmp_path, status("h4")), str(tmp_path / "odd.json")])
    assert str(said_of_it.value).startswith(f"{tmp_path}/odd.json is not a document that otp_status_json") and reason in str(said_of_it.value)


def test_a_document_that_is_not_there_is_named(tmp_path):
    with pytest.raises(AnsibleFilterError, match="no.json: No such file or directory. Has the job that writes it"):
        fleet_merge([str(tmp_path / "no.json")])
    for wrong in ("a.json", {}, [], None):
        with pytest.raises(AnsibleFilterError, match="a list of paths"):
            fleet_merge(wrong)
