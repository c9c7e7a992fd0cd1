# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node is stopped when nothing starts it again: one that crashes at each boot, and that heart starts over and over."""

from __future__ import annotations

import os
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from handler_site import Releases, System, keepers
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator

# Seconds: heart has started the node again long before.
AGAIN = 2.0
WAYS = {"module": [], "sh": ["sh"], "busybox": ["busybox", "ash"]}


@pytest.fixture(scope="module")
def crashing(releases: Releases) -> t.Iterator[System]:
    with System(releases, flags=["-s", "nosuchmodule"]) as system:
        yield system


def another(system: System, before: int | None) -> int:
    """The process of an emulator that is not the one before."""
    return wait_until(lambda: {find_emulator(system.root)} - {before, None}, "heart has started an emulator").pop()


@pytest.mark.parametrize(("way", "moment"), [*zip(WAYS, (0.2, 0.3, 0.1))])
def test_a_node_that_heart_starts_over_and_over_is_stopped(crashing: System, way: str, moment: float) -> None:
    # By hand, from a directory of the caller's.
    subprocess.run([f"{crashing.root}/bin/start"], cwd="/tmp", check=True)
    first = another(crashing, None)
    wait_until(lambda: os.readlink(f"/proc/{first}/cwd") == crashing.root, "the emulator is in its root directory")
    another(crashing, first)
    time.sleep(moment)
    command = WAYS[way]
    if not command:
        _node.stop(crashing.root)
    else:
        done = subprocess.run([*command, f"{crashing.root}/bin/stop"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT, check=False)
        assert (done.returncode, done.stdout) == (0, "")
    assert find_emulator(crashing.root) is None and not keepers(crashing.root)
    noted = Path(crashing.root, "run/emulator.pid").read_text()
    time.sleep(AGAIN)
    assert find_emulator(crashing.root) is None and Path(crashing.root, "run/emulator.pid").read_text() == noted
