# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A terminal whose screen is kept, frame by frame, by a terminal emulator that is not ours."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import termios
import time
import typing as t

import pyte
from terminal import Terminal
from waiting import LIMIT

SPINNER = re.compile(r"^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]")
SECONDS = re.compile(r" *\d+ s$")
HIDE_CURSOR = b"\x1b[?25l"


class Recording(Terminal):
    """A command in a terminal of this size. frames: each screen that differed from the one before; written: all bytes."""

    def __init__(self, *command: str, columns: int = 80, rows: int = 24, **variables: str) -> None:
        super().__init__(*command, **variables)
        self.screen = pyte.HistoryScreen(columns, rows, history=10_000)
        self.stream = pyte.ByteStream(self.screen)
        self.resize(columns, rows)
        self.frames: list[list[str]] = []
        self.written = b""

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.line, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def lines(self) -> list[str]:
        """What is on the screen."""
        return [line.rstrip() for line in self.screen.display]

    def everything(self) -> str:
        """What has been on it, as somebody sees who scrolls back."""
        above = ["".join(line[column].data for column in range(self.screen.columns)).rstrip() for line in self.screen.history.top]
        return "\n".join([*above, *self.lines()])

    def watch(self, fact: t.Callable[[], t.Any] = lambda: False) -> bool:
        """Read until the fact of the screen is true; False if the command ends before."""
        deadline = time.monotonic() + LIMIT
        while not fact():
            assert time.monotonic() < deadline, self.everything()
            if not select.select([self.line], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(self.line, 65536)
            except OSError:
                return False
            self.written += data
            self.stream.feed(data)
            if not self.frames or self.frames[-1] != self.lines():
                self.frames.append(self.lines())
        return True


def lines_of_hosts(frame: t.Sequence[str], first: str) -> list[str]:
    """Those of a screen, from that of the first host to the bar, with the spinner and the seconds as in the documentation; nothing if there are none."""
    shown = [SECONDS.sub(lambda found: "N s".rjust(len(found[0])), SPINNER.sub("⠋", line)) for line in frame]
    begin = next((number for number in range(len(shown) - 1, -1, -1) if re.match(rf".  {first}\b", shown[number])), None)
    end = next((number for number in range(len(shown) - 1, -1, -1) if shown[number].startswith("[")), None)
    return shown[begin : end + 1] if begin is not None and end is not None and begin < end else []
