# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: what is printed goes above the lines, and nothing of it is lost; the lines are drawn over themselves; a question is left alone; the terminal may
change its size; texts of hosts move no cursor; at the end the lines stay and the cursor is visible below them. A terminal emulator reads what is written.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import typing as t

import pyte
import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._live.screen import Screen, harmless


class Emulator:
    """A terminal with this many columns and rows that remembers what has left it at the top."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        self.emulated = pyte.HistoryScreen(30, 8, history=1000)
        self.stream = pyte.ByteStream(self.emulated)
        self.resize(30, 8)
        self.output = os.fdopen(slave, "w", encoding="utf-8")

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.emulated.resize(rows, columns)

    def lines(self) -> list[str]:
        while select.select([self.master], [], [], 0.05)[0]:
            self.stream.feed(os.read(self.master, 65536))
        above = ["".join(line[column].data for column in range(self.emulated.columns)) for line in self.emulated.history.top]
        return [line.rstrip() for line in [*above, *self.emulated.display] if line.strip()]


@pytest.fixture
def emulator() -> t.Iterator[Emulator]:
    emulator = Emulator()
    yield emulator
    emulator.output.close()
    os.close(emulator.master)


class Lines:
    """What is drawn at the moment."""

    now: t.ClassVar[list[str]] = ["a: one", "b: one"]

    def draw(self, width: int, height: int) -> list[str]:
        return [line[: width - 1] for line in self.now[:height]]


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def screen(lines: Lines) -> Screen:
    return Screen(lines.draw)


@contextlib.contextmanager
def opened(screen: Screen, emulator: Emulator) -> t.Iterator[None]:
    """Not a fixture: pytest replaces the streams between the parts of a test."""
    with contextlib.redirect_stdout(emulator.output), contextlib.redirect_stderr(emulator.output):
        screen.open()
        try:
            yield
        finally:
            screen.close()
            assert sys.stdout is emulator.output


def drawn(screen: Screen, emulator: Emulator) -> list[str]:
    """What the terminal shows after the next frame."""
    with screen.lock:
        screen._update()
    return emulator.lines()


def test_printed_above_and_nothing_is_lost(screen: Screen, emulator: Emulator) -> None:
    with opened(screen, emulator):
        for number in range(40):
            print(f"line {number}")
            print(f"warning {number}", file=sys.stderr)
        expected = [f"{word} {number}" for number in range(40) for word in ("line", "warning")]
        assert drawn(screen, emulator) == [*expected, "a: one", "b: one"]


def test_drawn_over_themselves(screen: Screen, lines: Lines, emulator: Emulator) -> None:
    with opened(screen, emulator):
        for now in (["a: two", "b: one"], ["a: two", "b: two", "c: one"], ["c: two"], []):
            lines.now = now
            assert drawn(screen, emulator) == now


def test_a_question_is_left_alone(screen: Screen, lines: Lines, emulator: Emulator) -> None:
    with opened(screen, emulator):
        sys.stdout.write("Go on? ")
        lines.now = ["a: two"]
        assert drawn(screen, emulator) == ["Go on?"]
        sys.stdout.write("yes\n")
        assert drawn(screen, emulator) == ["Go on? yes", "a: two"]
        screen.pause()
        print("Press enter")
        assert drawn(screen, emulator) == ["Go on? yes", "Press enter"]
        screen.pause(False)
        assert drawn(screen, emulator) == ["Go on? yes", "Press enter", "a: two"]


def test_another_size(screen: Screen, lines: Lines, emulator: Emulator) -> None:
    with opened(screen, emulator):
        print("before")
        lines.now = [f"{letter}: " + "x" * 50 for letter in "abcdefghij"]
        assert [len(line) for line in drawn(screen, emulator)] == [6, *[29] * 7]
        emulator.resize(12, 8)
        print("now")
        assert drawn(screen, emulator)[-8:] == ["now", *[f"{letter}: {'x' * 8}" for letter in "abcdefg"]]
        emulator.resize(40, 4)
        assert drawn(screen, emulator)[-3:] == [f"{letter}: {'x' * 36}" for letter in "abc"]


def test_the_end(screen: Screen, emulator: Emulator) -> None:
    with opened(screen, emulator):
        print("before")
        screen.close()
        print("after")
        sys.stdout.flush()
        assert emulator.lines() == ["before", "a: one", "b: one", "after"]
        assert not emulator.emulated.cursor.hidden and emulator.emulated.cursor.x == 0


def test_a_frame_that_fails_and_a_terminal_that_is_gone(screen: Screen, lines: Lines, emulator: Emulator) -> None:
    with opened(screen, emulator):
        lines.now = t.cast("list[str]", None)
        print("goes on")
        assert drawn(screen, emulator) == ["goes on"]
        lines.now = ["a: one"]
        screen.terminal = -1
        screen._write("nowhere")


def test_a_text_of_a_hostile_host() -> None:
    assert harmless("\x1b[0;31mfatal:\x1b[0m \x1b[2J\x1b]0;title\x07\x1b[1A\rover\ttab\n") == "\x1b[0;31mfatal:\x1b[0m [2J]0;title[1Aover\ttab\n"
