# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that look like emulators, and like the heart of one; a limit for what may not end."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

# Ready when it says so, and from then on ended by the first SIGTERM, or by the second one as an emulator that boots.
PROGRAM = """
import signal, sys, time
deaf = int(sys.argv[1])
def told(*_):
    global deaf
    deaf -= 1
    if deaf < 0:
        sys.exit(0)
signal.signal(signal.SIGTERM, told)
print("ready", flush=True)
while True:
    time.sleep(10)
"""


@pytest.fixture
def emulator(tmp_path):
    """Starts processes that look like emulators of a root directory, and ends them."""
    started = []

    def start(root, *arguments, deaf=0):
        command = [sys.executable, "-c", PROGRAM, str(deaf), "-root", str(root), "-bindir", "x", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


# Starts another emulator when the last one has ended. It forks for nothing else, as its fork looks like another heart until it becomes a program.
HEART = """
emulator=$1
echo ready
while read -r dummy; do
    found=
    while read -r line || [ -n "$line" ]; do
        case $line in *root*) found=1 ;; esac
    done 2>/dev/null </proc/$emulator/cmdline
    [ -n "$found" ] || {
        "$2" -c "$3" 0 -root "$4" >/dev/null &
        emulator=$!
    }
done
"""


@pytest.fixture
def heart():
    """Starts processes that look like heart, with the environment that bin/start and erlexec give them, and ends them."""
    started = []

    def start(root, emulator, **variables):
        arguments = ["heart", "-c", HEART, "-pid", str(emulator), sys.executable, PROGRAM, str(root)]
        environment = {"PATH": "/usr/bin:/bin", "ROOTDIR": str(root), **variables}
        clock = subprocess.Popen(["sh", "-c", "while sleep 0.02; do echo; done"], stdout=subprocess.PIPE)
        process = subprocess.Popen(arguments, executable="/bin/sh", env=environment, stdin=clock.stdout, stdout=subprocess.PIPE)
        started.extend((clock, process))
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def in_time():
    """A test of code that may wait without end fails after a minute, far more than it needs, and does not hang the run."""

    def give_up(*_):
        pytest.fail("not ended within a minute")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
