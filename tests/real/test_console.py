# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to real nodes that are not distributed, through the pipes of a real run_erl, whatever state the shell is in."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallTimeout, ConnectionLost, Raised, Unreachable
from ansible_collections.erlang.otp.plugins.module_utils._node.run_erl_console import Console
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import parse_one
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, Opaque, identity
from ansible_collections.erlang.otp.tests.real.nodes import TREES, Otp, console, otp_of
from ansible_collections.erlang.otp.tests.real.waiting import LIMIT, wait_until

NONODE = Atom("nonode@nohost")


@pytest.fixture(scope="module", params=TREES)
def otp(request, erl: str) -> Otp:
    return otp_of(request.param)


@pytest.fixture
def directory(otp: Otp) -> t.Iterator[str]:
    """One of a name that a shell would stumble over, the same for us and for the node."""
    with tempfile.TemporaryDirectory(prefix="it's ρίζα ", dir=otp.system + "/tmp") as seen_by_us:
        inside = seen_by_us[len(otp.system) :]
        if otp.system:
            os.symlink(seen_by_us, inside)
        yield inside
        if otp.system:
            os.unlink(inside)


@pytest.fixture
def run_erl(otp: Otp, directory: str) -> t.Iterator[int]:
    """A node with its console there; the process of run_erl."""
    with console(otp, directory) as process:
        yield process


def type_first(node: Console, typed: bytes) -> None:
    """What is in the shell when a call comes: it has shown something of it."""
    node._type(typed)

    def is_shown() -> bool:
        node._listen(0.05)
        return bool(node._shown)

    wait_until(is_shown, "the shell shows what is typed")


def wait_until_client_is_gone(run_erl: int) -> None:
    """run_erl takes a client that comes before it has seen the last one leave for an error. The end of a client wakes it; then it sleeps again."""
    wait_until(lambda: Path(f"/proc/{run_erl}/stat").read_text().rpartition(")")[2].split()[0] == "S", "run_erl waits for a client")


def no_calls_left(directory: str) -> bool:
    return not [name for name in os.listdir(directory) if name.startswith(".call-")]


def test_calls(directory: str, run_erl: int):
    with Console(directory=directory) as node:
        assert node.call("erlang", "node", []) == NONODE
        assert node.call("lists", "reverse", ["Ωμέγα"]) == "αγέμΩ"
        term = parse_one("{a,\"Ωμ\",<<1,2:3>>,#{b=>[1.5|c]},'Ω'}")
        assert identity(node.call("erlang", "hd", [[term]])) == identity(term)
        assert isinstance(node.call("erlang", "self", []), Opaque)
        assert node.call("binary", "copy", [b"x", 5_000_000]) == b"x" * 5_000_000
        for number in range(30):
            assert node.call("erlang", "abs", [-number]) == number
    assert no_calls_left(directory)
    # What is asked is not in the log.
    assert "mega" not in Path(directory, "erlang.log.1").read_text(errors="replace")


def test_exceptions(directory: str, run_erl: int):
    with Console(directory=directory) as node:
        for module, function, kind in (("erlang", "throw", "throw"), ("erlang", "exit", "exit"), ("erlang", "error", "error")):
            with pytest.raises(Raised) as raised:
                node.call(module, function, [Atom("reason")])
            assert (raised.value.kind, raised.value.reason) == (kind, Atom("reason"))
        with pytest.raises(Raised) as raised:
            node.call("lists", "reverse", [3])
        assert raised.value.reason == Atom("function_clause")
        assert [entry[:2] for entry in raised.value.stacktrace] == [(Atom("lists"), Atom("reverse"))]


@pytest.mark.parametrize(
    "typed",
    [
        b"half_a_line(1, ",
        b"lists:map(\r",
        b'"a string that goes on\r',
        b"'an atom that goes on\r",
        b"\x07",
        b"io:get_line('? ').\r",
        b"timer:sleep(infinity).\r",
        b"X = 5, Directory = 6, Outcome = 7, Call = 8.\r",
        b'io:format("~p~n", [lists:seq(1, 50000)]).\r',
        b'spawn(fun L() -> io:format("noise~n"), timer:sleep(5), L() end).\r',
    ],
)
def test_whatever_the_shell_is_doing(directory: str, run_erl: int, typed: bytes):
    with Console(directory=directory) as node:
        type_first(node, typed)
        assert node.call("erlang", "node", [], timeout=LIMIT) == NONODE
        assert node.call("erlang", "hd", [[7]]) == 7
    assert no_calls_left(directory)


