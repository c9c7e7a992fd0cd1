# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upgrade of the demo as an SVG file, from a real run: `make picture`.

picture.py FILE: deploys, upgrades with calls going on, fails a gate, and draws what the terminal showed of the two upgrades.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import typing as t
from pathlib import Path
from xml.sax.saxutils import escape

# The width of the picture in characters; show.py folds long lines to it.
os.environ["COLUMNS"] = "104"

import demo  # noqa: E402
import fleet  # noqa: E402

CHARACTER, LINE, MARGIN = 8.4, 20, 24
# Class and pattern of what is coloured, the first that matches at a place.
COLOURS = (
    ("good", r"\bdone\b|\b\d+ calls, 0 failed\b"),
    ("bad", r"\brolled back\b|failed on \w+"),
    ("dim", r"\bnot reached\b|^  HOST .*|^  exit status .*"),
    ("command", r"^\$ .*"),
    ("title", r"^\d+\. .*"),
)
STYLE = """
  text { font: 14px ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1f2328; white-space: pre }
  .window { fill: #f6f8fa; stroke: #d0d7de }
  .title { font-weight: bold } .command { fill: #0550ae } .dim { fill: #59636e }
  .good { fill: #116329; font-weight: bold } .bad { fill: #a40e26; font-weight: bold }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .window { fill: #161b22; stroke: #30363d } .command { fill: #79c0ff } .dim { fill: #8b949e }
    .good { fill: #56d364 } .bad { fill: #ff7b72 }
  }
"""


class Recorder(io.StringIO):
    """Remembers what is printed, and shows it."""

    def write(self, text: str) -> int:
        sys.__stdout__.write(text)
        sys.__stdout__.flush()
        return super().write(text)


def record() -> list[str]:
    """The lines of the two upgrades. Raises Failed, as the demo does."""
    if fleet.PLACE.exists():
        fleet.remove_all()
    fleet.PLACE.mkdir(parents=True, mode=0o700)
    recorder = Recorder()
    try:
        with contextlib.redirect_stdout(recorder):
            demo.show_first()
            demo.show_next()
            demo.stop_all()
    except BaseException:
        fleet.kill_all()
        raise
    fleet.remove_all()
    return cut(recorder.getvalue())


def cut(output: str) -> list[str]:
    """From the headline of the first upgrade to that of the rollback, numbered from 1."""
    lines = output[output.index("\n6. ") + 1 : output.index("\n8. ")].rstrip().splitlines()
    return [re.sub(r"^(\d+)\.", lambda found: f"{int(found[1]) - 5}.", line) for line in lines]


def spans(line: str) -> t.Iterator[str]:
    """The line as text of SVG, coloured."""
    pattern = re.compile("|".join(f"(?P<{name}>{expression})" for name, expression in COLOURS))
    end = 0
    for found in pattern.finditer(line):
        yield escape(line[end : found.start()])
        yield f'<tspan class="{found.lastgroup}">{escape(found[0])}</tspan>'
        end = found.end()
    yield escape(line[end:])


def draw(lines: list[str]) -> str:
    width = round(max(len(line) for line in lines) * CHARACTER) + 2 * MARGIN
    height = len(lines) * LINE + 2 * MARGIN
    texts = [
        f'<text x="{MARGIN}" y="{MARGIN + 14 + number * LINE}" xml:space="preserve">{"".join(spans(line))}</text>' for number, line in enumerate(lines) if line
    ]
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            "<!-- SPDX-License-Identifier: GPL-3.0-or-later. Drawn by `make picture`. -->",
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img"'
            ' aria-label="An upgrade of three nodes on a terminal">',
            f"<style>{STYLE}</style>",
            f'<rect class="window" x="1" y="1" width="{width - 2}" height="{height - 2}" rx="8"/>',
            *texts,
            "</svg>\n",
        ]
    )


def main() -> int:
    try:
        Path(sys.argv[1]).write_text(draw(record()), encoding="utf-8")
    except fleet.Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
