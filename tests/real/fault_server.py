# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs modules of the collection in forks, with fault.c preloaded: so a run costs no start of Python. For fault_site.py, which starts it.

It is the first process of its own name spaces of processes and mounts. A request is a line of JSON on standard input, an answer one on standard output.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import mmap
import os
import signal
import socket
import struct
import sys
import time
import traceback
import typing as t
from pathlib import Path

from ansible.module_utils import basic

from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect

MODULES = ("otp_target_system", "otp_node", "otp_release_install", "otp_release_handler", "otp_release_config")
HEADER = struct.Struct("7I")
SIZE = 1 << 22
ROOM_FOR_OUTPUT = 1 << 20


class Control:
    """The file that fault.c shares."""

    def __init__(self, path: str) -> None:
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), SIZE)

    def set(self, at: int, kind: int, error: int) -> None:
        self.memory[: HEADER.size] = HEADER.pack(0, at, kind, error, 0, 0, 0)

    def arm(self, value: int) -> None:
        struct.pack_into("I", self.memory, 0, value)

    @property
    def has_fired(self) -> bool:
        return bool(HEADER.unpack_from(self.memory)[4])

    def trace(self) -> list[str]:
        used = HEADER.unpack_from(self.memory)[6]
        return self.memory[HEADER.size : HEADER.size + used].decode("utf-8", "replace").splitlines()


class Fork(t.NamedTuple):
    pid: int
    output: int


class Server:
    def __init__(self, control: Control) -> None:
        self.control = control
        self.modules = {name: importlib.import_module(f"ansible_collections.erlang.otp.plugins.modules.{name}") for name in MODULES}
        self.running: list[Fork] = []

    def run(self, request: dict[str, t.Any]) -> dict[str, t.Any]:
        """A module to its end, disturbed or not."""
        return self.end(self.begin(request))

    def pause(self, request: dict[str, t.Any]) -> dict[str, t.Any]:
        """A module up to the change at which it stops."""
        fork = self.begin(request)
        while not self.control.has_fired and not has_ended(fork):
            time.sleep(0.001)
        self.control.arm(0)
        self.running.append(fork)
        return {"paused": self.control.has_fired, "change": self.control.trace()[-1:]}

    def spawn(self, request: dict[str, t.Any]) -> dict[str, t.Any]:
        """A module beside those that are paused. Whether it has ended within the seconds."""
        fork = self.begin(request)
        self.running.append(fork)
        deadline = time.monotonic() + request["seconds"]
        while not has_ended(fork) and time.monotonic() < deadline:
            time.sleep(0.01)
        return {"ended": has_ended(fork)}

    def go_on(self, _request: dict[str, t.Any]) -> dict[str, t.Any]:
        """The oldest of those that are paused or run beside them, to its end."""
        fork = self.running.pop(0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(fork.pid, signal.SIGCONT)
        return self.end(fork)

    def begin(self, request: dict[str, t.Any]) -> Fork:
        fault = request.get("fault")
        self.control.set(*(fault or (0, 0, 0)))
        output, inside = os.pipe()
        fcntl.fcntl(inside, 1031, ROOM_FOR_OUTPUT)  # F_SETPIPE_SZ
        pid = os.fork()
        if pid == 0:
            os.setsid()
            os.close(output)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(inside, 1)
            os.dup2(inside, 2)
            self.child(request, is_armed=fault is not None)
        os.close(inside)
        os.set_blocking(output, False)
        return Fork(pid, output)

    def child(self, request: dict[str, t.Any], *, is_armed: bool) -> t.NoReturn:
        code = 1
        try:
            module = self.modules[request["module"]]
            basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": request["params"]}).encode()
            basic._ANSIBLE_PROFILE = "legacy"
            self.control.arm(int(is_armed))
            module.main()
        except SystemExit as ending:
            code = int(ending.code or 0)
        except BaseException:
            traceback.print_exc()
        self.control.arm(0)
        sys.stdout.flush()
        os._exit(code)

    def end(self, fork: Fork) -> dict[str, t.Any]:
        _pid, status = os.waitpid(fork.pid, 0)
        self.control.arm(0)
        # What a program in the background keeps open has no end.
        try:
            output = os.read(fork.output, ROOM_FOR_OUTPUT).decode("utf-8", "replace")
        except BlockingIOError:
            output = ""
        os.close(fork.output)
        self.reap()
        # A program that was killed along with it: as long as nobody has waited for it, its locks are those of a process.
        with contextlib.suppress(ProcessLookupError):
            while os.WIFSIGNALED(status):
                os.killpg(fork.pid, 0)
                self.reap()
        start = output.find("{")
        try:
            result = json.loads(output[start:]) if start >= 0 else None
        except ValueError:
            result = None
        killed = os.WIFSIGNALED(status)
        return {"killed": killed, "fired": self.control.has_fired, "result": result, "output": "" if result else output, "trace": self.control.trace()}

    def start(self, request: dict[str, t.Any]) -> dict[str, t.Any]:
        """Start the node as its user, and ask it."""
        lifecycle.start(lifecycle.Node(**request["node"]))
        return self.look(request)

    def look(self, request: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the node and its application say."""
        node = lifecycle.Node(**request["node"])
        _pid, running = lifecycle.wait_until_answering(node, timeout=request["timeout"])
        assert running is not None
        address = NodeAddress(node=node.name, cookie_file=node.cookie_file, epmd_port=int(node.environment["ERL_EPMD_PORT"]))
        with connect(address, timeout=request["timeout"]) as connection:
            version = connection.call("counter", "version", [], timeout=request["timeout"])
        statuses = {known.version: known.status for known in running.releases}
        return {"current": running.current, "permanent": running.permanent, "releases": statuses, "version": version}

    def rename(self, request: dict[str, t.Any]) -> dict[str, t.Any]:
        """Give the host another name."""
        socket.sethostname(request["name"])
        Path("/etc/hosts").write_text(f"127.0.0.1 localhost {request['name']}\n")
        return {}

    def stop(self, _request: dict[str, t.Any]) -> dict[str, t.Any]:
        self.end_others()
        return {}

    def end_others(self) -> None:
        """Kill all but this process: the name space is its own."""
        while others := [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]:
            for pid in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)
            self.reap()

    def reap(self) -> None:
        """As the first process must."""
        with contextlib.suppress(ChildProcessError):
            while not self.running and os.waitpid(-1, os.WNOHANG)[0]:
                pass


def has_ended(fork: Fork) -> bool:
    return os.waitid(os.P_PID, fork.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def main() -> None:
    server = Server(Control(os.environ["FAULT_CONTROL"]))
    print(json.dumps({"is": "ready"}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(server, request["do"])(request)
        except Exception:
            answer = {"failure": traceback.format_exc()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
