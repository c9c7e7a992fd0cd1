# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a step of a module is told while the module runs, without secrets and for as long as it is one; what the connection returns is the same with it;
how much of a package is sent is told; nothing is told of a task with no_log, or without a display; a hostile host cannot make it long or loud.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.steps import STEP
from ansible_collections.erlang.otp.plugins.plugin_utils._live.channel import close_channel, open_channel, received
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.watched import Sent, Steps, Watched, position, reporter, watched, watched_upload
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._transport.tasks import make_action

# Says the second step when the first one was told, and ends when that was.
MODULE = f"""
import os, sys, time
def wait(name):
    end = time.monotonic() + 60
    while not os.path.exists(name):
        assert time.monotonic() < end, name
        time.sleep(0.01)
for step in ("one", "two"):
    print("junk")
    print({STEP!r} + '"' + step + '"', flush=True)
    wait(sys.argv[1] + step)
print(len(sys.stdin.buffer.read()), flush=True)
sys.exit(3)
"""


class Told(list[str]):
    """What was told; the module waits for that."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory = directory
        self.command = [sys.executable, str(directory / "module"), f"{directory}/"]
        (directory / "module").write_text(MODULE)

    def tell(self, text: str) -> None:
        self.append(text)
        (self.directory / text).touch()


@pytest.fixture(autouse=True)
def closed() -> t.Iterator[None]:
    yield
    close_channel()


def test_the_steps_of_a_module_while_it_runs(tmp_path: Path) -> None:
    told, action = Told(tmp_path), make_action()
    with watched(action, told.tell):
        result = action._low_level_execute_command(shlex.join(told.command), in_data=b"x" * 200_000)
    assert told == ["one", "two"]
    # Without it, the same is returned.
    assert result == action._low_level_execute_command(shlex.join(told.command), in_data=b"x" * 200_000)
    assert result["rc"] == 3 and result["stdout"].endswith("\n200000\n")
    assert sys.modules[type(action._connection).__module__].subprocess is subprocess  # type: ignore[attr-defined]


def test_a_plugin_that_reads_itself_as_that_of_ssh_does(tmp_path: Path) -> None:
    told = Told(tmp_path)
    with Watched(Steps(told.tell), 0, told.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        process.stdin.write(b"x")
        process.stdin.close()
        os.set_blocking(process.stdout.fileno(), False)
        output = b""
        while (data := process.stdout.read()) != b"":
            output += data or b""
            time.sleep(0.02)
    assert told == ["one", "two"] and output.endswith(b"\n1\n") and process.returncode == 3


def test_steps_in_every_chunking_and_a_hostile_host() -> None:
    line = f'junk\n{STEP}"one"\n'.encode()
    for size in range(1, len(line) + 1):
        told: list[str] = []
        steps = Steps(told.append)
        for start in range(0, len(line), size):
            steps.see(line[start : start + size])
        assert told == ["one"]
    steps = Steps(told.append)
    for data in (b"x" * 10_000_000, b"\n", STEP.encode() + b"{no json\n", STEP.encode() + b'"' + b"y" * 100_000 + b'"\n', f'{STEP}"flood"\n'.encode() * 10_000):
        steps.see(data)
        assert len(steps.rest) < 10_000
    assert told == ["one", "flood"]


def test_who_is_told_what(monkeypatch: pytest.MonkeyPatch) -> None:
    action, variables = make_action(), {"inventory_hostname": "north"}
    assert reporter(action, variables, str) is None  # no display
    channel = open_channel()
    told = reporter(action, variables, lambda text: text.replace("secret", "***"))
    assert told
    told("a secret step")
    assert received(channel) == [("north", "a *** step")]
    action._task.no_log = True
    assert reporter(action, variables, str) is None


def test_how_much_is_sent(tmp_path: Path) -> None:
    told: list[str] = []
    read, write = os.pipe()
    with os.fdopen(write, "wb") as inner, (tmp_path / "arrived").open("wb") as output, subprocess.Popen(["cat"], stdin=read, stdout=output):
        os.close(read)
        data = bytes(range(256)) * 4096
        sent = Sent(inner, len(data) - 1000, told.append)
        assert sent.write(b"short") == 5 and told == []
        assert sent.write(data) == len(data)
        inner.close()
    assert (tmp_path / "arrived").read_bytes() == b"short" + data
    assert told[0].startswith("send the package: ") and told[-1] == "send the package: 100 %" and len(told) > 10


def test_how_much_is_uploaded(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.write_bytes(bytes(1000))
    told: list[str] = []
    program = "import sys,time; file = open(sys.argv[1], 'rb', 0); file.read(340); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program, str(package)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        assert position(os.getpid(), str(package)) == 340
        with watched_upload(str(package), told.append):
            while not told:
                time.sleep(0.02)
        assert told == ["send the package: 34 %", "send the package: 100 %"]
    assert position(os.getpid(), str(package)) == -1
