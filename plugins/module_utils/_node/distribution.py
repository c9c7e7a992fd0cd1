# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to a distributed node over a socket: the chapter "Distributed Erlang". distribution_protocol has what is sent."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallTimeout, NoTls, OtherWay, Unreachable, name_of, value_of
from ansible_collections.erlang.otp.plugins.module_utils._node.distribution_protocol import FLAGS, NEW, Answered, Connected, NameRefused, Protocol
from ansible_collections.erlang.otp.plugins.module_utils._node.epmd import NoEpmd, NotRegistered, Registration, default_port, look_up
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, Opaque

if t.TYPE_CHECKING:
    from ansible_collections.erlang.otp.plugins.module_utils._node.tls import TlsFiles

LOCALHOST = "localhost"
# A name may have one of its addresses only, and the node may listen at the other one (inet6_tcp_dist).
LOOPBACK = (LOCALHOST, "::1")
CHUNK = 1 << 18


class Connection:
    """A connection to a node, for calls one after the other::

        with Connection(node="exchange@north", cookie=cookie) as node:
            releases = node.call("release_handler", "which_releases", [])

    node: NAME@HOST, or NAME alone on any host. The connection is to that host, or to this one if that fails.
    host: another address to connect to. port: of a node without epmd. epmd_port: if it is not that of the environment. tls: of a node that
    speaks TLS, the files for that. timeout: seconds until it is connected. version, flags: of the handshake, if they are not to be negotiated.

    Raises CallError: NoEpmd, NotRegistered, WrongCookie and other kinds of Unreachable, or CallTimeout. The node
    ends a connection without calls after its net_ticktime, a minute.
    """

    def __init__(
        self,
        *,
        node: str,
        cookie: str,
        host: str = "",
        port: int = 0,
        epmd_port: int = 0,
        tls: TlsFiles | None = None,
        timeout: float = 5.0,
        version: int = 0,
        flags: int = FLAGS,
    ) -> None:
        self._target = node
        self._cookie = cookie
        self._flags = flags
        self._tls = tls
        self._leader: Opaque | None = None
        deadline = time.monotonic() + timeout
        name, _at, node_host = node.partition("@")
        self._our_host = node_host or LOCALHOST
        places = [host] if host else [node_host or LOCALHOST, LOCALHOST]
        found = Registration(port, NEW, NEW) if port else None
        if not found:
            at, found = find(name, places, epmd_port or default_port(), deadline)
            places = [at]
        addresses = [*dict.fromkeys([*places, *LOOPBACK] if LOCALHOST in places else places)]
        version = version or min(NEW, found.highest)
        try:
            self._connect(addresses, found.port, version, deadline, self._our_host if version == NEW else self._unique_name())
        except NameRefused:
            if version != NEW:
                raise
            # It does not give us a name: use one that no other node has.
            self._connect(addresses, found.port, version, deadline, self._unique_name())
        self.node = self._protocol.node
        try:
            self._leader = self._user(max(0.001, deadline - time.monotonic())) if self._protocol.needs_leader else None
        except BaseException:
            self.close()
            raise

    def call(self, module: str, function: str, arguments: list, *, timeout: float = 30.0):
        """The function's value as a term; the arguments are a list of terms.

        Raises Raised when the function does, CallTimeout, ConnectionLost, and TermError for arguments that are not terms.
        """
        what = name_of(module, function, arguments)
        deadline = time.monotonic() + timeout
        number = self._protocol.call(module, function, arguments, leader=self._leader)
        try:
            while True:
                for event in self._exchange(deadline):
                    if isinstance(event, Answered) and event.call == number:
                        return value_of(event.outcome, what)
        except socket.timeout:
            self._protocol.forget(number)
            raise CallTimeout(f"{what} has not answered within {timeout:.3g} s; it may go on in the node {self.node}.") from None

    def close(self) -> None:
        """End the connection; its calls go on in the node."""
        self._socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *dummy) -> None:
        self.close()

    def _unique_name(self) -> str:
        return f"erlang_otp_{os.urandom(6).hex()}@{self._our_host}"

    def _connect(self, addresses: list[str], port: int, version: int, deadline: float, name: str) -> None:
        """A socket, and the handshake."""
        challenge, creation = (int.from_bytes(os.urandom(4), "big") for dummy in range(2))
        self._protocol = Protocol(
            expected=self._target,
            name=name,
            cookie=self._cookie,
            challenge=challenge,
            creation=creation | 4,
            version=version,
            flags=self._flags,
            prefix=4 if self._tls else 2,
        )
        address = addresses[0]
        try:
            self._socket = self._open(addresses, port, deadline)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A timeout of the socket itself needs two more system calls for each call.
            self._socket.setblocking(False)
            self._readable, self._writable = select.poll(), select.poll()
            self._readable.register(self._socket, select.POLLIN)
            self._writable.register(self._socket, select.POLLOUT)
        except socket.timeout:
            raise CallTimeout(f"No connection to {self._target} at {address}, port {port}, in time: is the host up, and its firewall open?") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise Unreachable(f"No connection to {self._target} at {address}, port {port}: {reason}.") from None
        try:
            while not any(isinstance(event, Connected) for event in self._exchange(deadline)):
                pass
        except socket.timeout:
            self._socket.close()
            raise CallTimeout(f"{self._target} at {address}, port {port}, has not answered in time.") from None
        except BaseException:
            self._socket.close()
            raise

    def _open(self, addresses: list[str], port: int, deadline: float) -> t.Any:
        """A connected socket. Raises OSError, CallError."""
        connection = open_socket(addresses, port, deadline)
        if self._tls is None:
            return connection
        # Lazy, for start-up time: few nodes speak TLS.
        from ansible_collections.erlang.otp.plugins.module_utils._node.tls import TlsSocket

        try:
            return TlsSocket(connection, self._tls, f"{self._target} at port {port}", timeout=max(0.001, deadline - time.monotonic()))
        except BaseException:
            connection.close()
            raise

    def _exchange(self, deadline: float) -> list:
        """Send what has to be sent, and wait for data. Returns the events in it. Raises socket.timeout at the deadline."""
        try:
            self._send(self._protocol.to_send(), deadline)
            wait(self._readable, deadline)
            data = self._socket.recv(CHUNK)
        except socket.timeout:
            raise
        except OtherWay:
            wait(self._writable, deadline)
            return []
        except BlockingIOError:
            # Of TLS, a part of a record.
            return []
        except NoTls:
            if not self._protocol.is_connected:
                raise
            data = b""
        except OSError:
            data = b""
        if not data:
            raise self._protocol.closed()
        return self._protocol.receive(data, deadline=deadline)

    def _send(self, data: bytes, deadline: float) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[self._socket.send(left) :]
            except OtherWay:
                wait(self._readable, deadline)
            except BlockingIOError:
                wait(self._writable, deadline)

    def _user(self, timeout: float):
        """The pid of the process that prints for processes without their own terminal."""
        user = self.call("erlang", "whereis", [Atom("user")], timeout=timeout)
        return user if isinstance(user, Opaque) else None


def wait(events: select.poll, deadline: float) -> None:
    """Wait for the events. Raises socket.timeout at the deadline."""
    left = deadline - time.monotonic()
    if left <= 0 or not events.poll(left * 1000):
        raise socket.timeout


def open_socket(addresses: list[str], port: int, deadline: float) -> socket.socket:
    """A connection to the port at the first of the addresses that has one. Raises OSError, that of the first of them."""
    failure: OSError | None = None
    for address in addresses:
        try:
            return socket.create_connection((address, port), max(0.001, deadline - time.monotonic()))
        except OSError as error:
            failure = failure or error
    raise failure or OSError("no address")


def find(name: str, addresses: list[str], epmd_port: int, deadline: float) -> tuple[str, Registration]:
    """The first address whose epmd knows the node, and what it knows."""
    for address in addresses[:-1]:
        # The host's name may not resolve, and its node may listen on the loopback interface only.
        with contextlib.suppress(NoEpmd, NotRegistered):
            return address, look_up(name, address, port=epmd_port, deadline=deadline)
    return addresses[-1], look_up(name, addresses[-1], port=epmd_port, deadline=deadline)
