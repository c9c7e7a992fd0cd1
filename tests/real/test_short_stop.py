# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A restart that does not wait for user: what the applications write as they end is in the log all the same."""

from __future__ import annotations

import re
import typing as t

import pytest
from handler_site import Releases, System
from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import evaluate, shorten_stop

LINES = 300
# Writes without waiting, once the applications of the release are being stopped.
WRITER = """
erlang:spawn(fun() ->
    Application = erlang:monitor(process, counter_sup),
    receive {'DOWN', Application, process, _, _} -> ok end,
    [user ! {io_request, self(), Number, {put_chars, unicode, io_lib:format("late line ~b~n", [Number])}} || Number <- lists:seq(1, LINES)]
end).
"""


@pytest.fixture
def system(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[System]:
    with System(Releases(tmp_path_factory.mktemp("releases"))) as system:
        yield system.start()


def waiting(system: System) -> int:
    """How many processes of the node wait to shorten its stop."""
    question = "length([Process || Process <- processes(), {current_function, {prim_eval, 'receive', 2}} =:= process_info(Process, current_function)])."
    with system.connect() as node:
        return evaluate(node, question, timeout=LIMIT)


def test_what_is_written_last_is_in_the_log(system: System) -> None:
    with system.connect() as node:
        evaluate(node, WRITER.replace("LINES", str(LINES)), timeout=LIMIT)
    said = system.take("RESTARTS", "permanent", allow_restart=True)
    assert said["restarted"] and system.statuses() == {"RESTARTS": "permanent", "FIRST": "old"}
    text = "".join(path.read_text(errors="replace") for path in sorted(system.logs.glob("erlang.log.*")))
    assert [int(number) for number in re.findall(r"late line (\d+)", text)] == list(range(1, LINES + 1))


def test_it_waits_for_a_stop_and_touches_nothing_before(system: System) -> None:
    pid = system.pid
    with system.connect() as node:
        shorten_stop(node, timeout=LIMIT)
        children = evaluate(node, "[Id || {Id, Pid, _, _} <- supervisor:which_children(kernel_sup), is_pid(Pid)].", timeout=LIMIT)
    assert waiting(system) == 1 and "user" in [child.name for child in children]
    system.take("SECOND", "permanent")
    assert system.pid == pid and waiting(system) == 1
