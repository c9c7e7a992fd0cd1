# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""stuck_line.py HOST PORT MARK: an ssh ProxyCommand over which 2 MB go, and the rest when the file MARK, which it makes then, is gone."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from pathlib import Path

FREE = 2 << 20


def answers(line: socket.socket) -> None:
    while block := line.recv(1 << 16):
        os.write(1, block)
    os._exit(0)


host, port, mark = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
line = socket.create_connection((host, port))
threading.Thread(target=answers, args=(line,), daemon=True).start()
passed = 0
while block := os.read(0, 1 << 16):
    line.sendall(block)
    passed += len(block)
    if passed - len(block) < FREE <= passed:
        mark.touch()
        while mark.exists():
            time.sleep(0.05)
