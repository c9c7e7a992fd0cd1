# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last words of a node: the end of run_erl's log (run_erl(1)), and the slogan of a crash dump ("How to Interpret the Erlang Crash Dumps")."""

from __future__ import annotations

import glob
import os
import re

from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host

LINES = 15
# Of a log's end; a report of a crash may be long.
BYTES = 8192


def last_words(log_directory: str, *, since: float = 0.0, starts: int = 1) -> str:
    """Sentences that quote the newest ``erlang.log.N`` and the ``erl_crash.dump`` of the directory, with their paths.

    A crash dump older than since (seconds since the epoch) is left out, and so is the log of starts before the last ones.
    """
    if remote_host():
        log_directory = remote_host().logs(log_directory)
    words = []
    dump = os.path.join(log_directory, "erl_crash.dump")
    slogan = slogan_of(dump)
    if slogan and os.path.getmtime(dump) >= since:
        words.append(f"The slogan of {dump}: {slogan}.")
    logs = glob.glob(os.path.join(glob.escape(log_directory), "erlang.log.*"))
    if logs:
        newest = max(logs, key=os.path.getmtime)
        words.append(f"The end of {newest}:\n" + "\n".join(tail(newest, starts)))
    return " ".join(words) or f"{log_directory} contains no log."


def slogan_of(path: str) -> str | None:
    """The slogan of a crash dump: its third line or so."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in (file.readline() for number in range(5)):
                if line.startswith("Slogan: "):
                    return line[len("Slogan: ") :].strip()
    except OSError:
        pass
    return None


def tail(path: str, starts: int) -> list[str]:
    """The last lines that are not empty, without control sequences of a terminal and without run_erl's own lines."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError as error:
        return [f"(cannot be read: {error.strerror})"]
    # run_erl writes this at each start, with the time behind it.
    text = "\n".join(part.partition("\n")[2] for part in ("\n" + text).split("===== LOGGING STARTED")[-starts:])
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    text = re.sub(r"[\x00-\x09\x0b-\x1f\x7f]", "", text)
    lines = [line.rstrip() for line in text.split("\n")]
    return [line for line in lines if line and not line.startswith("=====")][-LINES:]
