# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A named pipe in the place of a file: what opens and reads it as a file gets what somebody feeds into it, and the test sees that, without a wait."""

from __future__ import annotations

import contextlib
import os
import threading

CONTENT = b"fed-into-the-pipe"


def make_fed_pipe(path) -> None:
    def feed() -> None:
        # It waits until the pipe is opened to be read. What finds that it is not a file has closed it again.
        with contextlib.suppress(OSError), open(path, "wb", buffering=0) as pipe:
            pipe.write(CONTENT)

    os.mkfifo(path, 0o400)
    threading.Thread(target=feed, daemon=True).start()
