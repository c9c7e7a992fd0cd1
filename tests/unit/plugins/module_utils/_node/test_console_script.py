# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A call as files, which nobody but the node's user may touch."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._node import console_script as _console_call
from ansible_collections.erlang.otp.plugins.module_utils._node import run_erl_console as _console
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallError, Unreachable
from ansible_collections.erlang.otp.plugins.module_utils._node.console_script import CallDirectory, line_of, script_of

US = (os.geteuid(), os.getegid())


@pytest.fixture
def directory(tmp_path):
    made = CallDirectory(parent=str(tmp_path), owner=US, call=b"the call")
    yield made
    made.remove()


def test_what_is_typed_is_ascii_and_one_line():
    line = line_of('/srv/ρίζα "it\'s"\n')
    assert line.endswith(b"\r") and line.count(b"\r") == 1
    assert all(32 <= byte < 127 for byte in line[:-1])
    assert b"<<47,115,114,118,47,207,129," in line


def test_the_script_names_its_directory():
    script = script_of("/a")
    assert b'<<47,97, "/waiting">>' in script
    assert b"Directory" not in script


def test_files_are_private(directory):
    assert stat.S_IMODE(os.stat(directory.path).st_mode) == 0o700
    assert {(path.name, stat.S_IMODE(path.stat().st_mode)) for path in Path(directory.path).iterdir()} == {
        ("call", 0o600),
        ("script", 0o600),
        ("waiting", 0o600),
    }
    assert Path(directory.path, "call").read_bytes() == b"the call"


def test_a_call_is_withdrawn_once(directory):
    assert directory.has("waiting")
    assert directory.withdraw()
    assert not directory.withdraw()
    assert not directory.has("waiting")


def test_a_link_is_not_followed(directory, tmp_path):
    (tmp_path / "secret").write_text("secret")
    os.symlink(tmp_path / "secret", directory.path + "/outcome")
    assert directory.has("outcome")
    with pytest.raises(CallError, match="not a regular file"):
        directory.outcome()


def test_a_named_pipe_is_not_waited_for(directory):
    os.mkfifo(directory.path + "/outcome")
    with pytest.raises(CallError, match="not a regular file"):
        directory.outcome()


def test_another_directory_in_its_place_gets_nothing(directory, tmp_path):
    os.rename(directory.path, tmp_path / "moved")
    os.symlink(tmp_path, directory.path)
    (tmp_path / "outcome").write_bytes(b"theirs")
    assert not directory.has("outcome")
    assert directory.has("waiting")


def test_a_directory_of_another_user_in_its_place_gets_no_call(tmp_path, monkeypatch):
    owner = (os.getuid(), os.getgid())
    # The directory that is opened is not the user's that made one.
    monkeypatch.setattr(os, "geteuid", lambda: owner[0] + 1)
    with pytest.raises(Unreachable):
        CallDirectory(parent=str(tmp_path), owner=owner, call=b"call")
    assert list(tmp_path.iterdir()) == []


def test_an_outcome_of_any_size_is_refused(directory, monkeypatch):
    monkeypatch.setattr(_console_call, "MAX_OUTCOME", 10)
    Path(directory.path, "outcome").write_bytes(bytes(11))
    with pytest.raises(CallError, match="more than 10 bytes"):
        directory.outcome()


def test_no_such_parent(tmp_path):
    with pytest.raises(Unreachable, match="nowhere"):
        CallDirectory(parent=str(tmp_path / "nowhere"), owner=US, call=b"")


def test_it_goes_with_all_that_is_in_it(tmp_path):
    made = CallDirectory(parent=str(tmp_path), owner=US, call=b"")
    Path(made.path, "outcome").write_bytes(b"x")
    made.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_else_the_node_puts_there_stays(tmp_path):
    made = CallDirectory(parent=str(tmp_path), owner=US, call=b"")
    Path(made.path, "deep").mkdir()
    made.remove()
    assert os.listdir(made.path) == ["deep"]


def test_pipes_of_former_runs_come_last(tmp_path):
    for number in (1, 2, 10):
        os.mkfifo(tmp_path / f"erlang.pipe.{number}.w")
    (tmp_path / "erlang.pipe.x.w").touch()
    assert _console.prefixes(str(tmp_path)) == [f"{tmp_path}/erlang.pipe.{number}" for number in (10, 2, 1)]
    assert _console.prefixes(f"{tmp_path}/erlang.pipe.2") == [f"{tmp_path}/erlang.pipe.2"]


def test_pipes_on_which_nobody_listens(tmp_path, monkeypatch):
    monkeypatch.setattr(_console, "OPEN_SECONDS", 0.05)
    os.mkfifo(tmp_path / "erlang.pipe.1.w")
    with pytest.raises(Unreachable, match="No run_erl listens"):
        _console.Console(directory=str(tmp_path))


@pytest.mark.parametrize("name", ["", "/erlang.pipe.1"])
def test_a_run_erl_that_runs_is_awaited(tmp_path, monkeypatch, name):
    """It opens its end of the pipe anew after each client, on a loaded host not at once. That of another directory is not awaited."""
    monkeypatch.setattr(_console, "OPEN_SECONDS", 0.0)
    (tmp_path / "other").mkdir()
    for directory in (tmp_path, tmp_path / "other"):
        os.mkfifo(directory / "erlang.pipe.1.w")
    has_run_erl = _console.has_run_erl
    command = ["run_erl", "-c", 'echo ready; read -r go; exec 3<"$0erlang.pipe.1.w"; read -r end', f"{tmp_path}/", "log"]
    with subprocess.Popen(command, executable="/bin/sh", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"

        def opens_now(directory):
            is_alive = has_run_erl(directory)
            if is_alive and not asked:
                asked.append(directory)
                process.stdin.write(b"go\n")
                process.stdin.flush()
            return is_alive

        asked: list[str] = []
        monkeypatch.setattr(_console, "has_run_erl", opens_now)
        with pytest.raises(Unreachable, match="No run_erl listens"):
            _console.open_writer(f"{tmp_path}/other{name}")
        prefix, writer = _console.open_writer(f"{tmp_path}{name}")
        os.close(writer)
        assert prefix == f"{tmp_path}/erlang.pipe.1" and asked == [f"{tmp_path}{name}"]


def test_somebody_is_attached(tmp_path):
    os.mkfifo(tmp_path / "erlang.pipe.1.w")
    os.mkfifo(tmp_path / "erlang.pipe.1.r")
    run_erl = os.open(tmp_path / "erlang.pipe.1.w", os.O_RDONLY | os.O_NONBLOCK)
    to_erl = os.open(tmp_path / "erlang.pipe.1.r", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(Unreachable, match="attached"):
        _console.Console(directory=str(tmp_path))
    _console.Console(directory=str(tmp_path), force=True).close()
    os.close(to_erl)
    _console.Console(directory=str(tmp_path)).close()
    os.close(run_erl)
