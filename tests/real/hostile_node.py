# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node that has been taken over: an epmd and a node on real sockets, or the pipes of a run_erl, which answer what an attacker likes."""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import struct
import threading
import typing as t
import zlib

from ansible_collections.erlang.otp.plugins.module_utils._node.distribution_protocol import FLAGS, digest
from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import decode_at, encode
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, Opaque

NODE, COOKIE = "hostile@localhost", "COOKIEOFTESTS"

# What the node answers to a call: the bytes of a term with its version byte, made of module and function; None: nothing; more than one: one after the other.
Answer = t.Callable[[str, str], "bytes | None"]


def compressed(content: bytes) -> bytes:
    """The term, given without its version byte, in compressed form."""
    return b"\x83P" + struct.pack(">I", len(content)) + zlib.compress(content, 9)


def evaluating(value: bytes) -> Answer:
    """A node that evaluates expressions, and whose value is this one, given without its version byte."""

    def answer(module: str, function: str) -> bytes:
        if module == "erl_eval":
            return b"\x83h\3" + encode(Atom("value"))[1:] + value + b"j"
        return encode((Atom("ok"), [], 1))

    return answer


class HostileNode:
    """Listens until its end. address: for connect(). raw: what follows the handshake, in place of answers. epmd: what the epmd says, in place of the port."""

    def __init__(self, answer: Answer, *, raw: bytes = b"", epmd: bytes = b"", name: bytes = NODE.encode()) -> None:
        self._answer, self._raw, self._epmd, self._name = answer, raw, epmd, name
        self._sockets = [socket.create_server(("127.0.0.1", 0)) for dummy in range(2)]
        self.epmd_port, self.port = (listener.getsockname()[1] for listener in self._sockets)
        self.sent = 0
        for listener, talk in zip(self._sockets, (self._as_epmd, self._as_node)):
            threading.Thread(target=self._serve, args=(listener, talk), daemon=True).start()

    def address(self, timeout: float) -> dict[str, t.Any]:
        return {"address": {"node": NODE, "cookie": COOKIE, "host": "127.0.0.1", "epmd_port": self.epmd_port}, "timeout": timeout}

    def __enter__(self) -> HostileNode:
        return self

    def __exit__(self, *dummy: t.Any) -> None:
        for listener in self._sockets:
            listener.close()

    def _serve(self, listener: socket.socket, talk: t.Callable[[socket.socket], None]) -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with connection, contextlib.suppress(OSError, struct.error):
                talk(connection)

    def _as_epmd(self, connection: socket.socket) -> None:
        connection.recv(1024)
        connection.sendall(self._epmd or b"w\0" + struct.pack(">HBBHH", self.port, 77, 0, 6, 5) + struct.pack(">H", 7) + b"hostile" + b"\0\0")

    def _as_node(self, connection: socket.socket) -> None:
        """The handshake, whose cookie an attacker in the node has, and then calls."""

        def read(size: int) -> bytes:
            data = b""
            while len(data) < size:
                data += connection.recv(size - len(data)) or exit_thread()
            return data

        def take(prefix: int) -> bytes:
            return read(int.from_bytes(read(prefix), "big"))

        def send(message: bytes) -> None:
            connection.sendall(struct.pack(">H", len(message)) + message)

        take(2)
        send(b"snamed:" + struct.pack(">H", 8) + b"us@local" + struct.pack(">I", 5))
        send(struct.pack(">cQIIH", b"N", FLAGS, 77, 5, len(self._name)) + self._name)
        reply = take(2)
        send(b"a" + digest(COOKIE, int.from_bytes(reply[1:5], "big")))
        if self._raw:
            while True:
                connection.sendall(self._raw)
        while True:
            message = take(4)
            control, end = decode_at(message, 1)
            _reference, module, function, _arguments = decode_at(message, end)[0]
            answer = self._answer(module.name, function.name)
            if answer is not None:
                packet = exited(control[1], control[2], answer)
                self.sent = len(packet)
                connection.sendall(struct.pack(">I", len(packet)) + packet)


def exit_thread() -> bytes:
    raise OSError("the other side has ended")


def exited(reference: Opaque, pid: Opaque, answer: bytes) -> bytes:
    """The message that the process of a call has ended with this answer: compressed as a whole if the answer is."""
    content = answer[1:] if answer[1] != 80 else zlib.decompress(answer[6:])
    outcome = b"h\3" + reference.external + encode(Atom("return"))[1:] + content
    control = b"h\5a\x15" + pid.external + pid.external + reference.external + outcome
    return b"p" + (b"\x83" + control if answer[1] != 80 else compressed(control))


class HostilePipes:
    """A directory with the pipes of a run_erl whose shell carries out no script, but leaves what an attacker likes as the answer."""

    def __init__(self, directory: str, leave: t.Callable[[str], None]) -> None:
        self.directory, self._leave = directory, leave
        for name in ("w", "r"):
            os.mkfifo(f"{directory}/erlang.pipe.1.{name}")
        self._typed = os.open(f"{directory}/erlang.pipe.1.w", os.O_RDONLY | os.O_NONBLOCK)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def address(self, timeout: float) -> dict[str, t.Any]:
        return {"address": {"pipe_dir": self.directory}, "timeout": timeout}

    def __enter__(self) -> HostilePipes:
        return self

    def __exit__(self, *dummy: t.Any) -> None:
        self._ended.set()
        self._thread.join()
        os.close(self._typed)

    def _read(self) -> None:
        line = b""
        while not self._ended.is_set():
            if select.select([self._typed], [], [], 0.05)[0]:
                try:
                    line += os.read(self._typed, 4096)
                except BlockingIOError:
                    continue
                if not line.endswith(b"\r"):
                    self._ended.wait(0.01)
                    continue
                for codes in re.findall(rb"file:script\(<<([0-9,]+)>>\)", line):
                    directory = os.path.dirname(bytes(map(int, codes.split(b","))).decode())
                    with contextlib.suppress(FileNotFoundError):
                        os.rename(f"{directory}/waiting", f"{directory}/started")
                        self._leave(directory)
                line = b""
