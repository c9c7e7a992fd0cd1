# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a lock is taken by the first inspection that finds it free; a lock of an ended run of this controller is broken, and reported; a
lock of a living run, or of another controller, is respected until the timeout; the error says who holds it and what to do.
"""

from __future__ import annotations

import getpass
import os
import socket
import subprocess

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._box import lock as _lock
from ansible_collections.erlang.otp.plugins.plugin_utils._box.inspection import Inspection
from ansible_collections.erlang.otp.plugins.plugin_utils._box.lock import has_ended, new_token, take_lock

LOCK = "/srv/exchange/.box.lock"
HERE = f"{getpass.getuser()}@{socket.gethostname()}"


def ended_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


ENDED = ended_process()


class Box:
    """Answers inspections as inspect.sh does: the lock, or the inspection once it is free."""

    def __init__(self, holder: str) -> None:
        self.holder = holder
        self.calls: list[dict[str, str]] = []

    def inspect(self, **variables: str) -> Inspection:
        self.calls.append(variables)
        broken = self.holder if variables["BREAK"] == self.holder else ""
        if broken:
            self.holder = ""
        return Inspection(broken=broken, locked=self.holder)


def take(box: Box, timeout: float = 0.0) -> list[str]:
    warnings: list[str] = []
    take_lock(box.inspect, lock=LOCK, timeout=timeout, warnings=warnings)
    return warnings


def test_a_free_lock_is_taken_at_once() -> None:
    box = Box("")
    assert take(box) == []
    assert box.calls == [{"TAKE": "yes", "BREAK": ""}]


def test_the_lock_of_an_ended_run_is_broken_and_reported() -> None:
    holder = f"{HERE} {ENDED} 2026-01-01T00:00:00Z 00 boot"
    box = Box(holder)
    (warning,) = take(box)
    assert holder in warning
    assert [call["BREAK"] for call in box.calls] == ["", holder]


@pytest.mark.parametrize(
    "holder", [f"{HERE} {os.getpid()} now 00 boot", f"other@elsewhere {ENDED} now 00 boot", "nothing known"], ids=["ours", "of another", "unknown"]
)
def test_another_lock_is_respected(holder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lock, "LOCK_PAUSE", 0.0)
    box = Box(holder)
    with pytest.raises(OtpError, match=r"another run works on the box: .*waited 0.01 s.*remove /srv/exchange/.box.lock"):
        take(box, timeout=0.01)
    assert len(box.calls) > 1
    assert {call["BREAK"] for call in box.calls} == {""}


def test_each_run_has_its_own_name_which_shows_that_it_lives() -> None:
    token = new_token()
    assert token != new_token()
    assert not has_ended(f"{token} boot")
