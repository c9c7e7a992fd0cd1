# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet on a terminal."""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet import describe_fleet
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_text import ROWS, WIDTH, fleet_lines
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils.fleets import down, failed, hosts, said


def lines_of(given):
    lines = fleet_lines(describe_fleet(given, time="now"))
    assert all(len(line) <= WIDTH for line in lines)
    return lines


def test_a_small_fleet_has_a_row_for_each_host():
    assert lines_of(hosts(said(node="exchange@h1"), down("1.0"), said(node="exchange@h3"))) == [
        "HOST  STATE    RELEASE  PERMANENT  ERTS    UP         NODE",
        "h2    down     -        1.0        -       -          exchange@h2",
        "h1    running  2.0      2.0        13.1.5  1 h 0 min  exchange@h1",
        "h3    running  2.0      2.0        13.1.5  1 h 0 min  exchange@h3",
        "",
        "2 of 3 hosts run exchange 2.0",
        "1 of 3 hosts: down, no emulator runs the system",
    ]


def test_a_client_is_set_in_below_its_master():
    given = hosts(said(), down("1.0"), said())
    given["h2"]["master"] = "h1"
    assert [line[:12].rstrip() for line in lines_of(given)[:4]] == ["HOST  STATE", "h1    runnin", "  h2  down", "h3    runnin"]
    many = {**given, **{f"x{number}": host for number, host in enumerate(hosts(*[said()] * ROWS).values())}}
    assert lines_of(many)[1].startswith("h2  ")


def test_notes_and_mixed_groups_stand_between_table_and_sums():
    lines = lines_of(hosts(said("1.0", failed_releases={"2.0": failed()}), said(), said()))
    assert lines[5:8] == [
        "h1: 2026-11-21 03:04:05 UTC: release 2.0 failed (verify): exchange:status/0 returned",
        "  stopped, and {running,_} was expected, for 30 s",
        "",
    ]
    assert lines[8:] == ["group otp is mixed: 2 on exchange 2.0, 1 on exchange 1.0 (h1)", "", "2 of 3 hosts run exchange 2.0", "1 of 3 hosts runs exchange 1.0"]


def test_a_large_fleet_is_told_by_those_that_are_not_well():
    told = (
        [said(running={"uptime": 90000 * number}) for number in range(1, 188)] + [said("1.0")] * 9 + [down()] * 3 + [{"unreachable": True, "msg": "no route"}]
    )
    lines = lines_of(hosts(*told))
    assert [line.split()[:2] for line in lines[: lines.index("")]] == [
        ["HOST", "STATE"], ["h200", "unreachable"], ["h197", "down"], ["h198", "down"], ["h199", "down"], ["187", "hosts"], ["9", "hosts"],
    ]  # fmt: skip
    assert lines[5].split("  ")[0] == "187 hosts" and "1 d - 194 d" in lines[5]
    assert "187 of 200 hosts run exchange 2.0" in lines and "  9 of 200 hosts run exchange 1.0" in lines
    assert "(h188, h189, h190, h191 and 5 more)" in " ".join(line.strip() for line in lines)


def test_one_host_less_and_none_is_folded():
    assert len([line for line in lines_of(hosts(*[said()] * ROWS)) if " running " in line]) == ROWS


def test_what_is_long_is_cut_where_that_loses_least():
    named = {f"exchange-{number}.north.example.com": {"result": said("2026.11.21-1234567+git.0123456789abcdef"), "node": "", "groups": []} for number in (1, 2)}
    for host, data in named.items():
        data["result"] = said("2026.11.21-1234567+git.0123456789abcdef", node=f"exchange@{host}")
    lines = lines_of(named)
    assert lines[1].startswith("exchange-1.north.") and ".." in lines[1]
    assert "2 of 2 hosts run exchange 2026.11.21-1234567+git.0123456789abcdef" in lines


def test_a_reason_without_end_is_cut():
    lines = lines_of(hosts({"failed": True, "msg": "x" * 100_000}))
    assert len(lines) < 15 and any(line.endswith("..") for line in lines)


def test_releases_of_several_names_are_named():
    lines = lines_of(hosts(said("1.0"), said("1.0", name="billing")))
    assert "exchange 1.0" in lines[1]
    assert "billing 1.0" in lines[2]


def test_an_empty_fleet():
    assert lines_of({}) == ["HOST  STATE  RELEASE  PERMANENT  ERTS  UP  NODE"]
