# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How tests wait: for a fact, never for a number of seconds. A busy machine makes a test slow, and does not make it fail.

The limits here only end a test that hangs. Ports are reserved, so that no other test and no outgoing connection takes them.
"""

from __future__ import annotations

import errno
import random
import socket
import subprocess
import time
import typing as t
from pathlib import Path

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

LIMIT = 600.0  # Seconds. What takes longer hangs.
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_reserved: list[socket.socket] = []


def wait_until(fact: t.Callable[[], t.Any], what: str, *, running: subprocess.Popen | None = None) -> t.Any:
    """What the fact returns when it is true; a fact that raises OSError or OtpError is not true yet.

    what: the fact in words, for the failure. running: a process without which the fact cannot come true any more.
    """
    deadline = time.monotonic() + LIMIT
    while True:
        # Asked first: a process may have made the fact true, and ended.
        is_possible = running is None or running.poll() is None
        try:
            found, reason = fact(), ""
        except (OSError, OtpError) as error:
            found, reason = None, f": {error}"
        if found:
            return found
        assert is_possible, f"the process has ended, and not: {what}{reason}"
        assert time.monotonic() < deadline, f"not within {LIMIT:.0f} s: {what}{reason}"
        time.sleep(0.02)


def free_port() -> int:
    """A TCP port that is this process's until it ends, though it need not listen on it yet.

    It is below those that the kernel gives to outgoing connections and to those who ask for any. A name in the abstract name space, which
    belongs to the network as ports do, tells other tests that it is taken.
    """
    first = int(RANGE.read_text().split()[0])
    # The demo's own are below.
    for port in random.sample(range(21000, first), first - 21000):
        with socket.socket() as probe:
            mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                mark.bind(f"\0erlang-otp-test-port-{port}")
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("", port))
            except OSError as error:
                mark.close()
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                _reserved.append(mark)
                return port
    raise AssertionError("no port is free")
