# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of modules, from the processes in which Ansible runs tasks to the one that shows them: datagrams of a pair of sockets.

Ansible forks for each task, so a process has the socket if the callback plugin ``fleet`` opened it before. A datagram that does not fit is lost: no
task waits for the display.
"""

from __future__ import annotations

import contextlib
import json
import socket

_pair: list[socket.socket] = []


def open_channel() -> socket.socket:
    """What the steps are received from."""
    close_channel()
    _pair[:] = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for end in _pair:
        end.setblocking(False)
    return _pair[0]


def close_channel() -> None:
    while _pair:
        _pair.pop().close()


def is_open() -> bool:
    """Whether steps are shown."""
    return bool(_pair)


def report_step(host: str, text: str) -> None:
    """Show what is done for this host of the inventory."""
    with contextlib.suppress(OSError, IndexError):
        _pair[1].send(json.dumps([host, text]).encode())


def received(channel: socket.socket) -> list[tuple[str, str]]:
    """The hosts and texts that have arrived."""
    found = []
    with contextlib.suppress(OSError):
        while True:
            host, text = json.loads(channel.recv(1 << 16))
            found.append((host, text))
    return found
