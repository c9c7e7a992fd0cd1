# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The distribution protocol, byte by byte, against what nodes say."""

from __future__ import annotations

import os
import random
import struct
import time
import tracemalloc

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._node import distribution_protocol as _distribution_protocol
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import (
    CallError,
    CallTimeout,
    ConnectionLost,
    Raised,
    Unreachable,
    WrongCookie,
    value_of,
)
from ansible_collections.erlang.otp.plugins.module_utils._node.distribution_protocol import (
    FLAGS,
    HANDSHAKE_23,
    NAME_ME,
    OLD,
    Answered,
    Connected,
    NameRefused,
    Protocol,
    ProtocolError,
)
from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import MAX_SIZE, decode_at
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, Opaque
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._node import distribution_peer as peer

OK = Atom("ok")
# Inputs of a test that takes any.
STREAMS = 10_000 if os.environ.get("OTP_TESTS") == "full" else 2_000


def connected(stream: bytes = peer.HANDSHAKE, **options) -> Protocol:
    protocol = peer.protocol(**options)
    assert protocol.receive(stream) == [Connected("n@h")]
    protocol.to_send()
    return protocol


def sent_terms(packet: bytes) -> tuple:
    """Control message and message of one packet."""
    assert struct.unpack(">I", packet[:4])[0] == len(packet) - 4
    assert packet[4:5] == b"p"
    control, end = decode_at(packet, 5)
    message, end = decode_at(packet, end)
    assert end == len(packet)
    return control, message


def test_handshake_with_a_name_that_the_node_gives():
    protocol = peer.protocol()
    assert protocol.to_send() == peer.two(b"N" + struct.pack(">QIH", FLAGS | NAME_ME, peer.CREATION, 1) + b"h")
    assert protocol.to_send() == b""
    assert protocol.receive(peer.NAMED) == []
    assert protocol.to_send() == b""
    assert protocol.receive(peer.challenge()) == []
    assert protocol.to_send() == peer.two(b"r\x01\x02\x03\x04" + peer.digest(peer.THEIR_CHALLENGE))
    assert protocol.receive(peer.ACKNOWLEDGEMENT) == [Connected("n@h")]
    assert (protocol.node, protocol.name) == ("n@h", "NAME1@h")


def test_handshake_with_a_name_of_our_own():
    protocol = peer.protocol(name="us@h")
    assert protocol.to_send() == peer.two(b"N" + struct.pack(">QIH", FLAGS, peer.CREATION, 4) + b"us@h")
    events = protocol.receive(peer.two(b"sok") + peer.challenge() + peer.ACKNOWLEDGEMENT)
    assert events == [Connected("n@h")]
    protocol.call("m", "f", [])
    (control, _message) = sent_terms(protocol.to_send()[23:])
    assert control[2].text == "<us@h.1.0>"


def test_old_handshake():
    protocol = peer.protocol(name="us@h", version=OLD, flags=FLAGS & ~HANDSHAKE_23)
    assert protocol.to_send() == peer.two(b"n\x00\x05" + struct.pack(">I", FLAGS & ~HANDSHAKE_23 & 0xFFFFFFFF) + b"us@h")
    assert protocol.receive(peer.two(b"sok_simultaneous") + peer.old_challenge()) == []
    assert protocol.to_send() == peer.two(b"r\x01\x02\x03\x04" + peer.digest(peer.THEIR_CHALLENGE))
    assert protocol.receive(peer.ACKNOWLEDGEMENT) == [Connected("n@h")]
    assert not protocol.needs_leader


