# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few lines at the bottom of a terminal that are drawn again and again, below all that the process prints.

The cursor is at the beginning of the line below them, always and visible, so whatever ends the process leaves the terminal in order. What the process
prints goes above: these lines are taken away, and drawn again after it. A text without its newline, such as a question, is left alone until it has one.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean

# Seconds between two frames.
PAUSE = 0.1
# Draws lines of at most this width and number.
Draw = t.Callable[[int, int], "list[str]"]


class Above:
    """A stream of the process, whose texts go above the lines."""

    def __init__(self, screen: Screen, stream: t.TextIO) -> None:
        self._screen, self._stream = screen, stream

    def write(self, text: str) -> int:
        return self._screen.print(self._stream, text)

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._stream, name)


COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")


def harmless(text: str) -> str:
    """The text with no control characters but colours: Ansible shows messages of hosts as they are, and they could write over the lines."""
    return text if text.isascii() and text.isprintable() else "".join(part if number % 2 else clean(part) for number, part in enumerate(COLOUR.split(text)))


class Screen:
    """The lines. draw: what makes them."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.lock = threading.RLock()
        self.ended = threading.Event()
        self.shown: list[str] = []
        self.is_partial = self.is_paused = self.is_open = False
        self.drawn_at = 0.0
        self.size = os.terminal_size((0, 0))

    def open(self) -> None:
        """Draw from now on, and have all that is printed go above."""
        self.streams = sys.stdout, sys.stderr
        self.terminal = sys.stdout.fileno()
        sys.stdout = t.cast(t.TextIO, Above(self, sys.stdout))
        if sys.stderr.isatty():
            sys.stderr = t.cast(t.TextIO, Above(self, sys.stderr))
        self.is_open = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def close(self) -> None:
        """Leave the lines as they are now, and draw no more."""
        if not self.is_open:
            return
        self.ended.set()
        if threading.current_thread() is not self.thread:
            self.thread.join()
        with self.lock:
            self.is_paused = False
            self._update()
            self.is_open = False
            self.shown = []
            sys.stdout, sys.stderr = self.streams

    def pause(self, is_paused: bool = True) -> None:
        """Draw nothing meanwhile: the operator is asked something."""
        with self.lock:
            if is_paused:
                self._write(self._away())
            self.is_paused = is_paused

    def print(self, stream: t.TextIO, text: str) -> int:
        """Write the text to the stream, above the lines."""
        with self.lock:
            if self.shown and text:
                self._write(self._away())
            count = stream.write(text if self.is_paused else harmless(text))
            stream.flush()
            self.is_partial = not text.endswith("\n") if text else self.is_partial
            # Much that is printed at once is not drawn below each time.
            if time.monotonic() - self.drawn_at > PAUSE / 2:
                self._update()
            return count

    def _run(self) -> None:
        while not self.ended.wait(PAUSE):
            with self.lock:
                self._update()

    def _update(self) -> None:
        if self.is_partial or self.is_paused or not self.is_open:
            return
        size = self.size
        try:
            size = os.get_terminal_size(self.terminal)
            # The line of the cursor stays free.
            lines = self.draw(size.columns or 80, (size.lines or 24) - 1)
        except Exception:
            # A display never fails a run.
            lines = []
        self.drawn_at = time.monotonic()
        if size != self.size:
            # The terminal may have folded the lines anew: what is left of them above stays.
            self._write(self._away())
            self.size = size
        if lines != self.shown:
            self._write(self._over(lines))
            self.shown = lines

    def _over(self, lines: list[str]) -> str:
        """What turns the shown lines into these."""
        kept = [before == after for before, after in zip(self.shown, lines)] + [False] * len(lines)
        body = "".join("\r\n" if is_kept else f"{line}\x1b[K\r\n" for line, is_kept in zip(lines, kept))
        return f"{self._up()}{body}" + ("\x1b[J" if len(lines) < len(self.shown) else "")

    def _away(self) -> str:
        text = f"{self._up()}\x1b[J" if self.shown else ""
        self.shown = []
        return text

    def _up(self) -> str:
        return f"\r\x1b[{len(self.shown)}A" if self.shown else "\r"

    def _write(self, text: str) -> None:
        data = text.encode(getattr(self.streams[0], "encoding", None) or "utf-8", "replace")
        # The terminal may be gone.
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self.terminal, data) :]
