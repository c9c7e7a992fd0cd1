# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""boot.py MASTER ERTS FILE: what a boot server gives to this host: its size, or nothing."""

from __future__ import annotations

import socket
import struct
import sys

# The question of erl_prim_loader, and the beginning of an answer, by UDP; then a request by TCP, a term with its length before it.
QUESTION, ANSWER, PORT = b"EBOOTQ", b"EBOOTR", 4368

master, erts, path = sys.argv[1:]
asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asked.settimeout(1)
asked.sendto(QUESTION + erts.encode(), (master, PORT))
try:
    answer = asked.recv(100)
except TimeoutError:
    print("nothing")
    sys.exit()
assert answer.startswith(ANSWER), answer
line = socket.create_connection((master, struct.unpack(">H", answer[7:9])[0]), timeout=5)
name = path.encode()
# {get, "path"}
request = b"\x83h\x02d\x00\x03getk" + struct.pack(">H", len(name)) + name
line.sendall(struct.pack(">I", len(request)) + request)
print(struct.unpack(">I", line.recv(4, socket.MSG_WAITALL))[0])
