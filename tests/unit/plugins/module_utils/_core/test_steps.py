# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a step is one line, if somebody reads it; a reader that is gone or reads no more holds no module up; what Changes does is a step, in check mode
none.
"""

from __future__ import annotations

import json
import os
import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core import steps
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.steps import LONGEST, STEP, show_steps, step


@pytest.fixture
def pipe() -> t.Iterator[list[int]]:
    ends = list(os.pipe())
    os.set_blocking(ends[0], False)
    show_steps(ends[1])
    yield ends
    steps._outputs.clear()
    for end in ends:
        os.close(end)


def shown(pipe: list[int]) -> list[str]:
    try:
        return [json.loads(line[len(STEP) :]) for line in os.read(pipe[0], 1 << 20).decode().splitlines()]
    except BlockingIOError:
        return []


def test_one_line_a_step(pipe: list[int]) -> None:
    step("unpack the ☃\npackage")
    step("x" * 1000)
    assert shown(pipe) == ["unpack the ☃\npackage", "x" * LONGEST]


def test_a_reader_that_reads_no_more(pipe: list[int]) -> None:
    for _each in range(10_000):
        step("x" * LONGEST)
    assert 0 < len(shown(pipe)) < 10_000


def test_a_reader_that_is_gone() -> None:
    read, write = os.pipe()
    os.close(read)
    show_steps(write)
    step("unpack")
    os.close(write)
    step("unpack")
    steps._outputs.clear()
    step("unpack")


def test_what_is_done_is_a_step(pipe: list[int]) -> None:
    assert Changes().do("write a file", lambda: 1) == 1
    changes = Changes(check_mode=True)
    changes.do("write another file", lambda: 1)
    assert shown(pipe) == ["write a file"] and changes.actions == ["write another file"]
