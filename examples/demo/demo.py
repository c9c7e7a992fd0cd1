# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a release to three running nodes on this machine, to the next release and back, in front of a newcomer: `make demo`.

All is kept in build/demo, with ports of its own, and removed at the end; KEEP=1 leaves the nodes running.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import fleet
from caller import Caller
from fleet import NODES, PLACE, Failed
from show import BOLD, PLAIN, headline, play, run, says, typed

APPLICATION = {"FIRST": "1.0", "SECOND": "2.0", "THIRD": "3.0"}


def show_first() -> None:
    headline("1. Compile an application: a telephone exchange that counts calls")
    run("make", "-s", "-C", "examples/exchange")
    headline("2. Build the release FIRST of it, and deploy it to three nodes on this machine")
    play("deploy")
    headline("3. Use one")
    commands = ("version", "dial anna", "dial anna", "dial bert", "calls")
    for command, answer in zip(commands, fleet.ask("north", *commands)):
        print(f"  {command:<12}-> {answer}")
    headline("4. Deploy again: nothing changes, no package is transferred")
    play("deploy")
    headline("5. Kill an emulator: heart brings it back")
    kill_one("south")


def show_next() -> None:
    """The releases that follow, while somebody is calling all the time."""
    with Caller() as caller:
        headline("6. Upgrade to SECOND, one node after the other; somebody keeps calling all three")
        before = {node: fleet.emulator(node) for node in NODES}
        play("upgrade", "-e", "exchange_release=SECOND")
        expect_calls(caller)
        expect_releases(north="SECOND", south="SECOND", west="SECOND")

        headline("7. Upgrade to THIRD with a gate, which south does not pass: it goes back, and west is left alone")
        says("The gate: the subscriber nobody has never been called. In the south, somebody does call him.")
        fleet.ask("south", "dial nobody")
        play("upgrade", "-e", "exchange_release=THIRD", "-e", "@examples/demo/gates.yml", code=2)
        expect_calls(caller)
        expect_releases(north="THIRD", south="SECOND", west="SECOND")

        headline("8. Take north back as well, as planned, to the release that it came from")
        play("rollback", "--limit", "north")
        expect_calls(caller)
        expect_releases(north="SECOND", south="SECOND", west="SECOND")
    if (after := {node: fleet.emulator(node) for node in NODES}) != before:
        raise Failed(f"an emulator has been restarted: {before} before, {after} now")
    says("No emulator has been restarted, and no call is forgotten.")
    headline("9. What runs where, and what has failed")
    play("status")


def expect_calls(caller: Caller) -> None:
    """Say how the calls went. Raises Failed when one has failed."""
    counts = caller.take()
    failures = [failure for count in counts.values() for failure in count.failures]
    calls = ", ".join(f"{node} {count.calls}" for node, count in counts.items())
    total, longest = sum(count.calls for count in counts.values()), max(count.longest for count in counts.values())
    says(f"{BOLD}{total} calls, {len(failures)} failed{PLAIN} ({calls}); the longest took {1000 * longest:.0f} ms")
    if failures:
        raise Failed("\n".join(failures[:10]))
    if silent := [node for node, count in counts.items() if not count.calls]:
        raise Failed(f"nobody has called {', '.join(silent)}")


def expect_releases(**expected: str) -> None:
    """Raises Failed when a node runs another release, as its exchange and the file tell that the next start reads."""
    for node, release in expected.items():
        (version,) = fleet.ask(node, "version")
        starts = (PLACE / node / "releases" / "start_erl.data").read_text().split()[1]
        if (version, starts) != (f"version {APPLICATION[release]}", release):
            raise Failed(f"{node} should run {release}, but its exchange says {version!r}, and it would start {starts}")


def kill_one(node: str) -> None:
    """As if the emulator had crashed: heart starts another."""
    before = fleet.emulator(node)
    if before is None or str(PLACE / node) not in Path(f"/proc/{before}/cmdline").read_text():
        raise Failed(f"process {before} is not the emulator of {node}")
    typed("kill", "-KILL", str(before))
    killed = time.monotonic()
    os.kill(before, signal.SIGKILL)
    while (after := fleet.emulator(node)) in (None, before):
        if time.monotonic() > killed + fleet.LIMIT:
            raise Failed(f"{node} did not come back within {fleet.LIMIT} seconds; see {PLACE / node / 'log'}")
        time.sleep(0.02)
    print(f"  {node} answers again after {time.monotonic() - killed:.1f} s, as process {after}")


def stop_all() -> None:
    play("deploy", "-e", "exchange_release=SECOND", "-e", "otp_state=stopped")
    epmd = next(PLACE.glob("*/bin/epmd"))
    run(os.path.relpath(epmd, fleet.TOP), "-port", str(fleet.first_port()), "-kill")
    deadline = time.monotonic() + fleet.LIMIT
    while left := fleet.processes():
        if time.monotonic() > deadline:
            raise Failed(f"processes {left} did not end")
        time.sleep(0.05)


def interrupt(*_signal: object) -> None:
    raise KeyboardInterrupt


def show() -> None:
    """All of it. Raises Failed."""
    began = time.monotonic()
    if PLACE.exists():
        headline("0. Remove what an earlier demo has left")
        fleet.remove_all()
    PLACE.mkdir(parents=True, mode=0o700)
    show_first()
    show_next()
    if os.environ.get("KEEP"):
        print(f"\nThe nodes run on, below {PLACE}; the next `make demo` removes them.")
        return
    headline("10. Stop everything, and remove it")
    stop_all()
    fleet.remove_all()
    print(f"  nothing is left\n\n{BOLD}Done in {time.monotonic() - began:.0f} s.{PLAIN}")


def main() -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        show()
        return 0
    except (Failed, OSError) as failure:
        fleet.kill_all()
        print(f"\n{failure}\nThe nodes have been ended; their logs are below {PLACE} until the next `make demo`.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            print("\nInterrupted: everything is ended and removed.", flush=True)
        fleet.remove_all()
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
