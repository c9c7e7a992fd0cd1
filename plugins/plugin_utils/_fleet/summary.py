# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table at the end of a playbook: a row for each host, and what is to be known of it below."""

from __future__ import annotations

import textwrap
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean

Data = t.Mapping[str, t.Any]


def summary_lines(header: list[str], rows: t.Iterable[tuple[list[t.Any], str]]) -> list[str]:
    """The lines. rows: the cells of each host, of which an empty one and a None are a hyphen, and a note, which may be empty."""
    cells, notes = [header], []
    for row, note in rows:
        cells.append([f"{cell:.1f}" if isinstance(cell, float) else clean(str(cell or "-")) for cell in row])
        if note:
            notes += textwrap.wrap(clean(f"{row[0]}: {note}"), 88, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    widths = [max(map(len, column)) for column in zip(*cells)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).strip() for line in cells] + notes


def deploy_lines(hosts: t.Sequence[tuple[str, Data]], *, check_mode: bool = False) -> list[str]:
    """What became of each host in a deployment. hosts: the name of each, and what otp_target_system returned, empty when it was not run."""
    notes = [system.get("pending") if "node" in system else system.get("msg") for _name, system in hosts]
    rows = [(system_cells(name, system, check_mode), str(note or "")) for (name, system), note in zip(hosts, notes)]
    return summary_lines(["HOST", "BEFORE", "NOW", "SECONDS", "OUTCOME", "STATE", "DOWN", "AT BOOT"], rows)


def system_cells(name: str, system: Data, check_mode: bool) -> list[t.Any]:
    seconds, node = system.get("seconds"), system.get("node")
    if node is None:
        outcome = "unreachable" if system.get("unreachable") else "failed" if system else "not reached"
        return [name, None, None, seconds, outcome, None, None, None]
    down = system["unreachable_seconds"]
    changed = "would change" if check_mode else "changed" if down is None else "restarted"
    state = f"running, pid {node['pid']}" if node.get("pid") else "to be started" if node["running"] else "stopped"
    now = node["release"] if "release" in node else system["before"] if system["pending"] else system["release"]["version"]
    outcome = changed if system["changed"] else "unchanged"
    return [name, system["before"], now, seconds, outcome, state, None if down is None else f"{down:.1f} s", system["at_boot"] or "no"]
