# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a release to three running nodes on this machine, in front of a newcomer: `make demo`.

All is kept in build/demo, with ports of its own, and removed at the end; KEEP=1 leaves the nodes running.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
INVENTORY = "examples/inventories/local"
PLACE = TOP / "build" / "demo"
NODES = ("north", "south", "west")
BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


class Failed(Exception):
    """A command failed; what it said."""


def headline(text: str) -> None:
    print(f"\n{BOLD}{text}{PLAIN}", flush=True)


def run(*command: str) -> str:
    """Show what one would type, do it, and return its standard output."""
    print(f"{DIM}$ {' '.join(command)}{PLAIN}", flush=True)
    done = subprocess.run(command, cwd=TOP, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def environment() -> dict[str, str]:
    """The inventory's variables come from it; Ansible is that of the Python that runs this."""
    mine = {
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "EXCHANGE_DIRECTORY": str(PLACE),
        "EXCHANGE_FIRST_PORT": str(first_port()),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return {**theirs, **mine}


def first_port() -> int:
    """Of four free ones in a row, the same for the whole life of the nodes. Another demo may look for some at the same time."""
    remembered = PLACE / "first_port"
    if not remembered.exists():
        candidates = random.sample(range(17000, 21000, 4), 100)
        remembered.write_text(str(next(port for port in candidates if all(is_free(port + i) for i in range(4)))))
    return int(remembered.read_text())


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def deploy(*arguments: str) -> None:
    """The playbook, its output reduced to what it changed and the recapitulation."""
    started = time.monotonic()
    task, changed = "", {}
    for line in run("ansible-playbook", "erlang.otp.deploy", "-i", INVENTORY, *arguments).splitlines():
        if found := re.match(r"TASK \[(?:.* : )?(.*)\]", line):
            task = found[1]
        elif found := re.match(r"changed: \[([^]]*)\]", line):
            changed.setdefault(task, []).append(found[1].split(" ")[0])
        elif found := re.match(r"(\S+)\s*: (ok=\d+\s+changed=\d+)", line):
            if changed:
                for name, hosts in changed.items():
                    print(f"  {name}: changed {', '.join(sorted(hosts))}")
                changed = {}
            print(f"  {found[1]:<12}{found[2]}")
    print(f"  {time.monotonic() - started:.1f} s")


def ask(node: str, *commands: str) -> list[str]:
    """The answers of a node's exchange, each one line."""
    address = ("127.0.0.1", first_port() + 1 + NODES.index(node))
    with socket.create_connection(address, timeout=5) as connection:
        lines = connection.makefile("rw", encoding="utf-8")
        answers = []
        for command in commands:
            lines.write(command + "\n")
            lines.flush()
            answers.append(lines.readline().rstrip("\n"))
        return answers


def show_what_runs() -> None:
    output = run("ansible", "otp", "-i", INVENTORY, "-o", "-m", "erlang.otp.otp_release_info", "-a", "root={{ otp_root }}")
    found = {line.split(" ")[0]: json.loads(line.split(" => ", 1)[1]) for line in output.splitlines() if " => " in line}
    print(f"  {'host':<8}{'release':<18}{'status':<12}{'ERTS':<9}the exchange itself says")
    for node in NODES:
        for release in found[node]["releases"]:
            name = f"{release['name']} {release['version']}"
            said = ", ".join(ask(node, "version", "node"))
            print(f"  {node:<8}{name:<18}{release['status']:<12}{release['erts_version']:<9}{said}")


def kill_one(node: str) -> None:
    """As if the emulator had crashed: heart starts another."""
    before = emulator(node)
    assert str(PLACE / node) in Path(f"/proc/{before}/cmdline").read_text()
    print(f"{DIM}$ kill -KILL {before}{PLAIN}")
    killed = time.monotonic()
    os.kill(before, signal.SIGKILL)
    while (after := emulator(node)) in (None, before):
        if time.monotonic() > killed + 60:
            raise Failed(f"{node} did not come back within 60 seconds; see {PLACE / node / 'log'}")
        time.sleep(0.02)
    print(f"  {node} answers again after {time.monotonic() - killed:.1f} s, as process {after}")


def emulator(node: str) -> int | None:
    """The process of the node as its exchange tells it; None when nothing answers."""
    try:
        (answer,) = ask(node, "node")
    except OSError:
        return None
    return int(answer.rpartition(" ")[2]) if " pid " in answer else None


def stop_all() -> None:
    deploy("-e", "otp_state=stopped")
    epmd = next(PLACE.glob("*/bin/epmd"), None)
    if epmd and not is_free(first_port()):
        run(str(epmd.relative_to(TOP)), "-port", str(first_port()), "-kill")
    deadline = time.monotonic() + 10
    while left := processes():
        if time.monotonic() > deadline:
            raise Failed(f"processes {left} did not end")
        time.sleep(0.05)


def processes() -> list[int]:
    """What runs out of the demo's directory: emulators, heart, run_erl, the port mapper."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{PLACE}/" in os.readlink(process / "exe"):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def kill_all() -> None:
    """After a failure: nothing runs on, the files stay to be looked at."""
    while left := processes():
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05)


def remove_what_is_left() -> None:
    if processes():
        stop_all()
    shutil.rmtree(PLACE)


def show() -> None:
    headline("1. Compile an application: a telephone exchange that counts calls")
    run("make", "-s", "-C", "examples/exchange")
    headline("2. Build the release FIRST of it, and deploy it to three nodes on this machine")
    deploy()
    headline("3. What runs there")
    show_what_runs()
    headline("4. Use one")
    commands = ("dial anna", "dial anna", "dial bert", "calls")
    for command, answer in zip(commands, ask("north", *commands)):
        print(f"  {command:<12}-> {answer}")
    headline("5. Deploy again: nothing changes, no package is transferred")
    deploy()
    headline("6. Kill an emulator: heart brings it back")
    kill_one("south")


def main() -> int:
    started = time.monotonic()
    if PLACE.exists():
        headline("0. Remove what an earlier demo has left")
        remove_what_is_left()
    PLACE.mkdir(parents=True, mode=0o700)
    try:
        show()
        if os.environ.get("KEEP"):
            print(f"\nThe nodes run on, below {PLACE}; the next `make demo` removes them.")
            return 0
        headline("7. Stop everything, and remove it")
        remove_what_is_left()
    except (Failed, OSError, KeyboardInterrupt) as failure:
        kill_all()
        print(f"\n{failure}\nThe nodes have been ended; their logs are below {PLACE} until the next `make demo`.", file=sys.stderr)
        return 1
    print(f"  nothing is left\n\n{BOLD}Done in {time.monotonic() - started:.0f} s.{PLAIN}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
