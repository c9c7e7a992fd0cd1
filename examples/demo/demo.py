# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a release to three running nodes on this machine, to the next release and back: `make demo`.

Everything is in build/demo, uses its own ports, and is removed at the end. KEEP=1 leaves the nodes running.
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
    headline("3. Use one of them")
    commands = ("version", "dial anna", "dial anna", "dial bert", "calls")
    for command, answer in zip(commands, fleet.ask("north", *commands)):
        print(f"  {command:<12}-> {answer}")
    headline("4. Deploy again: nothing changes, and no package is sent")
    play("deploy")
    headline("5. Kill an emulator: heart brings it back")
    kill_one("south")


def show_next() -> None:
    """The next releases, while a caller keeps calling all nodes."""
    with Caller() as caller:
        headline("6. Upgrade to SECOND, one node after the other, while a caller keeps calling all three")
        before = {node: fleet.emulator(node) for node in NODES}
        play("upgrade", "-e", "exchange_release=SECOND")
        expect_calls(caller)
        expect_releases(north="SECOND", south="SECOND", west="SECOND")

        headline("7. Upgrade to THIRD with a gate that south fails: south is rolled back, west is not touched")
        says("The gate: subscriber `dora` has no calls. On south we call `dora` once, so the gate fails there.")
        fleet.ask("south", "dial dora")
        play("upgrade", "-e", "exchange_release=THIRD", "-e", "@examples/demo/gates.yml", code=2)
        expect_calls(caller)
        expect_releases(north="THIRD", south="SECOND", west="SECOND")

        headline("8. Roll back north too, on purpose, to the release that it had before")
        play("rollback", "--limit", "north")
        expect_calls(caller)
        expect_releases(north="SECOND", south="SECOND", west="SECOND")
    if (after := {node: fleet.emulator(node) for node in NODES}) != before:
        raise Failed(f"an emulator was restarted: processes {before} before, {after} now")
    says("No emulator was restarted, and no call was lost.")
    headline("9. Take north to THIRD by a restart, as for applications without appups: booted once, and committed when it passes its gate")
    play("upgrade", "--limit", "north,otp_builders", "-e", "exchange_release=THIRD", "-e", "otp_upgrade_method=restart", "-e", "@examples/demo/gates.yml")
    expect_releases(north="THIRD")
    headline("10. Give all nodes a wrong setting: north does not boot with it, gets the earlier one back, and the others are not restarted")
    wrong = ("-e", "exchange_release=SECOND", "-e", "otp_restart_on_change=true", "-e", '{"otp_erl_flags": ["+no_such_flag"]}')
    others = {node: fleet.emulator(node) for node in ("south", "west")}
    play("deploy", *wrong, code=2)
    expect_releases(north="THIRD", south="SECOND", west="SECOND")
    if (after := {node: fleet.emulator(node) for node in others}) != others:
        raise Failed(f"an emulator was restarted: processes {others} before, {after} now")
    headline("11. Deploy the right setting, and restart the nodes, one after the other")
    play("deploy", "-e", "exchange_release=SECOND")
    play("restart", "-e", "otp_serial=1")
    expect_releases(north="THIRD", south="SECOND", west="SECOND")
    headline("12. Report what runs where, and what failed")
    play("status")


def expect_calls(caller: Caller) -> None:
    """Print how many calls there were. Raises Failed if one failed."""
    counts = caller.take()
    failures = [failure for count in counts.values() for failure in count.failures]
    calls = ", ".join(f"{node} {count.calls}" for node, count in counts.items())
    total, longest = sum(count.calls for count in counts.values()), max(count.longest for count in counts.values())
    says(f"{BOLD}{total} calls, {len(failures)} failed{PLAIN} ({calls}); the longest took {1000 * longest:.0f} ms")
    if failures:
        raise Failed("\n".join(failures[:10]))
    if silent := [node for node, count in counts.items() if not count.calls]:
        raise Failed(f"the caller made no call to {', '.join(silent)}")


def expect_releases(**expected: str) -> None:
    """Raises Failed if a node runs another release, by the answer of its exchange or by the file that its next start reads."""
    for node, release in expected.items():
        (version,) = fleet.ask(node, "version")
        starts = (PLACE / node / "releases" / "start_erl.data").read_text().split()[1]
        if (version, starts) != (f"version {APPLICATION[release]}", release):
            raise Failed(f"{node} should run {release}, but its exchange answers {version!r}, and its next start is {starts}")


def kill_one(node: str) -> None:
    """As if the emulator had crashed: heart starts a new one."""
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
    """The whole demo. Raises Failed."""
    began = time.monotonic()
    if PLACE.exists():
        headline("0. Remove the files and nodes of an earlier demo")
        fleet.remove_all()
    PLACE.mkdir(parents=True, mode=0o700)
    show_first()
    show_next()
    if os.environ.get("KEEP"):
        print(f"\nThe nodes keep running, below {PLACE}. The next `make demo` removes them.")
        return
    headline("13. Stop and remove everything")
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
        print(f"\n{failure}\nThe nodes were stopped. Their logs are below {PLACE} until the next `make demo`.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            print("\nInterrupted: everything is stopped and removed.", flush=True)
        fleet.remove_all()
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
