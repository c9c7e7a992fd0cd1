# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a program of a box that goes on for too long, or sends too much, is ended with the process of its connection; what else this process
has started goes on; the error says which limit it was, and other errors stay as they are.
"""

from __future__ import annotations

import subprocess
import time
import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._box import limits as _limits
from ansible_collections.erlang.otp.plugins.plugin_utils._box.limits import MAX_GROWTH, bounded


def output_of(*command: str) -> bytes:
    """As a connection plugin runs ssh: all output is collected."""
    return subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout


@pytest.fixture
def other() -> t.Iterator[subprocess.Popen]:
    process = subprocess.Popen(["sleep", "600"])
    # The kernel counts the start of a process in hundredths of a second.
    time.sleep(0.05)
    yield process
    process.kill()
    process.wait()


def test_a_program_that_does_not_end_is_ended(other: subprocess.Popen) -> None:
    with pytest.raises(OtpError, match=r"has not ended inspect.sh within 1 s, so the connection was closed"), bounded("inspect.sh", 1.0):
        output_of("sleep", "60")
    assert other.poll() is None


def test_a_program_that_sends_without_end_is_ended(other: subprocess.Popen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_limits, "MAX_GROWTH", MAX_GROWTH // 3)
    with pytest.raises(OtpError, match="the box sent more than 8 MiB"), bounded("inspect.sh", 600.0):
        output_of("head", "-c", "400000000", "/dev/zero")
    assert other.poll() is None


def test_the_error_of_a_connection_that_was_closed_says_why() -> None:
    with pytest.raises(OtpError, match="has not ended"), bounded("inspect.sh", 0.2):
        output_of("sleep", "60")
        raise RuntimeError("the connection broke")


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="broke"), bounded("inspect.sh", 600.0):
        raise RuntimeError("the connection broke")
    with bounded("inspect.sh", 600.0):
        assert output_of("echo") == b"\n"
