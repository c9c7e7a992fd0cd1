# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node that is started and stopped; a start that fails; the last words.

Rules: a stop is SIGTERM, again and again while the emulator boots, and an error when it does not end; a node is stopped when neither an emulator
nor its heart is left, and what heart starts meanwhile is killed; a node that heart is about to start is not down; the service is stopped before
its node; what heart starts over and over is stopped; the start script runs as the node's user, with nothing of our environment; the answer of a
node that runs the system below another root directory does not count.
"""

from __future__ import annotations

import itertools
import os
import pwd
import signal
import time
import types

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._node.log_tail import last_words, slogan_of
from ansible_collections.erlang.otp.plugins.module_utils._node.service import Service, ServiceFile
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, Opaque
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import Starter, find_emulator, find_emulators

# Without a rule of the stop of a node, it waits without end.
pytestmark = pytest.mark.usefixtures("in_time")


def user():
    return pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def stays(monkeypatch):
    """An emulator that ends after so many signals, by a clock that each look at it sets forward by a quarter of a second. Returns the signals."""

    def of(signals):
        killed, looks = [], itertools.count()

        def find(root):
            assert next(looks) < 1000, "the stop goes on without end"
            return [11] if len(killed) < signals else []

        monkeypatch.setattr(_node, "find_starters", lambda root: [])
        monkeypatch.setattr(_node, "find_emulators", find)
        monkeypatch.setattr(_node, "_kill", lambda pid, number: killed.append(number))
        monkeypatch.setattr(_node, "time", types.SimpleNamespace(monotonic=itertools.count(100, 0.25).__next__, sleep=lambda seconds: None))
        return killed

    return of


def test_stop_signals_each_second_until_its_time_is_up(stays):
    killed = stays(3)
    _node.stop("/srv/x", timeout=60)
    assert killed == [signal.SIGTERM] * 3
    killed = stays(1000)
    with pytest.raises(OtpError, match="process 11, has not ended within 10 s"):
        _node.stop("/srv/x", timeout=10)
    assert len(killed) == 10


def test_stop_repeats_the_signal_that_a_booting_emulator_loses(tmp_path, emulator):
    process = emulator(tmp_path, deaf=1)
    _node.stop(str(tmp_path), timeout=600)
    assert process.wait(timeout=600) == 0


def test_stop_gives_up(tmp_path, emulator):
    process = emulator(tmp_path, deaf=3)
    with pytest.raises(OtpError, match=f"process {process.pid}, has not ended within 0.2 s"):
        _node.stop(str(tmp_path), timeout=0.2)


def test_a_start_script_that_refuses_is_quoted(tmp_path, monkeypatch):
    monkeypatch.setenv("FOREIGN", "of ours")
    script = tmp_path / "bin" / "start"
    script.parent.mkdir()
    script.write_text('#!/bin/sh\necho "no, $HOME $EXTRA$FOREIGN $(pwd)"\nexit 3\n')
    script.chmod(0o755)
    node = _node.Node(root=str(tmp_path), user=user(), home="/nowhere", log_directory=str(tmp_path), environment={"EXTRA": "more"})
    with pytest.raises(OtpError, match="ended with code 3: no, /nowhere more /$"):
        _node.start(node)


def test_a_missing_start_script_and_a_missing_user(tmp_path):
    node = _node.Node(root=str(tmp_path), user=user(), home="/", log_directory=str(tmp_path))
    with pytest.raises(OtpError, match="cannot run .*/bin/start: No such file"):
        _node.start(node)
    with pytest.raises(OtpError, match="the user 'nobody knows' does not exist"):
        _node.start(node._replace(user="nobody knows"))


def test_a_node_that_ends_at_once_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(_node, "GONE", 0.2)
    (tmp_path / "erlang.log.1").write_text("before\n")
    node = _node.Node(root=str(tmp_path), user=user(), home="/", log_directory=str(tmp_path))
    with pytest.raises(OtpError, match="has ended right after its start. The end of .*erlang.log.1:\nbefore"):
        _node.wait_until_answering(node, timeout=600)


def test_a_node_that_is_not_distributed_has_started_when_it_stays(tmp_path, emulator, monkeypatch):
    monkeypatch.setattr(_node, "SETTLED", 0.2)
    process = emulator(tmp_path)
    node = _node.Node(root=str(tmp_path), user=user(), home="/", log_directory=str(tmp_path))
    assert _node.wait_until_answering(node, timeout=600) == (process.pid, None)


def test_last_words(tmp_path):
    assert last_words(str(tmp_path)) == f"{tmp_path} contains no log."
    (tmp_path / "erlang.log.1").write_text("old\n")
    os.utime(tmp_path / "erlang.log.1", (1, 1))
    lines = "".join(f"line {number}\r\n" for number in range(100))
    (tmp_path / "erlang.log.2").write_text(f"{lines}\n===== ALIVE Sat\n\x1b[1mlast\x1b[0m \x07words αβ\n")
    said = last_words(str(tmp_path))
    assert said.endswith("line 99\nlast words αβ")
    assert "line 80" not in said and "old" not in said and str(tmp_path / "erlang.log.2") in said


def test_the_reason_of_a_failed_start_is_not_pushed_out(tmp_path):
    starts = [f"\n=====\n===== LOGGING STARTED Sun\n=====\n{words}\n" for words in ("older", "the reason\n" + "at line\n" * 13, "up again\n" * 14)]
    (tmp_path / "erlang.log.1").write_text("".join(starts))
    assert last_words(str(tmp_path), starts=2).split("\n")[1:] == ["the reason", *["at line"] * 13, *["up again"] * 14]
    assert "the reason" not in last_words(str(tmp_path))


def test_the_slogan_of_a_crash_dump_that_is_not_older(tmp_path):
    dump = tmp_path / "erl_crash.dump"
    dump.write_text("=erl_crash_dump:0.5\nSat Nov 21\nSlogan: Kernel pid terminated (application_controller)\nmore\n")
    assert slogan_of(str(dump)) == "Kernel pid terminated (application_controller)"
    assert "erl_crash.dump: Kernel pid terminated" in last_words(str(tmp_path), since=time.time() - 60)
    assert "The slogan of" not in last_words(str(tmp_path), since=time.time() + 60)


def kill(process):
    process.kill()
    process.wait()


def test_a_node_is_stopped_when_nothing_starts_it_again(tmp_path, emulator, heart):
    first = emulator(tmp_path)
    starting = heart(tmp_path, first.pid)
    kill(first)
    _node.stop(str(tmp_path), timeout=600)
    assert starting.poll() == -signal.SIGKILL and find_emulators(str(tmp_path)) == []


def test_a_heart_outlives_its_emulator_that_stops(monkeypatch):
    killed = []
    monkeypatch.setattr(_node, "_kill", lambda pid, number: killed.append((pid, number)))
    starters = [Starter("heart", 1, 11), Starter("heart", 2, 12), Starter("script", 3), Starter("run_erl", 4)]
    _node._end_starters(starters, {11}, [11, 13])
    assert killed == [(2, signal.SIGKILL), (3, signal.SIGKILL)]
    _node._end_starters(starters[3:], set(), [])
    assert killed[2:] == [(4, signal.SIGCHLD)]


def test_what_comes_up_meanwhile_is_killed(tmp_path, emulator, monkeypatch):
    late, found = emulator(tmp_path, deaf=3), []
    monkeypatch.setattr(_node, "find_emulators", lambda root: found.append(find_emulators(root)) or (found[-1] if len(found) > 1 else []))
    _node.stop(str(tmp_path), timeout=600)
    assert late.wait(timeout=600) == -signal.SIGKILL


def test_a_node_that_heart_is_about_to_start_is_not_down(tmp_path, emulator, heart, monkeypatch):
    assert _node.find_settled(str(tmp_path)) is None
    first = emulator(tmp_path)
    starting = heart(tmp_path, first.pid)
    kill(first)
    assert _node.find_settled(str(tmp_path)) not in (None, first.pid)
    starting.send_signal(signal.SIGSTOP)
    while left := find_emulators(str(tmp_path)):
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    monkeypatch.setattr(_node, "DECIDED", 0.1)
    with pytest.raises(OtpError, match=f"heart .process {starting.pid}. may start one: wait for it, or stop the node"):
        _node.find_settled(str(tmp_path))


@pytest.mark.parametrize("stops", [True, False])
def test_a_node_that_is_started_over_and_over_is_stopped_where_it_may_be(tmp_path, emulator, heart, monkeypatch, stops):
    first = emulator(tmp_path)
    starting, seen = heart(tmp_path, first.pid), set()

    def ends_at_once(root):
        found = find_emulator(root)
        if found and len(seen | {found}) < 3:
            seen.add(found)
            os.kill(found, signal.SIGKILL)
        return found

    monkeypatch.setattr(_node, "find_emulator", ends_at_once)
    node = _node.Node(root=str(tmp_path), user=user(), home="/", log_directory=str(tmp_path))
    with pytest.raises(OtpError, match="does not stay up"):
        _node.wait_until_answering(node, timeout=600, stops=stops)
    assert bool(find_emulators(str(tmp_path))) != stops
    _node.stop(str(tmp_path), timeout=600)
    assert starting.wait(timeout=600) == -signal.SIGKILL and find_emulators(str(tmp_path)) == []


def test_the_service_is_stopped_before_its_node(tmp_path, emulator):
    process = emulator(tmp_path)
    script = tmp_path / "S80node"
    script.write_text(f"#!/bin/sh\nkill -0 {process.pid} && echo $1 > {tmp_path}/asked\n")
    script.chmod(0o755)
    service = Service("sysv", "node", True, (ServiceFile(str(script), "", 0o755),))
    _node.halt(_node.Node(root=str(tmp_path), user=user(), home="/", log_directory=str(tmp_path), service=service))
    assert (tmp_path / "asked").read_text() == "stop\n" and process.wait(timeout=600) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_program_runs_as_the_user_with_its_groups_alone(tmp_path):
    node = _node.Node(root=str(tmp_path), user="nobody", home="/", log_directory=str(tmp_path))
    nobody = pwd.getpwnam("nobody")
    assert _node.run_as_user(node, ["id", "-u"], timeout=600) == (0, str(nobody.pw_uid))
    assert _node.run_as_user(node, ["id", "-G"], timeout=600) == (0, " ".join(map(str, os.getgrouplist("nobody", nobody.pw_gid))))


class Answering:
    """A connection to a node that runs the system below this root directory. No cookie and no socket: they are tested elsewhere."""

    node = "n@localhost"

    def __init__(self, root):
        self.root = root

    def __enter__(self):
        return self

    def __exit__(self, *dummy):
        pass

    def call(self, module, function, arguments, *, timeout):
        if (module, function) == ("erl_eval", "exprs"):
            return Atom("value"), ("1", Opaque("<0.1.0>", b"x"), Atom("started"), [], Atom("none"), "", self.root, "")
        return Atom("ok"), []


def test_an_answer_of_the_system_below_another_root_is_not_this_nodes(tmp_path, monkeypatch):
    node = _node.Node(root=str(tmp_path / "here"), user=user(), home="/", log_directory=str(tmp_path), name="n@localhost")
    (tmp_path / "here").mkdir()
    monkeypatch.setattr(_node, "connect", lambda address, timeout: Answering(str(tmp_path / "here")))
    assert _node.ask(node).status == "started"
    monkeypatch.setattr(_node, "connect", lambda address, timeout: Answering(str(tmp_path / "there")))
    with pytest.raises(_node.NoAnswer, match="there. Give one"):
        _node.ask(node)
