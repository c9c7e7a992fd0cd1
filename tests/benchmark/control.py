# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What calls to a running node cost, against erl_call and against a node that is started for one call.

In pairs (A B A B), of one node with an epmd of its own; what is printed are medians of A, and medians of the pairs' ratios A / B.
"upgrade" is a process of Python that connects and makes six calls, as an upgrade does; the last row is a call on a connection
that is open already, beside which stands what the same bytes cost on a bare socket.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NODE = "control@localhost"

CALLS = """
import sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
with connect(NodeAddress(node=sys.argv[2], cookie_file=sys.argv[3])) as node:
    for number in range(int(sys.argv[4])):
        node.call("release_handler", "which_releases", [])
"""
ERL = "pong = net_adm:ping('{node}'), [_ | _] = rpc:call('{node}', release_handler, which_releases, []), halt()."


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """How long the process takes, which must succeed."""
    start = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


class Site:
    """A node with SASL, and its callers."""

    def __init__(self, directory: str) -> None:
        tree = Path(directory, "ansible_collections/erlang")
        tree.mkdir(parents=True)
        (tree / "otp").symlink_to(ROOT)
        self.directory = directory
        self.cookie_file = os.path.join(directory, ".erlang.cookie")
        Path(self.cookie_file).write_text("BENCHMARK")
        os.chmod(self.cookie_file, 0o400)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.epmd_port = probe.getsockname()[1]
        self.environment = {**os.environ, "HOME": directory, "ERL_EPMD_PORT": str(self.epmd_port)}
        arguments = ["-noinput", "-sname", NODE, "-boot", "start_sasl", "-kernel", "logger_level", "error"]
        self.processes = [
            subprocess.Popen(["epmd", "-port", str(self.epmd_port)], env=self.environment),
            subprocess.Popen(["erl", *arguments], env=self.environment, stdout=subprocess.DEVNULL),
        ]
        sys.path.insert(0, directory)

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def connect(self):
        """A connection from this process."""
        from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect

        return connect(NodeAddress(node=NODE, cookie_file=self.cookie_file, epmd_port=self.epmd_port))

    def wait(self) -> None:
        from ansible_collections.erlang.otp.tests.real.waiting import wait_until

        def releases() -> t.Any:
            with self.connect() as node:
                return node.call("release_handler", "which_releases", [])

        wait_until(releases, "the node answers")

    def process(self, calls: int) -> float:
        """Python from start to end, with so many calls."""
        return seconds([sys.executable, "-I", "-S", "-c", CALLS, self.directory, NODE, self.cookie_file, str(calls)], self.environment)

    def connect_and_call(self) -> float:
        """The same in a process that runs already, as a module's does."""
        start = time.perf_counter()
        with self.connect() as node:
            node.call("release_handler", "which_releases", [])
        return time.perf_counter() - start

    def erl_call(self) -> float:
        return seconds([erl_call(), "-R", "-sname", NODE, "-a", "release_handler which_releases []"], self.environment)

    def erl(self) -> float:
        command = ["erl", "-noinput", "-hidden", "-sname", f"caller{os.getpid()}@localhost", "-eval", ERL.replace("{node}", NODE)]
        return seconds(command, self.environment)


def erl_call() -> str:
    """On PATH, or where Erlang has it."""
    found = shutil.which("erl_call")
    if not found:
        question = 'io:format("~ts", [code:root_dir()]), halt().'
        root = subprocess.run(["erl", "-noshell", "-eval", question], check=True, capture_output=True, text=True).stdout
        found = str(next(Path(root).glob("**/bin/erl_call")))
    return found


def median_ratio(count: int, ours: t.Callable[[], float], theirs: t.Callable[[], float]) -> tuple[float, float]:
    """Median of our seconds, and of the ratios of the pairs."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _number in range(count)]
    return statistics.median(a for a, _b in pairs), statistics.median(a / b for a, b in pairs)


class Echo:
    """A bare socket that gives back as many bytes as a node does for a call: what Python and the system cost alone."""

    SENT, RECEIVED = 150, 300

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()
        self.socket = socket.create_connection(self.server.getsockname())
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def serve(self) -> None:
        connection, _address = self.server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while connection.recv(4096):
            connection.sendall(bytes(self.RECEIVED))

    def call(self) -> None:
        self.socket.sendall(bytes(self.SENT))
        self.socket.recv(4096)


def each(count: int, call: t.Callable[[], t.Any]) -> float:
    """The median of so many."""
    times = []
    for _number in range(count):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=15, help="runs of each side (default: 15)")
    parser.add_argument("--quick", action="store_true", help="three pairs")
    arguments = parser.parse_args()
    count = 3 if arguments.quick else arguments.pairs
    print(f"{'':48} {'ms':>8} {'A / B':>8} {'goal':>8}")

    def row(what: str, ours: float, ratio: float, goal: str = "") -> None:
        print(f"{what:48} {1000 * ours:8.3f} {ratio:8.3f} {goal:>8}", flush=True)

    with tempfile.TemporaryDirectory(prefix="erlang-otp-") as directory:
        site = Site(directory)
        try:
            site.wait()
            row("upgrade: process, six calls / one erl -eval", *median_ratio(count, lambda: site.process(6), site.erl), "0.250")
            row("one call: process / one erl -eval", *median_ratio(count, lambda: site.process(1), site.erl))
            row("one call: process / erl_call", *median_ratio(count, lambda: site.process(1), site.erl_call))
            row("one call: connect and call / one erl -eval", *median_ratio(count, site.connect_and_call, site.erl))
            row("one call: connect and call / erl_call", *median_ratio(count, site.connect_and_call, site.erl_call))
            echo = Echo()
            with site.connect() as node:
                times = median_ratio(count, lambda: each(500, lambda: node.call("erlang", "node", [])), lambda: each(500, echo.call))
                row("further call / bare socket", *times, "0.100 ms")
        finally:
            site.end()


if __name__ == "__main__":
    main()
