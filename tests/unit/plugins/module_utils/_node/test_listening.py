# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a node of this host is reached. Rules: a name is that of the node with its host, or with this host's own; only the owner of the cookie, and root,
run a node that is found by its name alone."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.distribution_flags import Distribution
from ansible_collections.erlang.otp.plugins.module_utils._node.listening import is_name_of, listening, listening_as
from ansible_collections.erlang.otp.plugins.module_utils._tree import processes as _processes

HERE = os.uname().nodename
# Tests that run at the same time see the processes of each other.
NAME = f"lonely{os.getpid()}"
NODE = f"{NAME}@nowhere"


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
    arguments = ["-root", str(tmp_path), "-sname", NODE, "-start_epmd", "false", "-config", str(tmp_path / "sys")]
    command = [sys.executable, "-c", "print(flush=True); input()", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.kill()


def test_by_the_root_directory_and_by_the_name(process, tmp_path):
    assert listening(str(tmp_path)).port == listening_as(NODE, None).port == listening_as(NAME, os.geteuid()).port == 9100
    assert listening(str(tmp_path / "other")).port == listening_as(f"{NAME}@elsewhere", None).port == 0


def test_a_node_with_another_epmd_is_another_node(process, monkeypatch):
    assert listening_as(NODE, None, 4369).port == 9100 and listening_as(NODE, None, 4370).port == 0


def test_a_process_of_another_user_is_not_believed(process, monkeypatch):
    is_run_by(monkeypatch, 1234, 1234, 1234, 1234)
    assert listening_as(NAME, 1235) == Distribution() and listening_as(NAME, 1234).user == 1234
    # As su, that waits for a password.
    is_run_by(monkeypatch, 1235, 1234, 1234, 1234)
    assert listening_as(NAME, None) == listening_as(NAME, 1234) == Distribution()


def is_run_by(monkeypatch, *users):
    monkeypatch.setattr(_processes, "users_of", lambda pid: [*users])


def test_a_system_is_its_owner_s_or_root_s_or_whose_process_is_noted_there(process, tmp_path, monkeypatch):
    is_run_by(monkeypatch, 1234, 1234, 1234, 1234)
    assert listening(str(tmp_path)) == Distribution()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "emulator.pid").write_text(f"{process.pid}\n")
    assert listening(str(tmp_path)).name == NODE
    is_run_by(monkeypatch, 1235, 1234, 1234, 1234)
    assert listening(str(tmp_path)) == Distribution()


def test_of_sudo_nothing_is_believed(tmp_path):
    """It becomes root before it asks for a password, so all of its users are root's."""
    # The shell needs nothing beside it.
    program = tmp_path / "sh"
    shutil.copy(os.path.realpath("/bin/sh"), program)
    program.chmod(0o4755)
    command = [str(program), "-c", "echo; read dummy", "sh", "-root", "/", "-sname", NODE, "-erl_epmd_port", "9101"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert listening_as(NAME, None) == Distribution()
        program.chmod(0o755)
        assert listening_as(NAME, None).port == 9101
        process.kill()


def test_two_users_have_a_node_of_the_name(process, tmp_path, monkeypatch):
    other = [sys.executable, "-c", "print(flush=True); input()", "-root", "/x", "-name", NODE, "-erl_epmd_port", "6666"]
    with subprocess.Popen(other, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as intruder:
        intruder.stdout.readline()
        monkeypatch.setattr(_processes, "users_of", lambda pid: [1235 if pid == intruder.pid else 1234] * 4)
        with pytest.raises(OtpError, match=r"processes of the users .* have the name lonely.*@nowhere: set the option cookie_file"):
            listening_as(NODE, None)
        assert listening_as(NODE, 1234).user == 1234
        intruder.kill()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can take on the rights of others")
def test_files_are_read_with_the_rights_of_the_user_of_the_process(process, tmp_path, monkeypatch):
    assert listening(str(tmp_path)).port == 9100
    nobody = pwd.getpwnam("nobody").pw_uid
    is_run_by(monkeypatch, *[nobody] * 4)
    tmp_path.chmod(0o755)
    (tmp_path / "sys.config").chmod(0o600)
    assert (listening_as(NAME, nobody).user, listening_as(NAME, nobody).port) == (nobody, 0)


@pytest.mark.usefixtures("in_time")
def test_what_a_process_names_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "sys.config")
    arguments = ["-root", str(tmp_path), "-sname", NODE, "-start_epmd", "false", "-erl_epmd_port", "9" * 5000, "-config"]
    for path in (f"{tmp_path}/sys", "sys", "/" * 100_000):
        command = [sys.executable, "-c", "print(flush=True); input()", *arguments, path]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            assert listening_as(NAME, None) == Distribution(NODE, 0, False, True, user=os.geteuid())
            process.kill()