def test_old_handshake_with_a_node_that_knows_the_new_one():
    """The second half of our flags, and our creation, follow."""
    protocol = peer.protocol(name="us@h", version=OLD)
    protocol.to_send()
    assert protocol.receive(peer.two(b"sok") + peer.challenge()) == []
    complement = peer.two(b"c" + struct.pack(">II", FLAGS >> 32, peer.CREATION))
    assert protocol.to_send() == complement + peer.two(b"r\x01\x02\x03\x04" + peer.digest(peer.THEIR_CHALLENGE))
    assert protocol.receive(peer.ACKNOWLEDGEMENT) == [Connected("n@h")]
    assert protocol.needs_leader


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("handshake", [peer.HANDSHAKE, peer.WITHOUT_SPAWN])
def test_any_pieces(handshake, size):
    protocol = peer.protocol()
    numbers: list = []
    stream = handshake + peer.TICK + peer.spawned(1) + peer.ended(1, Atom("return"), "x" * 300) + peer.answered(2, OK)
    events = []
    for start in range(0, len(stream), size):
        for event in protocol.receive(stream[start : start + size]):
            events.append(event)
            if isinstance(event, Connected):
                numbers += [protocol.call("m", "f", []), protocol.call("m", "f", [])]
    assert events == [Connected("n@h"), Answered(1, (Atom("return"), "x" * 300)), Answered(2, (Atom("return"), OK))]
    assert numbers == [1, 2]


def test_any_cut_in_two():
    stream = peer.HANDSHAKE + peer.TICK + peer.TICK
    for cut in range(len(stream) + 1):
        protocol = peer.protocol()
        assert protocol.receive(stream[:cut]) + protocol.receive(stream[cut:]) == [Connected("n@h")]
        assert protocol.to_send().endswith(bytes(8))


def test_call_as_erpc_does():
    protocol = connected()
    leader = Opaque("<n@h.5.0>", b"Xw\x03n@h" + struct.pack(">III", 5, 0, 9))
    assert protocol.call("lists", "reverse", ["ab"], leader=leader) == 1
    control, message = sent_terms(protocol.to_send())
    assert control == (29, peer.reference(1), peer.pid(), leader, (Atom("erpc"), Atom("execute_call"), 4), [Atom("monitor")])
    assert message == [peer.reference(1), Atom("lists"), Atom("reverse"), ["ab"]]
    assert protocol.receive(peer.spawned(1)) == []
    assert protocol.receive(peer.ended(1, Atom("return"), "ba")) == [Answered(1, (Atom("return"), "ba"))]
    assert protocol.receive(peer.ended(1, Atom("return"), "ba")) == []


def test_call_by_rex():
    protocol = connected(peer.WITHOUT_SPAWN)
    protocol.call("lists", "reverse", ["ab"])
    control, message = sent_terms(protocol.to_send())
    assert control == (6, peer.pid(), Atom(""), Atom("rex"))
    request = (Atom("call"), Atom("lists"), Atom("reverse"), ["ab"], Atom("user"))
    assert message == (Atom("$gen_call"), (peer.pid(), peer.reference(1)), request)
    assert protocol.receive(peer.answered(1, "ba")) == [Answered(1, (Atom("return"), "ba"))]


@pytest.mark.parametrize(
    ("stream", "kind", "reason", "stacktrace"),
    [
        (peer.ended(1, Atom("error"), OK, [1]), "error", OK, [1]),
        (peer.ended(1, Atom("error"), OK), "error", OK, []),
        (peer.ended(1, Atom("exit"), (1, 2)), "exit", (1, 2), []),
        (peer.ended(1, Atom("throw"), OK), "throw", OK, []),
        (peer.message((21, peer.pid(), peer.pid(), peer.reference(1), Atom("killed"))), "exit", Atom("killed"), []),
        (peer.answered(1, (Atom("badrpc"), (Atom("EXIT"), (OK, [1])))), "error", OK, [1]),
        (peer.answered(1, (Atom("badrpc"), (Atom("EXIT"), OK))), "exit", OK, []),
        (peer.answered(1, (Atom("badrpc"), Atom("nodedown"))), "exit", Atom("nodedown"), []),
    ],
)
def test_exceptions(stream, kind, reason, stacktrace):
    protocol = connected()
    protocol.call("m", "f", [])
    (answer,) = protocol.receive(stream)
    with pytest.raises(Raised) as raised:
        value_of(answer.outcome, "m:f/0")
    assert (raised.value.kind, raised.value.reason, raised.value.stacktrace) == (kind, reason, stacktrace)
    assert str(raised.value).startswith(f"m:f/0 raised {kind}:")


