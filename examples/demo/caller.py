# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A caller that keeps calling, on a new connection for each call, and counts calls and failures."""

from __future__ import annotations

import dataclasses
import threading
import time

import fleet

PAUSE = 0.02  # seconds between two calls


@dataclasses.dataclass
class Count:
    calls: int = 0
    failures: list[str] = dataclasses.field(default_factory=list)
    longest: float = 0.0


class Caller:
    """Dials the subscriber `carla` at each node, in a thread for each. Used with `with`.

    An exchange answers with the number of calls so far. A call has failed when there is no answer, or when the number is not one
    more than that of the call before: then the exchange has lost its state.
    """

    def __init__(self) -> None:
        self.counts = {node: Count() for node in fleet.NODES}
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.keep_calling, args=(node,), daemon=True) for node in fleet.NODES]

    def __enter__(self) -> Caller:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def keep_calling(self, node: str) -> None:
        expected = "dialled carla 1"
        while not self.stopped.wait(PAUSE):
            began = time.monotonic()
            try:
                (answer,) = fleet.ask(node, "dial carla")
            except OSError as error:
                answer = str(error)
            seconds = time.monotonic() - began
            with self.lock:
                count = self.counts[node]
                count.calls += 1
                count.longest = max(count.longest, seconds)
                if answer != expected:
                    count.failures.append(f"{node} should answer {expected!r}, and answered {answer!r}")
            # After a failure it goes on from where the exchange is.
            words, _space, number = (answer if answer.startswith("dialled carla ") else expected).rpartition(" ")
            expected = f"{words} {int(number) + 1}"

    def take(self) -> dict[str, Count]:
        """The counts since they were taken last."""
        with self.lock:
            taken, self.counts = self.counts, {node: Count() for node in fleet.NODES}
        return taken
