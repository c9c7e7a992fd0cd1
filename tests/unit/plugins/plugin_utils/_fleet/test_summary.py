# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of a run with many hosts: those of which there is nothing else to be known share a row, and none that failed does."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.summary import summary_lines

HEADER = ["HOST", "NOW", "SECONDS", "OUTCOME", "DOWN"]


def rows(*several: tuple[int, t.Any, str, str | None, str]) -> list[tuple[list[t.Any], str]]:
    """So many hosts with these seconds, outcome, DOWN and note."""
    flat = [values[1:] for values in several for _number in range(values[0])]
    return [([f"h{number}", "2", seconds, outcome, down], note) for number, (seconds, outcome, down, note) in enumerate(flat, 1)]


def cells(lines: t.Iterable[str]) -> list[list[str]]:
    return [re.split("  +", line) for line in lines]


def test_many_hosts_that_are_well_share_a_row_and_the_others_are_first() -> None:
    several = (20, 2.0, "done", "0.5 s", ""), (1, 3.0, "rolled back", "?", "a gate"), (1, 102.0, "done", "12.5 s", "")
    lines = summary_lines(HEADER, rows(*several, (9, 3.0, "done", "?", ""), (1, None, "unchanged", None, ""), (2, None, "not reached", None, "")))
    assert cells(lines[1:]) == [
        ["h21", "2", "3.0", "rolled back", "?"],
        ["21 hosts", "2", "2.0 - 102.0", "done", "0.5 s - 12.5 s"],
        ["9 hosts", "2", "3.0", "done", "?"],
        ["h32", "2", "-", "unchanged", "-"],
        ["2 hosts", "2", "-", "not reached", "-"],
        ["h21: a gate"],
    ]


def test_a_few_hosts_have_a_row_each() -> None:
    assert [line[0] for line in cells(summary_lines(HEADER, rows((30, 2.0, "done", None, ""))))] == ["HOST", *(f"h{number}" for number in range(1, 31))]
    assert cells(summary_lines(HEADER, rows((31, 2.0, "done", None, ""))))[1:] == [["31 hosts", "2", "2.0", "done", "-"]]
