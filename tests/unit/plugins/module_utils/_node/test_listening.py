# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a node of this host is reached. Rules: a name is that of the node with its host, or with this host's own; only the owner of the cookie, and root,
run a node that is found by its name alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._node.listening import is_name_of, listening, listening_as

HERE = os.uname().nodename


@pytest.mark.parametrize(
    ("node", "given", "is_it"),
    [
        ("a@h", "a@h", True),
        ("a@h", "a@g", False),
        ("a", "a@g", True),
        ("a", "b@g", False),
        (f"a@{HERE}", "a", True),
        ("a@elsewhere", "a", False),
        ("a", "a", True),
        ("", "", False),
    ],
)
def test_names(node, given, is_it):
    assert is_name_of(node, given) is is_it


@pytest.fixture
def process(tmp_path):
    """What looks like an emulator."""
    (tmp_path / "sys.config").write_text("[{kernel,[{erl_epmd_node_listen_port,9100}]}].\n")
    arguments = ["-root", str(tmp_path), "-sname", "lonely@nowhere", "-start_epmd", "false", "-config", str(tmp_path / "sys")]
    command = [sys.executable, "-c", "print(flush=True); input()", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.kill()


def test_by_the_root_directory_and_by_the_name(process, tmp_path):
    assert listening(str(tmp_path)).port == listening_as("lonely@nowhere", None).port == listening_as("lonely", os.geteuid()).port == 9100
    assert listening(str(tmp_path / "other")).port == listening_as("lonely@elsewhere", None).port == 0


def test_a_process_of_another_user_is_not_believed(process, monkeypatch):
    monkeypatch.setattr("ansible_collections.erlang.otp.plugins.module_utils._node.listening.user_of", lambda pid: 1234)
    assert listening_as("lonely", 1235).port == 0 and listening_as("lonely", 1234).port == 9100
