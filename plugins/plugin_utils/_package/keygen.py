# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ssh-keygen -Y, which signs and verifies files (ssh-keygen(1); PROTOCOL.sshsig of OpenSSH).

A package goes through its standard input, and is summed up on the way: what is signed or verified are the very bytes that have the digest.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import open_file
from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean

# A signature for something else, such as a commit, does not count for a package.
NAMESPACE = "erlang.otp"
# Seconds. A hardware token waits for a touch.
PATIENCE = 300
# Errors of one that does not know the operation.
TOO_OLD = ("Unsupported operation for -Y", "option -- Y", "option -- 'Y'")


class Answer(t.NamedTuple):
    """found: what it printed. reported: its errors, which may quote names in files. sha256: of the package that it read."""

    is_well: bool
    found: str
    reported: str
    sha256: str


def keygen(operation: str, *arguments: str, package: str | None = None) -> Answer:
    """Run ``ssh-keygen -Y operation``. For a passphrase it asks the program of SSH_ASKPASS alone. Raises OtpError and OSError."""
    return _run("-Y", operation, *arguments, package=package)


def fingerprint_of(key: str) -> str:
    """Of a key in a file, private or public; empty if it cannot be read without a passphrase, or at all."""
    words = _run("-l", "-f", key).found.split()
    return words[1] if len(words) > 1 else ""


def _run(*arguments: str, package: str | None = None) -> Answer:
    digest, is_heard = hashlib.sha256(), True
    try:
        # In a session without a terminal: Ansible has it, and a question would never be seen.
        process = subprocess.Popen(
            ["ssh-keygen", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
            start_new_session=True,
        )
    except OSError as error:
        raise OtpError(f"signatures of packages need ssh-keygen of OpenSSH 8.2 or newer on the controller, which cannot be run: {error.strerror}.") from error
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    try:
        with process:
            if package is not None and process.stdin:
                with open_file(package, buffering=0) as file:
                    while block := file.read(1 << 18):
                        digest.update(block)
                        if is_heard:
                            try:
                                process.stdin.write(block)
                            except BrokenPipeError:
                                is_heard = False
            found, reported = (output.decode("utf-8", "replace") for output in process.communicate())
    finally:
        timer.cancel()
    if any(text in reported for text in TOO_OLD):
        raise OtpError("signatures of packages need ssh-keygen of OpenSSH 8.2 or newer on the controller, and the one on PATH is older: ssh -V shows which.")
    return Answer(process.returncode == 0 and is_heard, clean(found), clean(" ".join(reported.split())), digest.hexdigest())
