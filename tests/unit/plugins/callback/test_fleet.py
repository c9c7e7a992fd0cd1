# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: lines are drawn only on a terminal that can draw over them, and not for an automation server. tests/real/test_live.py has the rest."""

from __future__ import annotations

import io
import sys

import pytest

from ansible_collections.erlang.otp.plugins.callback.fleet import is_live


class Output(io.StringIO):
    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.mark.parametrize(
    ("is_terminal", "term", "ci", "expected"),
    [
        (True, "xterm", None, True),
        (True, "xterm", "", True),
        (True, "xterm", "false", True),
        (True, "xterm", "true", False),
        (True, "dumb", None, False),
        (True, "", None, False),
        (True, None, None, False),
        (False, "xterm", None, False),
    ],
)
def test_where_lines_are_drawn(monkeypatch: pytest.MonkeyPatch, is_terminal: bool, term: str | None, ci: str | None, expected: bool) -> None:
    for name, value in (("TERM", term), ("CI", ci)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", Output(is_terminal))
    assert is_live() is expected
