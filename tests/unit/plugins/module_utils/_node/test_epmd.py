# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The protocol of epmd, and that each way in which it fails is told apart."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._node import epmd as _epmd
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallTimeout
from ansible_collections.erlang.otp.plugins.module_utils._node.epmd import (
    NoEpmd,
    NotRegistered,
    Registration,
    default_port,
    is_registered,
    look_up,
    parse_answer,
    request,
)

ANSWER = b"w\x00\x96\x6cM\x00\x00\x06\x00\x05\x00\x08exchange\x00\x00"


@contextlib.contextmanager
def answering(pieces: list[bytes], *, wait: float = 0.0) -> t.Iterator[tuple[int, list[bytes]]]:
    """Something on a port of this host that answers so once; the port, and what it is asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _address = server.accept()
            with connection:
                asked.append(connection.recv(100))
                time.sleep(wait)
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(0.01)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], asked
        thread.join()


def ask(port: int, seconds: float = 600.0) -> Registration:
    return look_up("exchange", "127.0.0.1", port=port, deadline=time.monotonic() + seconds)


def test_request():
    assert request("Ω") == b"\x00\x03z\xce\xa9"


def test_answers():
    assert parse_answer(ANSWER) == Registration(38508, 6, 5)
    assert parse_answer(b"w\x01") is None


@pytest.mark.parametrize("answer", [b"", b"w", b"HTTP/1.1 400", b"w\x00\x96", b"w\x00\x00\x00" + ANSWER[4:]])
def test_no_answers(answer):
    with pytest.raises(ValueError):
        parse_answer(answer)
    with answering([answer]) as (port, _asked), pytest.raises(NoEpmd, match="is not an epmd"):
        ask(port)


def test_look_up():
    with answering([ANSWER[:1], ANSWER[1:9], ANSWER[9:]]) as (port, asked):
        assert ask(port) == Registration(38508, 6, 5)
    assert asked == [b"\x00\x09zexchange"]


def test_no_such_node():
    with answering([b"w\x01"]) as (port, _asked), pytest.raises(NotRegistered, match="exchange"):
        ask(port)


def test_nothing_there():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NoEpmd, match=f"No epmd answers at 127.0.0.1, port {port}"):
        ask(port)


def test_too_late():
    with answering([ANSWER], wait=0.5) as (port, _asked), pytest.raises(CallTimeout):
        ask(port, 0.1)


@pytest.mark.parametrize(("value", "port"), [("", 4369), ("4370", 4370), ("x", 4369)])
def test_port_of_the_environment(monkeypatch, value, port):
    monkeypatch.setenv("ERL_EPMD_PORT", value)
    assert default_port() == port


def test_only_an_epmd_that_answers_says_that_a_node_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only if it says so again: a node registers again with an epmd that has been started anew."""
    answers: list[bytes] = []
    monkeypatch.setattr(_epmd, "REGISTERED_AGAIN", 0.0)
    monkeypatch.setattr(_epmd, "look_up", lambda name, address, port, deadline: _epmd.parse_answer(answers.pop(0)) or missing())

    def missing() -> t.NoReturn:
        raise NotRegistered("not there")

    for answers[:], expected in (([ANSWER], True), ([b"w\x01", ANSWER], True), ([b"w\x01", b"w\x01"], False)):
        assert is_registered("exchange", "127.0.0.1", port=1, timeout=1.0) is expected
    monkeypatch.undo()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(CallTimeout):
            is_registered("exchange", "127.0.0.1", port=silent.getsockname()[1], timeout=0.1)
        free = silent.getsockname()[1]
    with pytest.raises(NoEpmd):
        is_registered("exchange", "127.0.0.1", port=free, timeout=5.0)
