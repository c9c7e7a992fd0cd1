# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Erlang Port Mapper Daemon: at which port a node listens. The chapter is "EPMD Protocol" of ERTS' "Distribution Protocol"."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallTimeout, Unreachable

PORT = 4369
PORT_REQUEST = 122
PORT_ANSWER = 119
NAMES_REQUEST = 110
# Bytes of the names of all nodes of a host.
MAX_NAMES = 1 << 20
# Two names of a node at most, and numbers.
MAX_ANSWER = 2048
# Seconds within which a node registers again if its epmd has ended and another one runs (erl_epmd of kernel: 2).
REGISTERED_AGAIN = 3.0


class NoEpmd(Unreachable):
    """No epmd listens there."""


class NotRegistered(Unreachable):
    """The epmd there does not know the node."""


class Registration(t.NamedTuple):
    """Where a node listens, and which versions of the handshake it knows."""

    port: int
    highest: int
    lowest: int


def default_port() -> int:
    """The port of epmd: that of the environment, as for erl."""
    value = os.environ.get("ERL_EPMD_PORT", "")
    return int(value) if value.isdigit() else PORT


def request(name: str) -> bytes:
    """PORT_PLEASE2_REQ for the node with this name, without a host."""
    encoded = name.encode("utf-8")
    return struct.pack(">HB", len(encoded) + 1, PORT_REQUEST) + encoded


def parse_answer(answer: bytes) -> Registration | None:
    """The registration in epmd's whole answer; None if it does not know the node. Raises ValueError for anything else."""
    if len(answer) >= 2 and answer[0] == PORT_ANSWER:
        if answer[1] != 0:
            return None
        if len(answer) >= 10:
            port, _type, _protocol, highest, lowest = struct.unpack_from(">HBBHH", answer, 2)
            if port:
                return Registration(port, highest, lowest)
    raise ValueError(f"{answer!r:.60}")


def is_registered(name: str, address: str, *, port: int, timeout: float) -> bool:
    """Whether the epmd at the address knows the node. Raises NoEpmd or CallTimeout if nothing says so: then it is not known whether the node runs."""
    for wait in (REGISTERED_AGAIN, 0.0):
        try:
            look_up(name, address, port=port, deadline=time.monotonic() + timeout)
            return True
        except NotRegistered:
            time.sleep(wait)
    return False


def names_at(address: str, port: int, *, timeout: float = 5.0) -> list[str]:
    """The names of the nodes that the epmd at the address knows (NAMES_REQ); empty if none answers."""
    text = b""
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout) as connection:
        connection.sendall(struct.pack(">HB", 1, NAMES_REQUEST))
        while len(text) < MAX_NAMES and (data := connection.recv(MAX_NAMES)):
            text += data
    return [os.fsdecode(name) for name in re.findall(rb"^name (\S+) at port \d+$", text[4:], re.MULTILINE)]


def look_up(name: str, address: str, *, port: int, deadline: float) -> Registration:
    """Ask the epmd at the address. deadline: of time.monotonic(). Raises NoEpmd, NotRegistered, CallTimeout."""
    answer = b""
    try:
        with socket.create_connection((address, port), max(0.001, deadline - time.monotonic())) as connection:
            connection.sendall(request(name))
            while len(answer) < MAX_ANSWER:
                connection.settimeout(max(0.001, deadline - time.monotonic()))
                data = connection.recv(MAX_ANSWER)
                if not data:
                    break
                answer += data
        registration = parse_answer(answer)
    except socket.timeout:
        raise CallTimeout(f"The epmd at {address}, port {port}, has not answered in time.") from None
    except ValueError as error:
        raise NoEpmd(f"The program at {address}, port {port}, is not an epmd. It answers {error}.") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise NoEpmd(f"No epmd answers at {address}, port {port} ({reason}). Check that the node is up and distributed, and its ERL_EPMD_PORT.") from None
    if registration is None:
        raise NotRegistered(f"The epmd at {address}, port {port}, does not know a node {name}. Check that it is up, and its name.")
    return registration
