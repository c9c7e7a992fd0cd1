# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What differs from the packages, in the report on a fleet.

Rules: nothing is not the same as not known; what could not be compared is told; a host that differs disagrees, unless it is in a worse state; few notes.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet import describe_fleet
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_data import fleet_data
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_metrics import fleet_metrics
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.fleets import down, hosts, said

KNOWN = {"version": "2.0", "is_permanent": True, "is_known": True, "left_out": [], "reason": ""}
UNKNOWN = {**KNOWN, "is_known": False, "reason": "there is no package"}
OLD = {**UNKNOWN, "version": "1.0", "is_permanent": False}
WHY, NOT_KNOWN = "it is mute", "release 2.0 is not verified: there is no package"
SEE = "from the packages: run erlang.otp.verify, which says what to do"


def found(*texts: str, releases: t.Any = (KNOWN,), error: str | None = None) -> dict[str, t.Any]:
    return {"drift": [{"kind": "changed", "path": "", "text": text} for text in texts], "releases": list(releases), "node": {"error": error}}


def told(verified: t.Any, result: t.Any = None) -> tuple[dict[str, t.Any], list[str]]:
    """The host in the document, and its samples of the drift."""
    given = hosts(result or said())
    given["h1"]["verified"] = verified
    data = fleet_data(describe_fleet(given, time="2026-11-30 12:00:00"), given)
    return data["hosts"][0], [line for line in fleet_metrics(data).splitlines() if line.startswith("otp_release_drift{")]


CASES: dict[str, tuple[t.Any, t.Any, str, list[str]]] = {
    "not asked for": (None, None, "running", []),
    "well": (found(), [], "running", []),
    "changed": (found("a"), ["a"], "disagrees", [f"1 differs {SEE}", "a"]),
    "not known": (found(releases=[UNKNOWN]), None, "running", [NOT_KNOWN]),
    "not known, and an old one differs": (found("a", releases=[UNKNOWN]), ["a"], "disagrees", [f"1 differs {SEE}", "a", NOT_KNOWN]),
    "an old one is not known": (found(releases=[KNOWN, OLD]), [], "running", ["release 1.0 is not verified: there is no package"]),
    "none is permanent": (found(releases=[{**KNOWN, "is_permanent": False}]), None, "running", []),
    "mute": (found(error=WHY), None, "running", [WHY]),
    "failed": ({"failed": True, "msg": "it cannot be read"}, None, "running", ["it was not verified: it cannot be read"]),
    "skipped": ({"skipped": True, "changed": False}, None, "running", []),
}


@pytest.mark.parametrize("case", CASES)
def test_a_host(case: str) -> None:
    verified, drift, state, notes = CASES[case]
    host, samples = told(verified)
    assert (host["drift"], host["state"], host["notes"]) == (drift, state, notes)
    assert samples == ([] if drift is None else [f'otp_release_drift{{host="h1"}} {len(drift)}'])


def test_a_worse_state_stays() -> None:
    assert told(found("a"), down())[0]["state"] == "down"


def test_a_thousand_findings_are_some_lines_of_the_report_and_all_of_the_document() -> None:
    host, samples = told(found(*(f"{number}" for number in range(1000))))
    assert len(host["drift"]) == 1000 and samples[0].endswith(" 1000") and len(host["notes"]) == 10 and host["notes"][-1] == "and 992 more"
