# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a run that only reads sends nothing, whatever happened to its copy; outside of the system, root makes the init script, and what is in
directories that only root can change, unless a new directory of the user is above it.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._box.box import Box, BoxTarget
from ansible_collections.erlang.otp.plugins.plugin_utils._box.inspection import Entry, Inspection
from ansible_collections.erlang.otp.plugins.plugin_utils._box.modules import run_on_box
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._transport.tasks import make_action

HOME, COOKIE, LOG, RUN, PIPE = "/var/lib/exchange", "/var/lib/exchange/.erlang.cookie", "/var/log/exchange", "/run/exchange", "/run/exchange/pipe"
SCRIPT = "/etc/init.d/S80exchange"


class Action:
    """The part of an action that Shell uses; it notes the commands."""

    def __init__(self) -> None:
        self.commands: list[str] = []

    def _low_level_execute_command(self, command: str, in_data: bytes) -> dict[str, t.Any]:
        self.commands.append(command)
        return {"rc": 0, "stdout": "", "stderr": ""}


def box_of(directory: Path, *, writes: bool = True) -> tuple[Box, Action]:
    action = Action()
    target = BoxTarget("/srv/exchange", PIPE, "exchange", SCRIPT, (HOME, COOKIE, LOG, RUN, PIPE, "/etc/init.d", SCRIPT), writes=writes)
    box = Box(action, target, str(directory))  # type: ignore[arg-type]
    box._fill(Inspection(free=1 << 40))
    (directory / "srv/exchange/bin").mkdir(parents=True)
    (directory / "srv/exchange/bin/start").write_bytes(b"new")
    return box, action


@pytest.mark.parametrize("writes", [True, False])
def test_a_run_that_reads_sends_nothing(tmp_path: Path, writes: bool) -> None:
    box, action = box_of(tmp_path, writes=writes)
    assert box.send_changes() is writes
    assert len(action.commands) == writes


def test_who_makes_what_is_outside(tmp_path: Path) -> None:
    box, _action = box_of(tmp_path)
    everything = {HOME, COOKIE, LOG, RUN, PIPE, "/etc/init.d", SCRIPT}
    box.inspection.guarded = everything
    assert box._host_owners() == {HOME: "user", LOG: "user", RUN: "user", "/etc/init.d": "root", SCRIPT: "root"}
    directory = Entry("d", 0o755, 0, 0, 0, "")
    box.inspection.entries = {HOME: directory, "/etc/init.d": directory}
    assert box._host_owners()[COOKIE] == "user", "the home belongs to root and stays so"
    box.inspection.guarded = set()
    assert box._host_owners() == {"/etc/init.d": "root", SCRIPT: "root"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"remote_src": True}, "remote_src is not supported for a host without Python (otp_box): package must be a file on the controller."),
        ({"state": "absent", "root": "/srv/x"}, "a system is not removed from a box without Python (otp_box): stop the node, and remove /srv/x"),
    ],
)
def test_what_a_box_cannot_do(options: dict[str, t.Any], message: str) -> None:
    variables = {"otp_pipe_dir": "/run/x", "otp_user": "root"}
    assert run_on_box(make_action(), "otp_target_system", options, variables, None)["msg"].startswith(message)
