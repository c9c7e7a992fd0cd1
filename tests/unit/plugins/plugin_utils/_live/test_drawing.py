# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: one line a host, never wider than the terminal; the reason below one that failed; a bar for the batch; where lines are few, what failed and
what is worked on, and the number of the others; signs that the terminal has.
"""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._live.drawing import ASCII, UNICODE, Signs, columns, frame, signs_for
from ansible_collections.erlang.otp.plugins.plugin_utils._live.view import Host, View


def view_of(*hosts: Host, batch: int = 100) -> View:
    view = View()
    view.hosts = {host.name: host for host in hosts}
    view.play, view.batch = "Upgrade the fleet", [host.name for host in hosts[:batch]]
    return view


def drawn(view: View, width: int = 80, height: int = 20, signs: Signs = UNICODE) -> str:
    lines = frame(view, width=width, height=height, now=10.0, tick=2, signs=signs)
    assert len(lines) <= height and all(columns(line) < width for line in lines)
    return "\n".join(line.rstrip() for line in lines)


NORTH = Host("north", before="FIRST", after="SECOND", outcome="done", seconds=4.2)
SOUTH = Host("south", before="FIRST", after="FIRST", outcome="rolled back", seconds=9.6, is_bad=True, reason="gate: exchange:calls() returned 1")
WEST = Host("west", before="FIRST", after="SECOND", step="gate 4/10", began=7.0)
EAST = Host("east", step="waiting")


def test_every_kind_of_line() -> None:
    assert drawn(view_of(NORTH, SOUTH, WEST, EAST)) == (
        "✓  north  FIRST → SECOND  done                                              4 s\n"
        "✗  south  FIRST           rolled back                                      10 s\n"
        "     gate: exchange:calls() returned 1\n"
        "⠹  west   FIRST → SECOND  gate 4/10                                         3 s\n"
        "   east                   waiting\n"
        "[██████████░░░░░░░░░░] 2/4 of the batch, 1 failed  Upgrade the fleet"
    )


def test_a_terminal_without_these_signs() -> None:
    text = drawn(view_of(NORTH, SOUTH, WEST, EAST), signs=ASCII)
    assert text.isascii() and "FIRST -> SECOND" in text and [line[0] for line in text.splitlines()] == ["+", "x", " ", "-", " ", "["]


@pytest.mark.parametrize(("encoding", "signs"), [("utf-8", UNICODE), ("latin-1", ASCII), (None, ASCII), ("no such", ASCII)])
def test_signs(encoding: str | None, signs: Signs) -> None:
    assert signs_for(encoding) == signs


@pytest.mark.parametrize("width", [*range(1, 40), 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    drawn(view_of(NORTH, SOUTH, WEST, Host("名" * 40, before="版" * 30, after="本", step="歩" * 50, began=0.0)), width)


def test_a_narrow_terminal_leaves_the_releases_out() -> None:
    assert drawn(view_of(NORTH, WEST), 40).splitlines()[1] == "⠹  west   gate 4/10                 3 s"


def many() -> View:
    done = [Host(f"done{number}", before="1", after="2", outcome="done") for number in range(50)]
    active = [Host(f"active{number}", before="1", after="2", step="send the package: 34 %", began=1.0) for number in range(3)]
    return view_of(*done, SOUTH, *active, *[Host(f"later{number}", step="waiting") for number in range(30)])


def test_more_hosts_than_lines() -> None:
    lines = drawn(many(), height=8).splitlines()
    assert [line.split()[1] for line in lines if line[0] in "✗⠹"] == ["south", "active0", "active1", "active2"]
    assert lines[-2] == "   … 79 more: 50 done, 29 waiting" and "51/84 of the batch, 1 failed" in lines[-1]


@pytest.mark.parametrize("height", range(1, 30))
def test_no_host_is_lost(height: int) -> None:
    """Shown, or counted."""
    lines = drawn(many(), height=height).splitlines()
    shown = sum(line[:1] in ("✓", "✗", "⠹") or line.split()[1:2] == ["waiting"] for line in lines)
    counted = [int(line.split()[1]) for line in lines if line.startswith("   … ")]
    assert sum(counted, shown) == 84 or height == 1


def test_what_is_worked_on_is_seen_beside_many_failures() -> None:
    failed = [Host(f"bad{number}", outcome="failed", is_bad=True, reason="why") for number in range(50)]
    lines = drawn(view_of(*failed, WEST), height=10).splitlines()
    assert any("west" in line for line in lines) and sum(line[0] == "✗" for line in lines) == 3


def test_a_play_without_releases_counts_the_hosts_of_its_task() -> None:
    view = view_of(Host("a", has_ended_task=True), Host("b", step="Copy", began=9.0))
    view.task = "Copy"
    assert drawn(view).splitlines()[-1] == "[██████████░░░░░░░░░░] 1/2 of the task  Copy"
