# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Error reports in the logs of run_erl.

Rules: a head of a report of the level error or above counts, in the formats of OTP and Elixir, if its time is within the seconds; lines of a report, and
warnings, do not; all of the logs count; a pipe in the place of a log is an error, and nothing is waited for.
"""

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.log_reports import MONTHS, count_reports


def legacy(kind: str, ago: float, utc: str = "") -> str:
    at = (time.gmtime if utc else time.localtime)(time.time() - ago)
    return f"={kind} REPORT==== {at.tm_mday}-{MONTHS[at.tm_mon - 1]}-{at.tm_year}::{time.strftime('%H:%M:%S', at)}.123456{utc} ===\n"


def iso(level: str, ago: float, zone: str = "Z", shift: float = 0) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(time.time() - ago + shift))}.123456{zone} {level}: text\n"


@pytest.fixture(params=["UTC", "America/St_Johns"], autouse=True)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        *((legacy, (kind, 5, " UTC")) for kind in ("ERROR", "CRASH", "SUPERVISOR", "CRITICAL")),
        (iso, ("error", 5)),
        (iso, ("alert", 5, "+05:30", 5.5 * 3600)),
        (iso, ("emergency", 5, "-02:00", -2 * 3600)),
    ],
)
def test_what_counts_within_the_seconds(tmp_path: Path, make: t.Callable[..., str], arguments: tuple[t.Any, ...]) -> None:
    text = make(*arguments)
    (tmp_path / "erlang.log.3").write_text(f"\r\n{text}a text with =ERROR REPORT==== in it\n")
    assert count_reports(str(tmp_path), seconds=10) == {"count": 1, "last": text.strip()}
    assert count_reports(str(tmp_path), seconds=3) == {"count": 0, "last": None}


def test_times_of_the_host_and_all_files(tmp_path: Path) -> None:
    clock = time.strftime("%H:%M:%S", time.localtime(time.time() - 2))
    (tmp_path / "erlang.log.1").write_text(legacy("ERROR", 60) + legacy("CRASH", 5) + legacy("WARNING", 1) + legacy("PROGRESS", 1))
    (tmp_path / "erlang.log.2").write_text(f"{clock}.123 [error] text\n{clock}.123 [warning] text\n{clock}.5 pid=1 [critical] z\n" + iso("notice", 1))
    (tmp_path / "run_erl.log").write_text(legacy("ERROR", 1))
    found = count_reports(str(tmp_path), seconds=10)
    assert found == {"count": 3, "last": f"{clock}.5 pid=1 [critical] z"}
    assert count_reports(str(tmp_path), seconds=100)["count"] == 4


def test_what_is_no_time_is_long_ago(tmp_path: Path) -> None:
    (tmp_path / "erlang.log.1").write_text("=ERROR REPORT==== 99-Abc-2026::99:99:99 ===\n2026-99-99T12:00:00Z error: x\n99:99:99.1 [error] x\n")
    assert count_reports(str(tmp_path), seconds=1e6)["count"] == 0


def test_no_log_and_a_pipe(tmp_path: Path) -> None:
    assert count_reports(str(tmp_path / "none"), seconds=10) == {"count": 0, "last": None}
    os.mkfifo(tmp_path / "erlang.log.1")
    with pytest.raises(OtpError, match="is not a regular file"):
        count_reports(str(tmp_path), seconds=10)
