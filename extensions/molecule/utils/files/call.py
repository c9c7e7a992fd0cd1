# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""call.py FILE HOST...: calls the exchange of each host all the time, and makes FILE when all have answered.

When FILE is removed it prints its results for each host, and again as JSON in the last line: calls that were answered, times that no answer
came, restarts (the exchange numbers a subscriber's calls, and then starts again at 1), and the longest time without an answer, in seconds.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import typing as t

PAUSE = 0.01
# Every tenth call has its own connection. The others share one that stays open.
APART = 10


class Caller(threading.Thread):
    def __init__(self, host: str, goes_on: t.Callable[[], bool]) -> None:
        super().__init__()
        self.host = host
        self.goes_on = goes_on
        self.answered = self.failed = self.restarts = self.number = 0
        self.longest = 0.0
        self.line: t.Any = None

    def run(self) -> None:
        last = time.monotonic()
        while self.goes_on():
            try:
                number = self.call_apart() if self.answered % APART == 0 else self.call()
            except (OSError, ValueError):
                self.failed += 1
                self.line = None
            else:
                now = time.monotonic()
                # Only this program calls the subscriber.
                self.restarts += number <= self.number
                if self.answered:
                    self.longest = max(self.longest, now - last)
                self.answered += 1
                self.number, last = number, now
            time.sleep(PAUSE)

    def connect(self) -> t.Any:
        connection = socket.create_connection((self.host, 7100), 5)
        return connection.makefile("rw")

    def dial(self, line: t.Any) -> int:
        """The number of the call. Raises OSError or ValueError if the answer is missing or wrong."""
        line.write("dial caller\n")
        line.flush()
        answer = line.readline().split()
        if answer[:2] != ["dialled", "caller"]:
            raise ValueError(answer)
        return int(answer[2])

    def call(self) -> int:
        self.line = self.line or self.connect()
        return self.dial(self.line)

    def call_apart(self) -> int:
        with self.connect() as line:
            return self.dial(line)

    def seen(self) -> dict[str, float]:
        return {"answered": self.answered, "failed": self.failed, "restarts": self.restarts, "longest": round(self.longest, 2)}


def main() -> None:
    marker, hosts = sys.argv[1], sys.argv[2:]
    began = threading.Event()
    callers = [Caller(host, lambda: not began.is_set() or os.path.exists(marker)) for host in hosts]
    for caller in callers:
        caller.start()
    while not all(caller.answered for caller in callers):
        time.sleep(PAUSE)
    open(marker, "w").close()
    began.set()
    for caller in callers:
        caller.join()
    seen = {caller.host: caller.seen() for caller in callers}
    for host, of_host in seen.items():
        print(host, ", ".join(f"{what} {value}" for what, value in of_host.items()))
    print(json.dumps(seen))


main()
