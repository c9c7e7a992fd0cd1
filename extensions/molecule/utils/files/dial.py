# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""dial.py HOST COMMAND...: what the exchange of a host answers, a line for each command; tried until it answers, for ten minutes."""

from __future__ import annotations

import socket
import sys
import time


def dial(host: str, commands: list[str]) -> list[str]:
    with socket.create_connection((host, 7100), 600) as connection, connection.makefile("rw") as line:
        answers = []
        for command in commands:
            line.write(command + "\n")
            line.flush()
            answers.append(line.readline().strip())
        return answers


deadline = time.monotonic() + 600
while True:
    try:
        print("\n".join(dial(sys.argv[1], sys.argv[2:])))
        break
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.1)
