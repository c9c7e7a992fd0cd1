# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs programs of this host to their end, in a fixed environment."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import give_up_root
from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class DidNotEnd(OtpError):
    """A program was ended, because it took too long."""


def run(command: t.Sequence[str], *, timeout: float, environment: t.Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run the command in /, with no other rights than the present ones; return its exit code, and output and errors together as printable text.

    timeout: seconds. environment: beside PATH and the locale. Raises DidNotEnd, and OtpError when it cannot be run.
    """
    import subprocess  # not needed by a run that changes nothing
    import tempfile

    # A file instead of a pipe: this does not wait for a daemon that keeps its standard output.
    with tempfile.TemporaryFile() as output:
        try:
            done = subprocess.run(  # pylint: disable=ansible-bad-function
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": PATH, "LC_ALL": "C.UTF-8", **(environment or {})},
                timeout=timeout,
                check=False,
                preexec_fn=give_up_root if os.getuid() != os.geteuid() else None,
            )
        except subprocess.TimeoutExpired:
            raise DidNotEnd(f"{' '.join(command)} has not ended within {timeout:g} s.") from None
        except OSError as error:
            raise OtpError(f"cannot run {command[0]}: {error.strerror}.") from error
        output.seek(0)
        return done.returncode, printable(output.read())


def printable(data: bytes) -> str:
    """The text without control characters and surrounding space, for an error message."""
    return clean(data.decode("utf-8", "replace")).strip()