def test_not_spawned():
    protocol = connected()
    protocol.call("m", "f", [])
    (answer,) = protocol.receive(peer.message((31, peer.reference(1), peer.pid(), 0, Atom("system_limit"))))
    with pytest.raises(CallError, match="system_limit"):
        value_of(answer.outcome, "m:f/0")


def test_answers_to_nobody_are_passed_over():
    protocol = connected()
    number = protocol.call("m", "f", [])
    protocol.forget(number)
    strange: list = [
        peer.ended(1, Atom("return"), OK),
        peer.ended(7, Atom("return"), OK),
        peer.answered(9, OK),
        peer.message((2, Atom(""), peer.pid()), OK),
        peer.message((1, peer.pid(), peer.pid())),
        peer.message((22, peer.pid(), peer.pid()), [OK]),
        peer.message((21, peer.pid(), peer.pid(), OK, OK)),
    ]
    assert protocol.receive(b"".join(strange)) == []
    assert protocol.call("m", "f", []) == 2


def test_ticks_are_answered():
    protocol = connected()
    assert protocol.receive(peer.TICK * 3) == []
    assert protocol.to_send() == peer.TICK * 3


@pytest.mark.parametrize(
    ("stream", "error", "words"),
    [
        (peer.two(b"snot_allowed"), NameRefused, "net_kernel:allow"),
        (peer.two(b"snok"), NameRefused, "nok"),
        (peer.two(b"salive"), NameRefused, "alive"),
        (peer.two(b"sok"), NameRefused, "give names"),
        (peer.two(b"swhat"), ProtocolError, "what"),
        (peer.two(b"s\xff"), ProtocolError, "status"),
        (peer.two(b"HTTP"), ProtocolError, "status"),
        (peer.two(b""), ProtocolError, "status"),
        (peer.two(b"snamed:\x00\x07NAME1@h\x00"), ProtocolError, "status"),
        (peer.NAMED + peer.two(b"x"), ProtocolError, "challenge"),
        (peer.NAMED + peer.two(b"N"), ProtocolError, "challenge"),
        (peer.NAMED + peer.two(b"N" + bytes(17) + b"\x09n@h"), ProtocolError, "challenge"),
        (peer.NAMED + peer.challenge(node=b"n\xff"), ProtocolError, "challenge"),
        (peer.NAMED + peer.challenge(node=b"m@h"), Unreachable, "called m@h, not n@h"),
        (peer.NAMED + peer.challenge() + peer.two(b"a" + bytes(15)), ProtocolError, "acknowledgement"),
        (peer.NAMED + peer.challenge() + peer.two(b"a" + peer.digest(peer.CHALLENGE, "other")), WrongCookie, "cookie"),
        (peer.HANDSHAKE + peer.four(b"D\x83j"), ProtocolError, "type 68"),
        (peer.HANDSHAKE + peer.four(b"p"), ProtocolError, "ends too early"),
        (peer.HANDSHAKE + peer.four(b"p\x83"), ProtocolError, "ends too early"),
        (peer.HANDSHAKE + peer.four(b"p\x83a\x01"), ProtocolError, "control message"),
        (peer.HANDSHAKE + peer.four(b"p\x83h\x00"), ProtocolError, "control message"),
        (peer.HANDSHAKE + peer.four(b"p\x83h\x03a\x02jj\x83"), ProtocolError, "ends too early"),
        (peer.HANDSHAKE + struct.pack(">I", MAX_SIZE + 1), ProtocolError, "limit"),
        (peer.NAMED + peer.challenge(node=b"n" * 256), ProtocolError, "a name of 256 characters"),
        (peer.HANDSHAKE + peer.four(b"p\x83h\x01" + b"h\x01" * 250 + b"j"), ProtocolError, "nested deeper"),
    ],
)
def test_errors(stream, error, words):
    with pytest.raises(error, match=words) as raised:
        peer.protocol().receive(stream)
    assert peer.COOKIE not in str(raised.value)


