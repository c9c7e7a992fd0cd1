# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a step comes from a process that was forked later, with its host; one that does not fit is lost, and nobody waits; without a display none is sent."""

from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._live.channel import close_channel, is_open, open_channel, received, report_step


@pytest.fixture(autouse=True)
def closed() -> t.Iterator[None]:
    yield
    close_channel()


def test_from_a_process_that_was_forked_later() -> None:
    channel = open_channel()
    if not (pid := os.fork()):
        report_step("north", "gate 1/2")
        os._exit(0)
    os.waitpid(pid, 0)
    assert received(channel) == [("north", "gate 1/2")] and received(channel) == []


def test_what_does_not_fit_is_lost() -> None:
    channel = open_channel()
    for number in range(100_000):
        report_step("north", f"step {number}")
    assert 0 < len(received(channel)) < 100_000
    report_step("north", "x" * 10_000_000)
    report_step("north", "again")
    assert received(channel) == [("north", "again")]


def test_without_a_display() -> None:
    report_step("north", "gate 1/2")
    assert not is_open()
