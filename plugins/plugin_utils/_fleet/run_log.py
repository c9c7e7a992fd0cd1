# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every run leaves on the controller: a line of JSON in a file, for those who ask later who did what, and with what outcome."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import cleaned

# Another number with each change that breaks those who read the file.
SCHEMA = 1
OF_A_HOST = ("host", "before", "now", "outcome", "reason", "seconds")


def record_of(hosts: t.Iterable[t.Mapping[str, t.Any]], *, is_well: bool, time: str, operator: str, run: str, playbooks: t.Sequence[str]) -> dict[str, t.Any]:
    """The record of a run. hosts: ``report`` of the filters upgrade_state and deploy_state. What is not known is None."""
    return cleaned(
        {
            "schema": SCHEMA,
            "time": time,
            "operator": operator,
            "run": run,
            "playbooks": list(playbooks),
            "outcome": "ok" if is_well else "failed",
            "hosts": [{key: None if host.get(key) == "" else host.get(key) for key in OF_A_HOST} for host in hosts],
        }
    )


def append(path: str, record: t.Mapping[str, t.Any]) -> None:
    """Append the record to the file, as a line that no other run is written into. Raises OtpError if that is not possible."""
    line = f"{json.dumps(record, ensure_ascii=False)}\n".encode("utf-8", "replace")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
        with open(descriptor, "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, "Not a file")
            size = found.st_size
            # A full disk has cut off the last line.
            whole = not size or os.pread(descriptor, 1, size - 1) == b"\n"
            file.write(line if whole else b"\n" + line)
    except OSError as error:
        raise OtpError(
            f"otp_run_log: the run cannot be recorded in {path}: {error.strerror}. Give a file that you can write, or an empty text for none."
        ) from error