def test_who_has_not_shown_a_cookie_sends_no_more_than_a_handshake_needs():
    """Over TLS, where a length has four bytes."""
    peer.protocol(prefix=4).receive(struct.pack(">I", 0xFFFF))
    with pytest.raises(ProtocolError, match="the limit is 65535"):
        peer.protocol(prefix=4).receive(struct.pack(">I", 0x10000))


def test_a_message_is_decoded_until_the_deadline():
    many = struct.pack(">I", 500_000) + b"j" * 500_001
    with pytest.raises(CallTimeout, match="could not be read in time"):
        peer.protocol().receive(peer.HANDSHAKE + peer.four(b"p\x83l" + many), deadline=time.monotonic() - 1)


@pytest.mark.parametrize("wanted", ["n", "n@h"])
def test_the_node_may_be_named_without_its_host(wanted):
    connected(expected=wanted)


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (b"", NameRefused),
        (peer.NAMED, NameRefused),
        (peer.NAMED + peer.challenge(), WrongCookie),
        (peer.HANDSHAKE, ConnectionLost),
    ],
)
def test_the_end_of_the_connection(stream, error):
    protocol = peer.protocol()
    protocol.receive(stream)
    assert protocol.closed().__class__ is error


def test_a_python_without_md5(monkeypatch):
    def forbidden(*arguments, **options):
        raise ValueError("disabled for FIPS")

    monkeypatch.setattr(_distribution_protocol.hashlib, "md5", forbidden)
    with pytest.raises(CallError, match="FIPS.*transport pipe"):
        peer.protocol().receive(peer.NAMED + peer.challenge())


def ends_cleanly(stream: bytes, protocol: Protocol) -> str:
    """Feed all, in pieces; how it ended."""
    try:
        for start in range(0, len(stream), 64):
            protocol.receive(stream[start : start + 64])
        return "went on"
    except CallError as error:
        assert str(error)
        return type(error).__name__


def test_random_streams():
    random_ = random.Random(1)
    tracemalloc.start()
    outcomes = set()
    for number in range(STREAMS):
        stream = bytes(random_.getrandbits(8) for _byte in range(random_.randrange(120)))
        # Every third gets to the status, and every third into a connection.
        if number % 3 == 0:
            stream = peer.two(b"s" + stream[:20]) + stream[20:]
            outcomes.add(ends_cleanly(stream, peer.protocol()))
        elif number % 3 == 1:
            outcomes.add(ends_cleanly(stream, peer.protocol()))
        else:
            outcomes.add(ends_cleanly(peer.four(b"p\x83" + stream[:60]) + stream[60:], connected()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
    assert outcomes == {"went on", "ProtocolError"}


def test_mutated_replies():
    random_ = random.Random(2)
    stream = peer.TICK + peer.spawned(1) + peer.ended(1, Atom("error"), (OK, "text"), [(OK, OK, 2, [])]) + peer.answered(2, (OK, [1, 2, b"3"]))
    tracemalloc.start()
    outcomes = set()
    for _number in range(STREAMS):
        changed = bytearray(stream)
        for _time in range(random_.randint(1, 5)):
            changed[random_.randrange(len(changed))] = random_.choice((random_.randrange(256), 255, 0))
        protocol = connected()
        protocol.call("m", "f", [])
        protocol.call("m", "f", [])
        outcomes.add(ends_cleanly(bytes(changed[: random_.randrange(1, len(changed) * 2)]), protocol))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
    assert outcomes == {"went on", "ProtocolError"}
