# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Erlang distribution protocol of a hidden node that only makes calls: bytes in, events and bytes out.

Nothing here reads or writes a socket, and only the decoder looks at a clock. The rules are those of ERTS' "Distribution Protocol"::

    status ----------> challenge ----------> acknowledgement ----------> connected
      their answer to    theirs, which the     theirs, which says that     ticks, and messages
      our name           cookie answers        they have the cookie

"""

from __future__ import annotations

import hashlib
import hmac
import math
import struct
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import (
    CallError,
    CallTimeout,
    ConnectionLost,
    Unreachable,
    WrongCookie,
    shortened,
)
from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import MAX_SIZE, EtfTimeout, decode_at, encode
from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_encoder import append
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, Opaque

HANDSHAKE_23 = 0x1000000
SPAWN = 1 << 32
NAME_ME = 1 << 33
# What every OTP requires, up to 28, and what we can read. Without PUBLISHED we are a hidden node.
FLAGS = (
    0x4  # EXTENDED_REFERENCES
    | 0x8  # DIST_MONITOR
    | 0x20  # DIST_MONITOR_NAME
    | 0x10  # FUN_TAGS
    | 0x80  # NEW_FUN_TAGS
    | 0x100  # EXTENDED_PIDS_PORTS
    | 0x200  # EXPORT_PTR_TAG
    | 0x400  # BIT_BINARIES
    | 0x800  # NEW_FLOATS
    | 0x4000  # SMALL_ATOM_TAGS
    | 0x10000  # UTF8_ATOMS
    | 0x20000  # MAP_TAG
    | 0x40000  # BIG_CREATION
    | HANDSHAKE_23
    | 0x2000000  # UNLINK_ID
    | 0x4000000  # MANDATORY_25_DIGEST
    | SPAWN
    | (1 << 34)  # V4_NC
)
# Versions of the handshake.
OLD, NEW = 5, 6

SEND = 2
REG_SEND = 6
MONITOR_P_EXIT = 21
SPAWN_REQUEST = 29
SPAWN_REPLY = 31
PASS_THROUGH = 112
SPAWN_REPLY_BEGINS = bytes((PASS_THROUGH, 131, 104, 5, 97, SPAWN_REPLY))

# The name of a node is an atom.
MAX_NAME = 255
# Bytes of a message of who has not shown a cookie yet: what two bytes of a length, without TLS, can be.
MAX_HANDSHAKE = 0xFFFF


class ProtocolError(CallError):
    """What came is not the distribution protocol."""


class NameRefused(Unreachable):
    """The node refuses a node without a name, or with this name."""


class Connected(t.NamedTuple):
    """The handshake is done. The name is what the node calls itself."""

    node: str


class Answered(t.NamedTuple):
    """A call has ended: {return,Value} and the like, see call_errors.value_of."""

    call: int
    outcome: t.Any


class Protocol:
    """One connection: give what arrives to receive(), send what to_send() gives.

    expected: the node's name, without a host if any host is right. The node that answers at an address may be another one.
    name: our name, NAME@HOST, or the host alone for a name that the node chooses (version 6 only).
    challenge, creation: random numbers below 2 ** 32. prefix: how many bytes have the length of a message in the handshake, 4 over TLS.
    """

    def __init__(
        self, *, expected: str, name: str, cookie: str, challenge: int, creation: int, version: int = NEW, flags: int = FLAGS, prefix: int = 2
    ) -> None:
        self.node = ""  # theirs, as soon as it is known
        self.name = name
        self._expected = expected
        self._cookie = cookie
        self._challenge = challenge
        self._creation = creation
        self._version = version
        self._flags = flags if "@" in name else flags | NAME_ME
        self._their_flags = 0
        self._pid: t.Any = None
        self._leader: t.Any = None
        self._me = b""
        self._spawned = b""
        self._calls: dict[str, int] = {}  # by the text of the reference
        self._last_call = 0
        self._received = bytearray()
        self._handshake_prefix = self._needed = prefix
        self._deadline = math.inf
        self._outgoing = bytearray()
        self._state: t.Callable[[bytes], t.Any] = self._status
        self._send_name()

    def to_send(self) -> bytes:
        """What has to be sent now, once."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def receive(self, data: bytes, *, deadline: float = math.inf) -> list[Connected | Answered]:
        """Take bytes in pieces of any size; the events that they complete. Raises CallError, after which the connection must be closed.

        deadline: of time.monotonic(), for the decoding of a message; CallTimeout after that.
        """
        self._received += data
        self._deadline = deadline
        events: list[Connected | Answered] = []
        while len(self._received) >= self._needed:
            prefix = self._prefix
            length = int.from_bytes(self._received[:prefix], "big")
            limit = MAX_SIZE if self.is_connected else MAX_HANDSHAKE
            if length > limit:
                raise ProtocolError(f"{self._them()} sends a message of {length} bytes; the limit is {limit}.")
            self._needed = prefix + length
            if len(self._received) < self._needed:
                break
            message = bytes(memoryview(self._received)[prefix : self._needed])
            del self._received[: self._needed]
            event = self._take(message)
            if event is not None:
                events.append(event)
            self._needed = self._prefix
        return events

    def closed(self) -> OtpError:
        """The error to raise when the connection ends now."""
        if self._state == self._connected:
            return ConnectionLost(f"{self._them()} has ended, or ended the connection, in the middle of a call.")
        if self._state == self._acknowledgement:
            return WrongCookie(f"{self._them()} refuses the cookie: it has another one. Give the cookie of that node.")
        if not self.node:
            return NameRefused("The node ended the connection at once: it may use TLS, or need another protocol.")
        return Unreachable(f"{self._them()} ended the connection in the handshake.")

    def call(self, module: str, function: str, arguments: list, *, leader=None) -> int:
        """Ask for a call; the number that its answer will bear. leader: the pid of the group leader, to which it prints. Raises TermError."""
        number = self._last_call + 1
        reference = self._reference(number)
        if self._their_flags & SPAWN:
            # As erpc:call/4 does it: a process that ends with {Reference,return,Value} or the like.
            entry = (Atom("erpc"), Atom("execute_call"), 4)
            control: tuple = (SPAWN_REQUEST, reference, self._pid, leader or self._pid, entry, [Atom("monitor")])
            message: t.Any = [reference, Atom(module), Atom(function), arguments]
        else:
            control = (REG_SEND, self._pid, Atom(""), Atom("rex"))
            request = (Atom("call"), Atom(module), Atom(function), arguments, Atom("user"))
            message = (Atom("$gen_call"), (self._pid, reference), request)
        packet = bytes((PASS_THROUGH,)) + encode(control) + encode(message)
        self._last_call = number
        self._calls[reference.text] = number
        self._outgoing += struct.pack(">I", len(packet)) + packet
        return number

    def forget(self, number: int) -> None:
        """Have no event when the call is answered after all."""
        self._calls.pop(self._reference(number).text, None)

    @property
    def needs_leader(self) -> bool:
        """Whether call() needs the pid of a group leader. Without it the node would send us what a function prints."""
        return bool(self._their_flags & SPAWN)

    @property
    def is_connected(self) -> bool:
        """Whether the handshake is done."""
        return self._state == self._connected

    @property
    def _prefix(self) -> int:
        return 4 if self._state == self._connected else self._handshake_prefix

    def _them(self) -> str:
        return f"The node {self.node}" if self.node else "The node"

    def _take(self, message: bytes):
        try:
            return self._state(message)
        except CallError:
            raise
        except EtfTimeout:
            raise CallTimeout(f"{self._them()} sends a message of {len(message)} bytes, which could not be read in time.") from None
        except OtpError as error:
            raise ProtocolError(f"{self._them()} sends a message of {len(message)} bytes that cannot be read: {error}") from None
        except (IndexError, struct.error, UnicodeDecodeError, ValueError):
            text = f"{self._state.__name__.strip('_')} of {len(message)} bytes."
            raise ProtocolError(f"{self._them()} does not speak the distribution protocol: {text}") from None

    # The handshake.

    def _send(self, message: bytes) -> None:
        self._outgoing += len(message).to_bytes(self._handshake_prefix, "big") + message

    def _send_name(self) -> None:
        name = self.name.encode("utf-8")
        if self._version == OLD:
            self._send(struct.pack(">cHI", b"n", OLD, self._flags & 0xFFFFFFFF) + name)
        else:
            self._send(struct.pack(">cQIH", b"N", self._flags, self._creation, len(name)) + name)

    def _status(self, message: bytes) -> None:
        if message[:1] != b"s":
            raise ProtocolError("The node does not speak the distribution protocol: its first message is not a status.")
        if message[1:7] == b"named:":
            (length,) = struct.unpack_from(">H", message, 7)
            if len(message) != 13 + length:
                raise IndexError
            self.name = message[9 : 9 + length].decode("utf-8")
            (self._creation,) = struct.unpack_from(">I", message, 9 + length)
            self._state = self._challenge_of_theirs
            return
        status = message[1:].decode("utf-8")
        if status in ("ok", "ok_simultaneous"):
            if "@" not in self.name:
                raise NameRefused("The node does not give names to others.")
        elif status == "not_allowed":
            raise NameRefused("The node does not allow this connection (status not_allowed): see net_kernel:allow/1.")
        elif status in ("nok", "alive"):
            raise NameRefused(f"The node has a connection with a node of our name (status {status}). Try again.")
        else:
            raise ProtocolError(f"The node answers with the status {status!r:.60}, which is not known.")
        self._state = self._challenge_of_theirs

    def _challenge_of_theirs(self, message: bytes) -> None:
        if message[:1] == b"N":
            self._their_flags, challenge, _creation, length = struct.unpack_from(">QIIH", message, 1)
            name = message[19 : 19 + length]
            if len(name) != length:
                raise IndexError
        elif message[:1] == b"n":
            _version, self._their_flags, challenge = struct.unpack_from(">HII", message, 1)
            name = message[11:]
        else:
            raise ProtocolError("The node does not speak the distribution protocol: its second message is not a challenge.")
        self.node = name.decode("utf-8")
        if len(self.node) > MAX_NAME:
            raise ProtocolError(f"The node sends a name of {len(self.node)} characters; a node has {MAX_NAME} at most.")
        if self._expected != (self.node if "@" in self._expected else self.node.partition("@")[0]):
            raise Unreachable(f"The node there is called {self.node}, not {self._expected}: use that name, or the address of {self._expected}.")
        if message[:1] == b"N" and self._version == OLD:
            # A node that knows the new handshake; it has seen only half of our flags.
            self._send(struct.pack(">cII", b"c", self._flags >> 32, self._creation))
        self._their_flags &= self._flags
        self._send(struct.pack(">cI", b"r", self._challenge) + digest(self._cookie, challenge))
        self._state = self._acknowledgement

    def _acknowledgement(self, message: bytes) -> Connected:
        if message[:1] != b"a" or len(message) != 17:
            raise ProtocolError(f"{self._them()} does not speak the distribution protocol: its third message is not an acknowledgement.")
        if not hmac.compare_digest(message[1:], digest(self._cookie, self._challenge)):
            raise WrongCookie(f"{self._them()} has another cookie.")
        me = bytearray()
        append(Atom(self.name), me)
        self._me = bytes(me)
        self._spawned = b"a\x02X" + encode(Atom(self.node))[1:]
        self._pid = Opaque(f"<{self.name}.1.0>", b"\x58" + self._me + struct.pack(">III", 1, 0, self._creation))
        self._state = self._connected
        return Connected(self.node)

    # What comes when we are connected.

    def _reference(self, number: int) -> Opaque:
        low, high = number & 0x3FFFF, number >> 18
        external = b"\x5a\x00\x03" + self._me + struct.pack(">IIII", self._creation, low, high, 0)
        return Opaque(f"#Ref<{self.name}.0.{high}.{low}>", external)

    def _connected(self, message: bytes) -> Answered | None:
        if not message:
            # A tick, which must be answered.
            self._outgoing += bytes(4)
            return None
        if message[0] != PASS_THROUGH:
            raise ProtocolError(f"{self._them()} sends messages of type {message[0]}, which were not negotiated.")
        if message.startswith(SPAWN_REPLY_BEGINS) and self._spawned in message:
            # A call has begun: a process of theirs is made and monitored.
            return None
        control, end = decode_at(message, 1, deadline=self._deadline)
        if not isinstance(control, tuple) or not control:
            raise ProtocolError(f"{self._them()} sends a malformed control message: {shortened(control, 60)}.")
        if control[0] == SEND and end < len(message):
            return self._sent(decode_at(message, end, deadline=self._deadline)[0])
        if control[0] == MONITOR_P_EXIT and len(control) == 5:
            return self._exited(control[3], control[4])
        if control[0] == SPAWN_REPLY and len(control) == 5 and isinstance(control[4], Atom):
            return self._answered(control[1], (Atom("not spawned"), control[4]))
        # Everything else is for processes that we do not have.
        return None

    def _answered(self, reference, outcome) -> Answered | None:
        number = self._calls.pop(reference.text, None) if isinstance(reference, Opaque) else None
        return None if number is None else Answered(number, outcome)

    def _exited(self, reference, reason) -> Answered | None:
        """The process that executed a call has ended with this reason."""
        if isinstance(reason, tuple) and len(reason) >= 3 and reason[0] == reference:
            return self._answered(reference, reason[1:])
        return self._answered(reference, (Atom("exit"), reason))

    def _sent(self, message) -> Answered | None:
        """The answer of rex, which is the same for an exception and for a value that looks like one."""
        if not isinstance(message, tuple) or len(message) != 2:
            return None
        reference, value = message
        if not isinstance(value, tuple) or len(value) != 2 or value[0] != Atom("badrpc"):
            return self._answered(reference, (Atom("return"), value))
        reason = value[1]
        if isinstance(reason, tuple) and len(reason) == 2 and reason[0] == Atom("EXIT"):
            reason = reason[1]
            if isinstance(reason, tuple) and len(reason) == 2 and isinstance(reason[1], list):
                return self._answered(reference, (Atom("error"), *reason))
        return self._answered(reference, (Atom("exit"), reason))


def digest(cookie: str, challenge: int) -> bytes:
    """The answer to a challenge. Raises CallError where MD5 is forbidden altogether."""
    data = cookie.encode("utf-8") + str(challenge).encode("ascii")
    try:
        try:
            return hashlib.md5(data, usedforsecurity=False).digest()
        except TypeError:
            # Python 3.8.
            return hashlib.md5(data).digest()
    except ValueError as error:
        raise CallError(f"the distribution protocol needs MD5, which this Python refuses ({error}): use the transport pipe.") from None