def test_a_call_is_made_once(directory: str, run_erl: int):
    """Though its script is named several times to a shell that is busy at first."""
    with Console(directory=directory) as node:
        # The shell's own process owns the table, and outlives its calls.
        assert node.call("ets", "new", [Atom("calls"), [Atom("named_table"), Atom("public")]]) == Atom("calls")
        assert node.call("ets", "insert", [Atom("calls"), [(Atom("count"), 0)]]) == Atom("true")
        type_first(node, b"timer:sleep(2500).\r")
        assert node.call("ets", "update_counter", [Atom("calls"), Atom("count"), 1], timeout=LIMIT) == 1
        # What was typed before is read before this.
        assert node.call("ets", "lookup", [Atom("calls"), Atom("count")]) == [(Atom("count"), 1)]


def test_somebody_is_attached(directory: str, run_erl: int):
    with Console(directory=directory) as node:
        with pytest.raises(Unreachable, match="attached"):
            Console(directory=directory)
        with Console(directory=directory, force=True) as other:
            assert other.call("erlang", "node", []) == NONODE
        assert node.call("erlang", "node", []) == NONODE


def test_run_erl_outlives_its_clients(directory: str, run_erl: int):
    for _time in range(10):
        with Console(directory=directory) as node:
            pid = node.call("os", "getpid", [])
        wait_until_client_is_gone(run_erl)
    os.kill(run_erl, 0)
    os.kill(int(pid), 0)


def test_pipes_of_former_runs(directory: str, run_erl: int):
    for number in (2, 12):
        for end in "rw":
            os.mkfifo(f"{directory}/erlang.pipe.{number}.{end}")
    with Console(directory=directory) as node:
        assert node.call("erlang", "node", []) == NONODE


def test_a_call_that_takes_too_long(directory: str, run_erl: int):
    with Console(directory=directory) as node:
        with pytest.raises(CallTimeout, match="timer:sleep/1 has not answered within 0.5 s"):
            node.call("timer", "sleep", [2000], timeout=0.5)
        assert node.call("erlang", "node", []) == NONODE
    assert no_calls_left(directory)


def test_killed_in_the_middle_of_a_call(directory: str, run_erl: int):
    with Console(directory=directory) as node:
        pid = int(node.call("os", "getpid", []))
        # The call itself kills the node that it is made in.
        with pytest.raises(ConnectionLost, match="has ended"):
            node.call("os", "cmd", [f"kill -KILL {pid}"], timeout=LIMIT)
    with pytest.raises(Unreachable):
        Console(directory=directory)


def test_a_node_of_another_user():
    """Root's files become the node's user's, so that both can do with them what they must."""
    with tempfile.TemporaryDirectory() as directory:
        os.chown(directory, 65534, 65534)
        with console(otp_of("erl"), directory, user="65534"), Console(directory=directory) as node:
            assert node.call("lists", "seq", [1, 3]) == [1, 2, 3]
            assert node.call("os", "cmd", ["id -u"]) == "65534\n"
        assert no_calls_left(directory)


def test_to_erl_after_us(directory: str, run_erl: int):
    """The shell is as usable as before."""
    with Console(directory=directory) as node:
        node.call("erlang", "node", [])
    wait_until_client_is_gone(run_erl)
    with subprocess.Popen(["to_erl", directory + "/"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0) as client:
        shown = b""

        def shows(text: bytes) -> bool:
            nonlocal shown
            if select.select([client.stdout], [], [], 0.1)[0]:
                shown += os.read(client.stdout.fileno(), 4096)
            return text in shown

        wait_until(lambda: shows(b"Attaching"), "to_erl is attached", running=client)
        client.stdin.write(b"\r1000 + 234.\r")
        wait_until(lambda: shows(b"1234"), "the shell has answered", running=client)
        client.stdin.write(b"\x04")
        client.wait(LIMIT)
