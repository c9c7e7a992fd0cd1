# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node that is started and stopped; a start that fails; the last words."""

from __future__ import annotations

import os
import pwd
import time

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._node.log_tail import last_words, slogan_of


def user():
    return pwd.getpwuid(os.getuid()).pw_name


def test_stop_repeats_the_signal_that_a_booting_emulator_loses(tmp_path, emulator):
    process = emulator(tmp_path, deaf=1)
    assert _node.stop(str(tmp_path), timeout=600) is True
    assert process.wait(timeout=600) == 0
    assert _node.stop(str(tmp_path)) is False


def test_stop_gives_up(tmp_path, emulator):
    process = emulator(tmp_path, deaf=1000)
    with pytest.raises(OtpError, match=f"process {process.pid}, has not ended within 0.2 s"):
        _node.stop(str(tmp_path), timeout=0.2)


def test_a_start_script_that_refuses_is_quoted(tmp_path):
    script = tmp_path / "bin" / "start"
    script.parent.mkdir()
    script.write_text('#!/bin/sh\necho "no, $HOME $EXTRA $(pwd)"\nexit 3\n')
    script.chmod(0o755)
    node = _node.Node(root=str(tmp_path), user=user(), home="/nowhere", log_directory=str(tmp_path), environment={"EXTRA": "more"})
    with pytest.raises(OtpError, match="ended with code 3: no, /nowhere more /$"):
        _node.start(node)


def test_a_missing_start_script_and_a_missing_user(tmp_path):
    node = _node.Node(root=str(tmp_path), user=user(), home="/", log_directory=str(tmp_path))
    with pytest.raises(OtpError, match="cannot run .*/bin/start: No such file"):
        _node.start(node)
    with pytest.raises(OtpError, match="no user 'nobody knows'"):
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
    assert last_words(str(tmp_path)) == f"There is no log in {tmp_path}."
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
    assert "says: Kernel pid terminated" in last_words(str(tmp_path), since=time.time() - 60)
    assert "says" not in last_words(str(tmp_path), since=time.time() + 60)
