# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table at the end of a playbook: a row for each host, and what is to be known of it below."""

from __future__ import annotations

import textwrap
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean

Data = t.Mapping[str, t.Any]


# In a run of more hosts than this, those of which there is nothing else to be known share a row.
ROWS = 30
# Of these columns such a row has the least and the most.
RANGES = ("SECONDS", "DOWN")

Row = t.Tuple[t.List[t.Any], str]


def summary_lines(header: list[str], rows: t.Iterable[Row]) -> list[str]:
    """The lines. rows: the cells of each host, of which an empty one and a None are a hyphen, and a note, which may be
    empty. The lines of a log in a note stay lines.
    """
    cells, notes = [header], []
    shown = [([_text(cell) for cell in row], note) for row, note in rows]
    for row, note in _folded(header, shown) if len(shown) > ROWS else shown:
        cells.append(row)
        if note:
            first, *others = clean(f"{row[0]}: {note}").split("\n")
            notes += textwrap.wrap(first, 88, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
            notes += [f"  {line}" for line in others]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).strip() for line in cells] + notes


def _text(cell: t.Any) -> str:
    return f"{cell:.1f}" if isinstance(cell, float) else clean(str(cell or "-"))


def _folded(header: t.Sequence[str], rows: t.Iterable[Row]) -> t.Iterator[Row]:
    """The rows with a note, each; then one for all without a note that are the same but for the host and RANGES."""
    same: dict[tuple[str, ...], list[list[str]]] = {}
    for row, note in rows:
        if note:
            yield row, note
        else:
            same.setdefault(tuple("" if title in RANGES and cell[0].isdigit() else cell for title, cell in zip(header[1:], row[1:])), []).append(row)
    for alike in same.values():
        columns = zip(header, zip(*alike))
        row = [_range(cells) if title in RANGES else cells[0] for title, cells in columns]
        yield ([f"{len(alike)} hosts", *row[1:]] if len(alike) > 1 else row), ""


def _range(cells: t.Sequence[str]) -> str:
    """The least and the most of numbers with or without a unit, such as ``0.4 s``; or what all of them are."""
    ordered = sorted(set(cells), key=lambda cell: float(cell.split()[0])) if cells[0][0].isdigit() else cells
    return " - ".join(dict.fromkeys((ordered[0], ordered[-1])))
