# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the demo prints: headlines, commands, and the interesting lines of their output."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import time
import typing as t

import fleet

BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")
INVENTORY = "examples/inventories/local"


def headline(text: str) -> None:
    print(f"\n{BOLD}{text}{PLAIN}", flush=True)


def typed(*command: str) -> None:
    print(f"{DIM}$ {shlex.join(command)}{PLAIN}", flush=True)


def says(text: str) -> None:
    """Print a line, folded to the width of the terminal."""
    width = max(60, min(shutil.get_terminal_size().columns, 120))
    print(textwrap.fill(text, width, initial_indent="  ", subsequent_indent="      ", break_long_words=False, break_on_hyphens=False), flush=True)


@contextlib.contextmanager
def started(*command: str) -> t.Iterator[subprocess.Popen[str]]:
    """A process with its standard error in its output; the command is printed."""
    typed(*command)
    process = subprocess.Popen(
        command, cwd=fleet.TOP, env=fleet.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def run(*command: str) -> str:
    """The output of a command. Raises Failed."""
    with started(*command) as process:
        output = process.communicate()[0]
    if process.returncode != 0:
        raise fleet.Failed(f"{shlex.join(command)}\n{output}")
    return output


class Playbook:
    """The output of a playbook, reduced while it arrives: which task changed which hosts, and the last table."""

    def __init__(self) -> None:
        self.output: list[str] = []
        self.table: list[str] = []
        self.task = ""
        self.changed: list[str] = []

    def read(self, line: str) -> None:
        self.output.append(line)
        if found := re.match(r"(?:TASK \[(?:.* : )?(.*)\]|PLAY)", line):
            self.report()
            self.task = found[1] or ""
        elif found := re.match(r"changed: \[([^] ]*)", line):
            self.changed.append(found[1])
        elif found := re.match(r"(?:fatal|failed): \[([^] ]*)", line):
            says(f"{self.task}: failed on {found[1]}")
        elif line.startswith(("[WARNING]", "[DEPRECATION")):
            says(line)
        elif line.startswith('    "msg": ['):
            self.table = []
        elif found := re.match(r'        (".*"),?$', line):
            self.table.append(json.loads(found[1]))

    def report(self) -> None:
        if self.changed:
            says(f"{self.task}: changed {', '.join(sorted(self.changed))}")
        self.changed = []


def play(name: str, *arguments: str, code: int = 0) -> None:
    """Run a playbook of the collection; on a terminal it shows itself, else its last table is printed. Raises Failed if its exit status is not the code."""
    began = time.monotonic()
    playbook = Playbook()
    command = ("ansible-playbook", f"erlang.otp.{name}", "-i", INVENTORY, *arguments)
    if sys.stdout.isatty():
        typed(*command)
        # One line a host, drawn again while the playbook runs; and the table.
        environment = {**fleet.environment(), "ANSIBLE_STDOUT_CALLBACK": "erlang.otp.fleet"}
        status = subprocess.run(command, cwd=fleet.TOP, env=environment, stdin=subprocess.DEVNULL, check=False).returncode
        if status != code:
            raise fleet.Failed(f"{shlex.join(command)}: exit status {status}, expected {code}")
        print(f"\n  exit status {code}, after {time.monotonic() - began:.1f} s", flush=True)
        return
    with started(*command) as process:
        for line in process.stdout or ():
            playbook.read(line.rstrip("\n"))
        process.wait()
    output = "\n".join(playbook.output)
    if process.returncode != code or not playbook.table:
        raise fleet.Failed(f"{shlex.join(command)}: exit status {process.returncode}, expected {code}\n{output}")
    print()
    for row in playbook.table:
        says(row) if ": " in row else print(f"  {row}".rstrip())
    print(f"\n  exit status {code}, after {time.monotonic() - began:.1f} s", flush=True)
