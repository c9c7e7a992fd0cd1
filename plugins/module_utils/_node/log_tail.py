# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last words of a node: the end of run_erl's log (run_erl(1)), and the slogan of a crash dump ("How to Interpret the Erlang Crash Dumps")."""

from __future__ import annotations

import glob
import os
import re

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import open_file, read_end
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean

# Of each start.
LINES = 15
# Of the last start the log may not have the reason yet why it fails.
STARTS = 2
LOG = "The end of"
# Of a log's end; a report of a crash may be long.
BYTES = 16384


def last_words(log_directory: str, *, since: float = 0.0, starts: int = 1) -> str:
    """Sentences that quote the newest ``erlang.log.N`` and the ``erl_crash.dump`` of the directory, with their paths.

    A crash dump older than since (seconds since the epoch) is left out, and so is the log of starts before the last ones.
    """
    if remote_host():
        log_directory = remote_host().logs(log_directory)
    with as_owner(log_directory):
        return _last_words(log_directory, since, starts)


def _last_words(log_directory: str, since: float, starts: int) -> str:
    words = []
    dump = os.path.join(log_directory, "erl_crash.dump")
    slogan = slogan_of(dump)
    if slogan and _time(dump) >= since:
        words.append(f"The slogan of {dump}: {slogan}.")
    logs = glob.glob(os.path.join(glob.escape(log_directory), "erlang.log.*"))
    if logs:
        newest = max(logs, key=_time)
        words.append(f"{LOG} {newest}:\n" + "\n".join(tail(newest, starts)))
    return " ".join(words) or f"{log_directory} contains no log."


def without_log(text: str) -> str:
    """A message that ends with the last words, without the end of the log, which only the node's user may read."""
    return text.partition(f" {LOG} ")[0]


def _time(path: str) -> float:
    """When the file was written last; 0 if it has gone, or is a link that leads nowhere."""
    try:
        return os.path.getmtime(path)
    except OSError:
        return 0.0


def slogan_of(path: str) -> str | None:
    """The slogan of a crash dump: its third line or so."""
    try:
        with open_file(path) as file:
            lines = file.read(BYTES).decode("utf-8", "replace").split("\n")[:5]
    except (OSError, OtpError):
        return None
    return next((clean(line[len("Slogan: ") :]).strip() for line in lines if line.startswith("Slogan: ")), None)


def tail(path: str, starts: int) -> list[str]:
    """The last lines that are not empty, without control sequences of a terminal and without run_erl's own lines."""
    try:
        text = (read_end(path, BYTES) or b"").decode("utf-8", "replace")
    except OSError as error:
        return [f"(cannot be read: {error.strerror})"]
    except OtpError as error:
        return [f"({error})"]
    text = clean(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)).replace("\t", "")
    # run_erl writes this at each start, with the time behind it. What follows a failed start must not push its reason out.
    return [line for part in ("\n" + text).split("===== LOGGING STARTED")[-starts:] for line in _last_lines(part)]


def _last_lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.split("\n")[1:]]
    return [line for line in lines if line and not line.startswith("=====")][-LINES:]
