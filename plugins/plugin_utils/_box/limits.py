# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much a box may say, and for how long: the controller's memory and time do not depend on what a box sends."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError

# Bytes of one answer; of an inspection that is unpacked; of one small file of a box, such as sys.config.
MAX_OUTPUT = 8 << 20
MAX_INSPECTION = 64 << 20
MAX_FILE = 4 << 20
# Files and directories, and bytes of one path.
MAX_NAMES = 100_000
MAX_PATH = 1024
# Seconds for one program, and bytes a second at least of what it is sent.
PATIENCE = 900.0
MIN_RATE = 500
# Bytes by which this process may grow meanwhile: an answer is there several times, as bytes, text and lines.
MAX_GROWTH = 96 << 20
_TICK = 0.05


@contextlib.contextmanager
def bounded(what: str, seconds: float) -> t.Iterator[None]:
    """What runs within the context ends when it has taken so long, or so much memory. Raises OtpError then.

    Connection plugins of Ansible collect all output of a program. So the processes that were started meanwhile, such as ssh, are ended.
    """
    before, begin = _peak(), _now()
    ended, reasons = threading.Event(), [""]

    def watch() -> None:
        deadline = time.monotonic() + seconds
        while not ended.wait(_TICK):
            if _peak() - before > MAX_GROWTH:
                reasons[0] = f"the box sent more than {MAX_OUTPUT >> 20} MiB"
            elif time.monotonic() > deadline:
                reasons[0] = f"the box has not ended {what} within {seconds:.0f} s"
            if reasons[0]:
                for pid in _children(begin):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except Exception:
        # The connection may have failed because it was ended.
        if not reasons[0]:
            raise
    finally:
        ended.set()
        watcher.join()
    if reasons[0]:
        raise OtpError(f"{reasons[0]}, so the connection was closed. Look at the box: it is broken, or it was tampered with.")


def _peak() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _now() -> float:
    """Seconds since boot."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _children(since: float) -> list[int]:
    """The processes that this process has started since then. Without /proc: all that it has started."""
    if not os.path.isdir("/proc/self"):
        shown = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
        return [int(line.split()[0]) for line in shown.splitlines() if line.split()[1:] == [str(os.getpid())]]
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
            # From the third field on: proc(5).
            fields = file.read().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid() and int(fields[19]) >= int(since * os.sysconf("SC_CLK_TCK")):
                found.append(int(name))
    return found
