# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For how long a node is away when it is upgraded, as a client sees it that calls every 5 ms.

A real embedded node under heart goes up and down between two releases. "hot" and "restart" are otp_release_handler's way; the relup
of "restart" has restart_emulator. "as OTP sets it" is release_handler alone, and a heart that waits for the old emulator by itself.
The downtime is the longest time from one good answer to the next. Both restarts take turns (A B A B); medians, and the ratios of pairs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAUSE = 0.005
GOAL = 1.3


class Client:
    """Calls the node in a thread while a `with` lasts; then ``longest`` is the downtime, ``calls`` and ``failed`` are counts."""

    def __init__(self, system: t.Any) -> None:
        self.system = system
        self.calls = self.failed = 0
        self.longest = 0.0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.keep_calling)

    def __enter__(self) -> Client:
        self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stopped.set()
        self.thread.join()

    def keep_calling(self) -> None:
        from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

        connection = None
        answered = time.monotonic()
        while not self.stopped.wait(PAUSE):
            self.calls += 1
            try:
                connection = connection or self.system.connect()
                connection.call("counter", "count", [], timeout=10)
            except (OtpError, OSError):
                self.failed += 1
                if connection:
                    connection.close()
                connection = None
            else:
                now = time.monotonic()
                self.longest, answered = max(self.longest, now - answered), now
        if connection:
            connection.close()


def measure(system: t.Any, go: t.Callable[[], t.Any]) -> Client:
    """A client's time while the node goes to another release and settles."""
    with Client(system) as client:
        time.sleep(0.1)
        go()
        time.sleep(0.2)
    return client


class Ours:
    """A system, and its upgrades by otp_release_handler."""

    def __init__(self, system: t.Any) -> None:
        self.system = system

    def go(self, release: str) -> Client:
        return measure(self.system, lambda: self.system.take(release, "permanent", package=False, allow_restart=True))


class Default(Ours):
    """Heart's own waiting, and no more than release_handler."""

    def __init__(self, system: t.Any) -> None:
        super().__init__(system)
        start = Path(system.root, "bin/start")
        start.write_text(start.read_text().replace("HEART_NO_KILL=TRUE", "HEART_NO_KILL=FALSE"))

    def go(self, release: str) -> Client:
        before = self.system.pid

        def install() -> None:
            self.system.operate("install_release", release)
            wait(self.system, before)
            self.system.operate("make_permanent", release)

        return measure(self.system, install)


def wait(system: t.Any, before: int) -> None:
    """Until another emulator has booted."""
    from waiting import wait_until

    from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator

    wait_until(lambda: find_emulator(system.root) not in (None, before) and system.observe().status == "started", "the node has started again")


def there_and_back(count: int, *sides: Ours, release: str) -> list[tuple[Client, ...]]:
    """Each side to the release and back to FIRST, in turns, so many passages of each."""
    return [tuple(side.go(name) for side in sides) for number in range(count) for name in (("FIRST" if number % 2 else release),)]


def row(what: str, clients: t.Sequence[Client], note: str = "") -> None:
    gaps = [1000 * client.longest for client in clients]
    calls, failed = sum(client.calls for client in clients), sum(client.failed for client in clients)
    print(f"{what:28} {statistics.median(gaps):8.0f} {min(gaps):8.0f} {max(gaps):8.0f} {calls:8} {failed:8}   {note}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=20, help="of each kind (default: 20)")
    parser.add_argument("--quick", action="store_true", help="two passages of each kind, up and down")
    arguments = parser.parse_args()
    count = 2 if arguments.quick else arguments.passages
    with tempfile.TemporaryDirectory(prefix="erlang-otp-") as directory:
        tree = Path(directory, "ansible_collections/erlang")
        tree.mkdir(parents=True)
        (tree / "otp").symlink_to(ROOT)
        sys.path[:0] = [directory, str(ROOT / "tests/real")]
        from handler_site import Releases, System

        releases = Releases(Path(directory, "releases"))
        with System(releases) as one, System(releases) as other:
            ours, default = Ours(one.start()), Default(other)
            other.start()
            for system in (one, other):
                for release in ("SECOND", "RESTARTS"):
                    system.take(release, "unpacked")
            print(f"{'downtime in ms':28} {'median':>8} {'least':>8} {'most':>8} {'calls':>8} {'failed':>8}")
            hot = [client for (client,) in there_and_back(count, ours, release="SECOND")]
            row("hot", hot, "goal: 0 failed")
            pairs = there_and_back(count, ours, default, release="RESTARTS")
            row("restart", [a for a, _b in pairs], f"goal: most {1000 * GOAL:.0f}")
            row("restart, as OTP sets it", [b for _a, b in pairs])
            print(f"{'restart / as OTP sets it':28} {statistics.median(a.longest / b.longest for a, b in pairs):8.3f}")
        if any(client.failed for client in hot):
            sys.exit("calls have failed during hot upgrades")


if __name__ == "__main__":
    main()
