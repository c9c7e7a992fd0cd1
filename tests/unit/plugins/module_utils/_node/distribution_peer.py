# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node says in the distribution protocol, as bytes, and what we say to it."""

from __future__ import annotations

import hashlib
import struct

from ansible_collections.erlang.otp.plugins.module_utils._node.distribution_protocol import FLAGS, SPAWN, Protocol
from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import encode
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, Opaque

COOKIE = "secret"
CHALLENGE = 0x01020304  # ours
CREATION = 0x0A0B0C0D
THEIR_CHALLENGE = 0xFFFFFFFE
NAME = b"NAME1@h"
NODE = b"n@h"


def protocol(**options) -> Protocol:
    return Protocol(**{"expected": "n@h", "name": "h", "cookie": COOKIE, "challenge": CHALLENGE, "creation": CREATION, **options})


def two(message: bytes) -> bytes:
    return struct.pack(">H", len(message)) + message


def four(message: bytes) -> bytes:
    return struct.pack(">I", len(message)) + message


def digest(challenge: int, cookie: str = COOKIE) -> bytes:
    return hashlib.md5((cookie + str(challenge)).encode()).digest()


NAMED = two(b"snamed:\x00\x07" + NAME + b"\x00\x00\x00\xff")


def challenge(flags: int = FLAGS, node: bytes = NODE) -> bytes:
    return two(struct.pack(">cQIIH", b"N", flags, THEIR_CHALLENGE, 5, len(node)) + node)


def old_challenge(flags: int = FLAGS & 0xFFFFFFFF, node: bytes = NODE) -> bytes:
    return two(struct.pack(">cHII", b"n", 5, flags, THEIR_CHALLENGE) + node)


ACKNOWLEDGEMENT = two(b"a" + digest(CHALLENGE))
HANDSHAKE = NAMED + challenge() + ACKNOWLEDGEMENT
WITHOUT_SPAWN = NAMED + challenge(FLAGS & ~SPAWN) + ACKNOWLEDGEMENT
TICK = bytes(4)


def reference(number: int) -> Opaque:
    """That of our call, as the node gives it back."""
    external = b"Z\x00\x03w\x07" + NAME + struct.pack(">IIII", 255, number, 0, 0)
    return Opaque(f"#Ref<{NAME.decode()}.0.0.{number}>", external)


def pid() -> Opaque:
    return Opaque("<NAME1@h.1.0>", b"Xw\x07" + NAME + struct.pack(">III", 1, 0, 255))


def message(control: tuple, payload=None) -> bytes:
    return four(b"p" + encode(control) + (b"" if payload is None else encode(payload)))


def spawned(number: int) -> bytes:
    theirs = Opaque("<n@h.9.0>", b"Xw\x03" + NODE + struct.pack(">III", 9, 0, 5))
    return message((31, reference(number), pid(), 2, theirs))


def ended(number: int, *outcome) -> bytes:
    """The process that executed the call ends with its outcome."""
    return message((21, pid(), pid(), reference(number), (reference(number), *outcome)))


def answered(number: int, value) -> bytes:
    """The answer of rex."""
    return message((2, Atom(""), pid()), (reference(number), value))
