# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many errors a node has reported lately, by the log of run_erl: run_erl(1), logger_formatter(3), and the formatter of Elixir's Logger.

What counts is a line with which a report of the level error or above begins: reports of crashes and of supervisors are such. Each has a time.
"""

from __future__ import annotations

import glob
import os
import re
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import open_file
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean

LEVELS = "error|critical|alert|emergency"
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
HEAD = re.compile(
    # The headers of OTP's default handler, legacy_header: of a crash and of a supervisor as well.
    rb"=(?:ERROR|CRITICAL|ALERT|EMERGENCY|CRASH|SUPERVISOR) REPORT==== "
    rb"(?P<day>\d{1,2})-(?P<month>[A-Z][a-z]{2})-(?P<year>\d{4})::(?P<at>[\d:]{8})\S*(?P<utc> UTC)?"
    # Those of logger_formatter without them: 2026-01-31T12:00:00.123456+01:00 error: ...
    rb"|(?P<date>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:\.\d+)?(?P<zone>Z|[+-]\d\d:\d\d)?\s+\[?(?:" + LEVELS.encode() + rb")\b"
    # Elixir's: 12:00:00.123 [error] ...
    rb"|(?P<clock>\d\d:\d\d:\d\d)\.\d+ (?:\S+ )?\[(?:" + LEVELS.encode() + rb")\]"
)
# Of all files together, from the newest on. run_erl keeps 5 of 100 kB by default.
BYTES = 64 << 20
LINE = 4096
# A time is written before its line.
LATE = 1.0


def count_reports(log_directory: str, *, seconds: float) -> dict[str, t.Any]:
    """``count``: how many reports the files ``erlang.log.N`` of the directory have of the last seconds; ``last``: the first line of the newest one.

    Without a log nothing is counted. Raises OSError, OtpError.
    """
    if remote_host():
        log_directory = remote_host().logs(log_directory)
    now = time.time()
    with as_owner(log_directory):
        times = sorted(report for report in _reports(log_directory, now, now - seconds) if report[0] >= now - seconds)
    return {"count": len(times), "last": times[-1][1] if times else None}


def _reports(directory: str, now: float, since: float) -> t.Iterator[tuple[float, str]]:
    left = BYTES
    for path in glob.glob(os.path.join(glob.escape(directory), "erlang.log.*")):
        try:
            if os.path.getmtime(path) < since:
                continue
            with open_file(path) as file:
                while left > 0 and (line := file.readline(LINE)):
                    left -= len(line)
                    found = HEAD.match(line.lstrip(b"\r\x00"))
                    if found:
                        yield time_of(found, now), clean(line.decode("utf-8", "replace")).strip()
        except FileNotFoundError:
            # run_erl has removed it meanwhile.
            continue


def time_of(found: re.Match[bytes], now: float) -> float:
    """Seconds since the epoch of the head of a report. One that has no date is of the last 24 hours; a wrong time is of the year 1970."""
    part = {name: value.decode("ascii") for name, value in found.groupdict().items() if value is not None}
    try:
        if "clock" in part:
            moment = _epoch(time.localtime(now)[:3], part["clock"], None)
            return moment - 86400 if moment > now + LATE else moment
        if "date" in part:
            return _epoch([int(number) for number in part["date"].split("-")], part["time"], part.get("zone"))
        return _epoch([int(part["year"]), MONTHS.index(part["month"]) + 1, int(part["day"])], part["at"], "Z" if "utc" in part else None)
    except (ValueError, OverflowError):
        return 0.0


def _epoch(date: t.Sequence[int], clock: str, zone: str | None) -> float:
    """zone: Z or an offset; None for the time of the host. Raises ValueError, OverflowError."""
    import datetime  # only where there are reports

    moment = datetime.datetime(*date, *(int(number) for number in clock.split(":")))  # type: ignore[arg-type,misc]
    if zone is None:
        return moment.timestamp()
    ahead = 0 if zone == "Z" else (int(zone[1:3]) * 60 + int(zone[4:6])) * (-60 if zone[0] == "-" else 60)
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp() - ahead
