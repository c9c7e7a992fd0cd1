# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of the playbook verify.

Rules: each host is a row; what differs is drift, and its way out comes first; what could not be compared is not verified; only what was put back, with nothing
left, is repaired; a host fails without a second block if its failure was shown.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.verify_state import ADDED, DEPLOY, LOADED, REPAIR, RESTART, verify_state

KNOWN = {"name": "exchange", "version": "1.0", "is_permanent": True, "package": "/p", "is_known": True, "left_out": [], "reason": ""}
UNKNOWN = {**KNOWN, "is_known": False, "reason": "there is no package"}
NODE = {"pid": 42, "modules": 300, "error": None}


def finding(kind: str, text: str) -> dict[str, str]:
    return {"kind": kind, "path": "", "text": text}


def host(*drift: t.Any, releases: t.Any = (KNOWN,), node: t.Any = None, actions: t.Any = (), inventory: t.Any = ()) -> dict[str, t.Any]:
    verified = {"drift": list(drift), "releases": list(releases), "node": node or NODE, "actions": list(actions)}
    return {"inventory_hostname": "north", "_otp_verified": verified, "_otp_system": {"actions": list(inventory)}}


CHANGED = finding("changed", "a is not that of the package")
SAME = "the same"
# The host, its cells after its name, and the lines below the table.
CASES: dict[str, tuple[dict[str, t.Any], list[str], list[str]]] = {
    "well": (host(), ["1.0", SAME, SAME, SAME, "verified"], []),
    "stopped": (host(node={**NODE, "pid": None, "modules": None}), ["1.0", SAME, "stopped", SAME, "verified"], []),
    "not asked": (host(node={**NODE, "modules": None}), ["1.0", SAME, "not asked", SAME, "verified"], []),
    "file": (host(CHANGED), ["1.0", "1 differs", SAME, SAME, "drift"], [REPAIR, CHANGED["text"]]),
    "added and module": (
        host(finding("added", "b is in no package"), finding("module", "c is loaded")),
        ["1.0", "1 differs", "1 differs", SAME, "drift"],
        [f"{ADDED} {RESTART}", "b is in no package", "c is loaded"],
    ),
    "inventory": (host(inventory=["write x", "write y"]), ["1.0", SAME, SAME, "2 differ", "drift"], [DEPLOY, "write x", "write y"]),
    "unknown": (host(releases=[UNKNOWN]), ["1.0", "not known", SAME, SAME, "not verified"], ["release 1.0 is not verified: there is no package"]),
    "an old one is unknown": (
        host(releases=[KNOWN, {**UNKNOWN, "version": "0.9", "is_permanent": False}]),
        ["1.0", SAME, SAME, SAME, "verified"],
        ["release 0.9 is not verified: there is no package"],
    ),
    "libraries elsewhere": (
        host(releases=[{**KNOWN, "left_out": ["SECOND_ROOT"]}]),
        ["1.0", SAME, SAME, SAME, "verified"],
        ["release 1.0: the libraries of SECOND_ROOT are not verified"],
    ),
    "no answer": (host(node={**NODE, "modules": None, "error": "it is mute"}), ["1.0", SAME, "no answer", SAME, "not verified"], ["it is mute"]),
    "repaired": (host(actions=["put back a"]), ["1.0", SAME, SAME, SAME, "repaired"], [LOADED, "put back a"]),
    "partly repaired": (host(CHANGED, actions=["put back b"]), ["1.0", "1 differs", SAME, SAME, "drift"], [REPAIR, LOADED, CHANGED["text"], "put back b"]),
    "many": (host(*[CHANGED] * 10), ["1.0", "10 differ", SAME, SAME, "drift"], [REPAIR, *[CHANGED["text"]] * 8, "and 2 more"]),
    "failed": (
        {"inventory_hostname": "north", "_otp_verified": {"failed": True, "msg": "no system"}},
        [None, None, None, None, "failed"],
        ["no system"],
    ),
    "unreachable": (
        {"inventory_hostname": "north", "_otp_verified": {"unreachable": True, "msg": "no route"}},
        [None, None, None, None, "unreachable"],
        ["the host cannot be reached: no route"],
    ),
    "not reached": ({"inventory_hostname": "north"}, [None, None, None, None, "not reached"], []),
}


@pytest.mark.parametrize("name", CASES)
def test_a_host(name: str) -> None:
    variables, cells, notes = CASES[name]
    state = verify_state([variables])
    (found,) = state["report"]
    assert [found["now"], found["outcome"], found["reason"]] == [cells[0], cells[-1], "; ".join(notes)]
    assert state["lines"][1].split("  ")[0] == "north" and all(str(cell or "-") in state["lines"][1] for cell in cells)
    is_well = cells[-1] in ("verified", "repaired")
    assert state["is_well"] == is_well and state["hosts"][0]["is_bad"] != is_well
    assert state["hosts"][0]["is_shown"] == (cells[-1] in ("failed", "unreachable"))


def test_in_check_mode_nothing_is_repaired() -> None:
    state = verify_state([host(CHANGED, actions=["put back a"])], check_mode=True)
    assert state["report"][0]["outcome"] == "drift" and "put back a" not in "".join(state["lines"])


def test_the_inventory_that_could_not_be_compared() -> None:
    state = verify_state([{**host(), "_otp_system": {"failed": True, "msg": "a library has other content"}}])
    assert state["report"][0]["outcome"] == "not verified" and state["hosts"][0]["is_shown"]
    assert "the inventory was not compared: a library has other content" in state["report"][0]["reason"]
