# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet on a terminal: a table, the notes, the sums."""

from __future__ import annotations

import textwrap
import typing as t

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet import Data

# Of 100 columns, Ansible takes 12 for indentation, quotes and comma.
WIDTH = 88
# In a fleet of more hosts than this, those that run well on the same release share a row.
ROWS = 30
COLUMNS = {"host": "HOST", "state": "STATE", "release": "RELEASE", "permanent": "PERMANENT", "erts": "ERTS", "up": "UP", "node": "NODE"}
# These are cut when a row is too long, one after the other, down to so many characters.
ELASTIC = {"node": 8, "release": 12, "permanent": 12, "host": 8}
NOTE = 500
CUT = ".."


def fleet_lines(fleet: Data) -> list[str]:
    """The lines of the report. fleet: what describe_fleet returned."""
    parts = [
        table(fleet["rows"]),
        [line for note in fleet["notes"] for line in note_lines(note)],
        application_lines(fleet),
        mixed_lines(fleet),
        sum_lines(fleet),
    ]
    lines: list[str] = []
    for part in filter(None, parts):
        lines += [*([""] if lines else []), *part]
    return lines


def table(rows: t.Sequence[Data]) -> list[str]:
    """A header and a line for each row, or for several that are well and the same."""
    several = len({row["name"] for row in rows if row["name"]}) > 1
    shown = []
    for row in folded(rows) if len(rows) > ROWS else rows:
        release = title({"name": row["name"], "version": row["release"]}) if several and row["release"] else row["release"]
        # A client is below its master, unless rows have been folded in between.
        host = f"  {row['host']}" if row["master"] and len(rows) <= ROWS else row["host"]
        shown.append({column: {**row, "release": release, "host": host}[column] or "-" for column in COLUMNS})
    widths = {column: max(len(row[column]) for row in [COLUMNS, *shown]) for column in COLUMNS}
    for column, least in ELASTIC.items():
        excess = sum(widths.values()) + 2 * (len(widths) - 1) - WIDTH
        widths[column] -= min(max(0, excess), max(0, widths[column] - least))
    return ["  ".join(cut(row[column], width).ljust(width) for column, width in widths.items()).rstrip() for row in [COLUMNS, *shown]]


def folded(rows: t.Iterable[Data]) -> t.Iterator[dict[str, t.Any]]:
    """The rows, where those that are well and run the same are one."""
    same: dict[tuple[str, ...], list[Data]] = {}
    for row in rows:
        if row["state"] == "running":
            same.setdefault((row["name"], row["release"], row["permanent"], row["erts"]), []).append(row)
        else:
            yield dict(row)
    for of_release in same.values():
        if len(of_release) == 1:
            yield dict(of_release[0])
            continue
        # The larger unit says enough.
        latest, earliest = (" ".join(row["up"].split()[:2]) for row in (min(of_release, key=uptime), max(of_release, key=uptime)))
        up = latest if latest == earliest else f"{latest} - {earliest}"
        yield {**of_release[0], "host": f"{len(of_release)} hosts", "up": up, "node": ""}


def uptime(row: Data) -> int:
    return int(row["uptime"])


def note_lines(note: Data) -> list[str]:
    """A note, wrapped, behind the hosts that have it."""
    when = f"{note['first']} UTC: " if note["first"] else ""
    if note["first"] != note["last"]:
        when = f"{note['first']} to {note['last']} UTC: "
    return wrapped(f"{names(note['hosts'])}: {when}{cut(note['text'], NOTE)}")


def mixed_lines(fleet: Data) -> list[str]:
    """For each mixed group, how many hosts run what, and of all but the most frequent release, which."""
    lines = []
    for mixed in fleet["mixed"]:
        first, *others = mixed["releases"]
        counts = [f"{len(first['rows'])} on {title(first)}", *(f"{len(other['rows'])} on {title(other)} ({names(other['rows'])})" for other in others)]
        lines += wrapped(f"group {mixed['group']} is mixed: {', '.join(counts)}")
    return lines


def application_lines(fleet: Data) -> list[str]:
    """Where the application is that was asked for."""
    found = fleet["application"]
    if not found:
        return []
    lines = []
    for place in found["places"]:
        lines += wrapped(f"{found['name']} {place['version']}: in {title({**place, 'version': place['release']})}, which {where(place)}")
    if found["without"]:
        lines += wrapped(f"{found['name']}: in no release on {counted(found['without'])}")
    if found["unknown"]:
        lines += wrapped(f"{found['name']}: perhaps on {counted(found['unknown'])}, as not all is known of {'it' if len(found['unknown']) == 1 else 'them'}")
    return lines


def where(place: Data) -> str:
    return f"{'runs' if place['runs'] else 'is installed'} on {counted(place['rows'])}"


def counted(rows: t.Sequence[Data]) -> str:
    return f"{len(rows)} {'host' if len(rows) == 1 else 'hosts'} ({names(rows)})"


def sum_lines(fleet: Data) -> list[str]:
    """How many hosts run which release, and how many none."""
    total = len(fleet["rows"])
    sums = [(len(release["rows"]), f" {'runs' if len(release['rows']) == 1 else 'run'} {title(release)}") for release in fleet["releases"]]
    sums += [(len(state["rows"]), f": {state['state']}, {state['meaning']}") for state in fleet["states"]]
    return [cut(f"{count:>{len(str(total))}} of {total} {'host' if total == 1 else 'hosts'}{what}", WIDTH) for count, what in sums]


def title(release: Data) -> str:
    """The name and version of a release."""
    return " ".join(filter(None, (release["name"], release["version"])))


def names(rows: t.Sequence[Data], most: int = 4) -> str:
    """The hosts, or the first of them and how many more there are."""
    more = f" and {len(rows) - most} more" if len(rows) > most + 1 else ""
    return ", ".join(row["host"] for row in (rows[:most] if more else rows)) + more


def wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_long_words=True, break_on_hyphens=False)


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - len(CUT))] + CUT
