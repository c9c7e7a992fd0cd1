# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo's nodes: where they are, what they answer, and how they are removed without a trace."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PLACE = Path(os.environ.get("DEMO_DIRECTORY") or TOP / "build" / "demo")
NODES = ("north", "south", "west")
# Seconds. What takes longer hangs.
LIMIT = 300
# Every process that the demo starts has this in its environment.
MARK = f"ERLANG_OTP_DEMO={PLACE}"


class Failed(Exception):
    """Something is not as the demo claims."""


def environment() -> dict[str, str]:
    """The environment of the playbooks: the inventory's variables, the Ansible of this Python, and temporary files in the demo's directory."""
    name, _equals, value = MARK.partition("=")
    mine = {
        name: value,
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_LOCAL_TEMP": f"{PLACE}/tmp",
        "ANSIBLE_REMOTE_TEMP": f"{PLACE}/tmp",
        "EXCHANGE_DIRECTORY": str(PLACE),
        "EXCHANGE_FIRST_PORT": str(first_port()),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return {**theirs, **mine}


def first_port() -> int:
    """The first of four free ports in a row, the same as long as the nodes exist. Random, as another demo may search at the same time."""
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


def port(node: str) -> int:
    return first_port() + 1 + NODES.index(node)


def ask(node: str, *commands: str) -> list[str]:
    """The answers of a node's exchange, each one line."""
    with socket.create_connection(("127.0.0.1", port(node)), timeout=LIMIT) as connection:
        lines = connection.makefile("rw", encoding="utf-8")
        answers = []
        for command in commands:
            lines.write(command + "\n")
            lines.flush()
            answers.append(lines.readline().rstrip("\n"))
        return answers


def emulator(node: str) -> int | None:
    """The process of the node, as its exchange reports it; None if there is no answer."""
    try:
        (answer,) = ask(node, "node")
    except OSError:
        return None
    return int(answer.rpartition(" ")[2]) if " pid " in answer else None


def processes() -> list[int]:
    """The processes whose program is in the demo's directory (emulators, heart, run_erl, EPMD), and those that the demo started."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "exe").startswith(f"{PLACE}/") or MARK.encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def kill_all() -> None:
    """Kill all processes. A process that was about to start another one gets the time to do so, and both are killed."""
    quiet = 0
    while quiet < 2:
        left = processes()
        quiet = 0 if left else quiet + 1
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05 if left else 0.2)


def remove_all() -> None:
    kill_all()
    shutil.rmtree(PLACE, ignore_errors=True)
