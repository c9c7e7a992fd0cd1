# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real nodes for tests: of the Erlang on PATH, and of those that ``OTP_TREES`` names (see test_terms). Each has an epmd of its own."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

from waiting import LIMIT, free_port, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._node.distribution import Connection

COOKIE = "COOKIEOFTESTS"
TREES = ["erl", *filter(None, os.environ.get("OTP_TREES", "").split(":"))]


class Otp(t.NamedTuple):
    """An Erlang/OTP: what its programs' command lines begin with, and the root of the file system that they see."""

    prefix: tuple[str, ...]
    bin: str
    system: str

    def command(self, program: str, *arguments: str) -> list[str]:
        return [*self.prefix, self.bin + program, *arguments]

    def output(self, expression: str) -> str:
        """What erl prints."""
        command = self.command("erl", "-noshell", "-eval", expression + ", halt().")
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT).stdout


def otp_of(tree: str) -> Otp:
    """That of a word of TREES."""
    if tree == "erl":
        return Otp((), "", "")
    if os.path.exists(os.path.join(tree, "usr/bin/erl")):
        return Otp(("chroot", tree), "/usr/bin/", tree)
    return Otp((), tree + "/bin/", "")


def end(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()


class Site:
    """An epmd and the nodes that register with it; a context manager that ends them all."""

    def __init__(self, otp: Otp) -> None:
        self.otp = otp
        self.epmd_port = free_port()
        self.home = tempfile.mkdtemp(dir=otp.system + "/tmp")
        self.cookie_file = os.path.join(self.home, ".erlang.cookie")
        Path(self.cookie_file).write_text(COOKIE)
        os.chmod(self.cookie_file, 0o400)
        self.environment = {**os.environ, "HOME": self.home[len(otp.system) :], "ERL_EPMD_PORT": str(self.epmd_port), "LC_ALL": "C.UTF-8", "TERM": "xterm"}
        self.environment.pop("ERL_FLAGS", None)
        self.processes = [subprocess.Popen(otp.command("epmd", "-port", str(self.epmd_port)), env=self.environment)]

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_error) -> None:
        for process in reversed(self.processes):
            end(process)
        shutil.rmtree(self.home)

    def start(self, *arguments: str) -> subprocess.Popen:
        """A node; it need not be up yet. Its output is in the file log of home."""
        with open(os.path.join(self.home, "log"), "ab") as log:
            command = self.otp.command("erl", "-noinput", *arguments)
            process = subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def log(self) -> str:
        return Path(self.home, "log").read_text(encoding="utf-8", errors="replace")

    def connect(self, node: str, **options) -> Connection:
        """A connection to a node that is up."""
        return Connection(**{"node": node, "cookie": COOKIE, "epmd_port": self.epmd_port, "timeout": LIMIT, **options})

    def connect_when_up(self, node: str, process: subprocess.Popen | None = None, **options) -> Connection:
        """A connection as soon as the node has come up. process: its own."""
        return wait_until(lambda: self.connect(node, **options), f"{node} has come up", running=process)

    def up(self, node: str, *arguments: str, **options) -> subprocess.Popen:
        """A node that is up."""
        process = self.start(*arguments)
        self.connect_when_up(node, process, **options).close()
        return process


@contextlib.contextmanager
def console(otp: Otp, directory: str, *, user: str = "") -> t.Iterator[int]:
    """A node below run_erl that is not distributed, with its pipes and logs there; the process of run_erl."""
    environment = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", "HOME": directory}
    # run_erl is that of PATH, as one in a change of root has no terminals.
    command = ["run_erl", directory + "/", directory, "exec " + shlex.join(otp.command("erl"))]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, user=int(user) if user else None, group=int(user) if user else None)
    try:
        log = Path(directory, "erlang.log.1")
        wait_until(lambda: b"1> " in log.read_bytes(), "the shell has come up", running=process)
        yield process.pid
    finally:
        # The end of run_erl is the end of the terminal, and so of the node.
        end(process)
