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
    """The lines. rows: the cells of each host, of which an empty one and a None are a hyphen, and a note, which may be
    empty. The lines of a log in a note stay lines.
    """
    cells, notes = [header], []
    for row, note in rows:
        cells.append([f"{cell:.1f}" if isinstance(cell, float) else clean(str(cell or "-")) for cell in row])
        if note:
            first, *others = clean(f"{row[0]}: {note}").split("\n")
            notes += textwrap.wrap(first, 88, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
            notes += [f"  {line}" for line in others]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).strip() for line in cells] + notes
