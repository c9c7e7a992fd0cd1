# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node that is started and stopped; a start that fails; the last words.

Rules: a stop is SIGTERM, again and again while the emulator boots, and an error when it does not end; with quiet, a stop goes on until nothing
has started again; the service is stopped before its node; what heart starts over and over is stopped; the start script runs as the node's
user, with nothing of our environment; the answer of a node that runs the system below another root directory does not count.
"""

from __future__ import annotations

import os
import pwd
import signal
import time

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._node.log_tail import last_words, slogan_of
from ansible_collections.erlang.otp.plugins.module_utils._node.service import Service, ServiceFile
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, Opaque


def user():
    return pwd.getpwuid(os.getuid()).pw_name


def test_stop_repeats_the_signal_that_a_booting_emulator_loses(tmp_path, emulator):
    process = emulator(tmp_path, deaf=1)
    assert _node.stop(str(tmp_path), timeout=600) is True
    assert process.wait(timeout=600) == 0
    assert _node.stop(str(tmp_path)) is False


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


def test_the_slogan_of_a_crash_dump_that_is_not_older(tmp_path):
    dump = tmp_path / "erl_crash.dump"
    dump.write_text("=erl_crash_dump:0.5\nSat Nov 21\nSlogan: Kernel pid terminated (application_controller)\nmore\n")
    assert slogan_of(str(dump)) == "Kernel pid terminated (application_controller)"
    assert "erl_crash.dump: Kernel pid terminated" in last_words(str(tmp_path), since=time.time() - 60)
    assert "The slogan of" not in last_words(str(tmp_path), since=time.time() + 60)


class Heart:
    """Starts an emulator when one is looked for and none runs, so many times."""

    def __init__(self, root, emulator, monkeypatch, times):
        self.root, self.emulator, self.times = root, emulator, times
        self.find = _node.find_emulator
        self.started = [emulator(root)]
        monkeypatch.setattr(_node, "find_emulator", self.look)

    def look(self, root):
        found = self.find(root)
        if found is None and len(self.started) < self.times:
            self.started.append(self.emulator(self.root))
        return found


def test_a_stop_goes_on_until_it_is_quiet(tmp_path, emulator, monkeypatch):
    heart = Heart(tmp_path, emulator, monkeypatch, 2)
    assert _node.stop(str(tmp_path), timeout=600, quiet=2.0) is True
    assert len(heart.started) == 2 and heart.find(str(tmp_path)) is None


def test_a_node_that_is_started_over_and_over_is_stopped(tmp_path, emulator, monkeypatch):
    heart = Heart(tmp_path, emulator, monkeypatch, 3)

    def ends_at_once(root):
        found = heart.look(root)
        if len(heart.started) < 3 and found:
            os.kill(found, signal.SIGKILL)
        return found

    monkeypatch.setattr(_node, "find_emulator", ends_at_once)
    node = _node.Node(root=str(tmp_path), user=user(), home="/", log_directory=str(tmp_path))
    with pytest.raises(OtpError, match="does not stay up"):
        _node.wait_until_answering(node, timeout=600)
    assert len(heart.started) == 3 and heart.find(str(tmp_path)) is None


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
    with pytest.raises(_node.NoAnswer, match="there$"):
        _node.ask(node)
