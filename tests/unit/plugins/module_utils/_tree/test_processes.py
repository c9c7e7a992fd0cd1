# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process of a node among the processes of a host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._tree import processes as _emulator

SHELL = Path(__file__).parents[5] / "plugins/plugin_utils/_target_system"


def note(root, pid):
    (root / "run").mkdir(exist_ok=True)
    (root / "run" / "emulator.pid").write_text(f"{pid}\n")


def test_no_emulator(tmp_path):
    assert _emulator.find_emulator(str(tmp_path)) is None
    assert _emulator.find_emulator(str(tmp_path / "not there")) is None


def test_found_by_the_noted_process_and_without(tmp_path, emulator):
    process = emulator(tmp_path)
    assert _emulator.find_emulator(str(tmp_path)) == process.pid
    note(tmp_path, process.pid)
    assert _emulator.find_emulator(str(tmp_path)) == process.pid


def test_a_noted_process_of_somebody_else_is_not_trusted(tmp_path, emulator):
    note(tmp_path, os.getpid())
    assert _emulator.find_emulator(str(tmp_path)) is None
    longer = tmp_path / "longer"
    longer.mkdir()
    note(tmp_path, emulator(longer).pid)
    assert _emulator.find_emulator(str(tmp_path)) is None


@pytest.mark.parametrize("content", ["", "x", "-1", "99999999999"])
def test_a_broken_note_is_no_error(tmp_path, content):
    note(tmp_path, content)
    assert _emulator.find_emulator(str(tmp_path)) is None


def test_a_zombie_is_no_emulator(tmp_path, emulator):
    process = emulator(tmp_path)
    note(tmp_path, process.pid)
    process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 600
    while _emulator.find_emulator(str(tmp_path)) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert os.path.exists(f"/proc/{process.pid}")


def test_the_time_of_the_start_whatever_the_clock_was(tmp_path, emulator, monkeypatch):
    before = time.time_ns()
    pid = emulator(tmp_path).pid
    note(tmp_path, pid)
    os.utime(tmp_path / "run" / "emulator.pid", ns=(5 * 10**9, 5 * 10**9))
    # The kernel counts in hundredths of a second.
    assert before - 2 * 10**7 <= _emulator.started_at(pid) <= time.time_ns() + 2 * 10**7
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 3600 * 10**9)
    assert before <= _emulator.started_at(pid) - 3600 * 10**9 + 2 * 10**7 <= now() + 4 * 10**7


def test_a_root_directory_by_way_of_a_link(tmp_path, emulator):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    pid = emulator(tmp_path / "real").pid
    assert _emulator.find_emulator(str(tmp_path / "link")) == pid


def test_all_emulators_of_a_root_directory(tmp_path, emulator):
    (tmp_path / "other").mkdir()
    pids = sorted(emulator(root).pid for root in (tmp_path, tmp_path, tmp_path / "other"))
    found = _emulator.find_emulators(str(tmp_path))
    assert len(found) == 2 and set(found) < set(pids)


def test_the_child_that_an_emulator_has_forked_is_not_another_one(tmp_path):
    """Between fork and exec it has the arguments of the emulator."""
    program = "import os; child = os.fork(); print(child, flush=True) if child else None; os.read(0, 1)"
    with subprocess.Popen([sys.executable, "-c", program, "-root", str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        child = int(process.stdout.readline())
        assert _emulator.is_emulator(child, str(tmp_path))
        assert _emulator.find_emulators(str(tmp_path)) == [process.pid]
        process.kill()
        process.wait()
        assert _emulator.find_emulators(str(tmp_path)) == [child]


def test_a_process_of_another_user_is_none_of_ours(tmp_path, emulator, monkeypatch):
    """Whatever its arguments are: but for root's, one that bin/start has noted, and as long as the tree is root's."""
    pid, root = emulator(tmp_path).pid, str(tmp_path)
    owner, other = 1234, 1235
    status = os.stat(root)
    monkeypatch.setattr(os, "stat", owned_by(root, owner))
    for users, is_one in (([owner] * 4, True), ([0] * 4, True), ([other] * 4, False), ([other, 0, 0, 0], False), ([], False)):
        monkeypatch.setattr(_emulator, "users_of", lambda pid, users=users: users)
        assert _emulator.is_emulator(pid, root) is is_one and _emulator.find_emulators(root) == [pid][:is_one], users
    monkeypatch.setattr(_emulator, "users_of", lambda pid: [other] * 4)
    assert not _emulator.is_emulator(pid, root)
    note(tmp_path, pid)
    assert _emulator.find_emulator(root) == pid
    note(tmp_path, 0)
    monkeypatch.setattr(os, "stat", owned_by(root, 0))
    assert _emulator.find_emulator(root) == pid and status.st_uid == os.geteuid()


def owned_by(root, uid):
    real = os.stat

    def stat(path, *arguments, **keywords):
        found = real(path, *arguments, **keywords)
        return os.stat_result((*found[:4], uid, *found[5:])) if path == root else found

    return stat


def test_where_it_may_not_look_a_process_of_a_container_is_not_ours(tmp_path, emulator, monkeypatch):
    pid, root, numbers = emulator(tmp_path).pid, str(tmp_path), [7]
    real, status = os.stat, _emulator._status

    def refused(path, *arguments, **keywords):
        if str(path).startswith(f"/proc/{pid}/root"):
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **keywords)

    monkeypatch.setattr(os, "stat", refused)
    monkeypatch.setattr(_emulator, "_status", lambda pid, name: numbers if name == b"NSpid:" else status(pid, name))
    assert _emulator.is_emulator(pid, root)
    numbers.append(1)
    assert not _emulator.is_emulator(pid, root)


@pytest.mark.parametrize("name", ["/bin/sleep", "sleep"])
def test_the_program_by_its_path_or_by_the_kernel(name):
    process = subprocess.Popen([name, "60"], executable="/bin/sleep")
    try:
        while not Path(f"/proc/{process.pid}/cmdline").read_bytes():
            time.sleep(0.01)  # The kernel closes Popen's pipe a moment before it has the arguments.
        assert _emulator.program_of(process.pid) == (name if name.startswith("/") else f"/proc/{process.pid}/exe")
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("boots", "is_one"),
    [
        ("/r/clients/c@h/releases/1/start", True),
        ("/r/clients/t/c@h/releases/start", True),
        ("/r/c@h/releases/1/start", True),
        ("/r/releases/1/start", False),
        ("/r/bin/start_clean", False),
        ("/r/boot/start", False),
        ("/other/clients/c@h/releases/1/start", False),
        ("start_sasl", False),
    ],
)
def test_the_emulator_of_a_client_is_another_nodes(boots, is_one):
    """By what it boots; the root directory is that of its master, or of its machine type."""
    assert _emulator.is_clients([b"beam.smp", b"-root", b"/r", b"-boot", boots.encode()], "/r") is is_one
    assert not _emulator.is_clients([b"beam.smp", b"-root", b"/r", b"-boot"], "/r")


def test_what_starts_an_emulator_by_its_environment(tmp_path, emulator, heart):
    """The environment that bin/start exports, or erlexec alone; that of a client names the same root directory."""
    root, noted = str(tmp_path), emulator(tmp_path).pid
    own = heart(tmp_path, noted, RELDIR=f"{root}/releases")
    by_hand = heart(tmp_path, noted)
    heart(tmp_path, noted, RELDIR=f"{root}/clients/a@h/releases")
    (tmp_path / "other").mkdir()
    heart(tmp_path / "other", noted)
    expected = {_emulator.Starter("heart", process.pid, noted) for process in (own, by_hand)}
    assert set(_emulator.find_starters(root)) == expected
    script = 'ROOT=$0 RELDIR=$0/releases; . "$1/is_emulator.sh"; . "$1/stop_node.sh"; starters'
    found = subprocess.run(["sh", "-c", script, root, SHELL], capture_output=True, text=True, check=True).stdout
    assert set(found.splitlines()) == {f"heart {each.pid} {noted}" for each in expected}


@pytest.mark.parametrize(
    "command", ["exec /r/bin/start /r/releases/start_erl.data", 'exec "$ROOTDIR/bin/start_erl" "$ROOTDIR"', 'exec "$BINDIR/erlexec" -boot']
)
@pytest.mark.parametrize("is_own", [True, False])
def test_a_script_on_its_way_to_an_emulator(tmp_path, command, is_own):
    environment = {"PATH": "/usr/bin:/bin", **({"ROOTDIR": str(tmp_path)} if is_own else {})}
    with subprocess.Popen(["sh", "-c", f"echo; read x; {command}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        process.stdout.readline()
        assert _emulator.find_starters(str(tmp_path)) == ([_emulator.Starter("script", process.pid)] if is_own else [])
        process.kill()


def test_a_program_of_an_application_is_not_a_script_of_its_node(tmp_path):
    command = ["sh", "-c", "echo; read x; exec /opt/bin/startup"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"ROOTDIR": str(tmp_path)}) as process:
        process.stdout.readline()
        assert _emulator.find_starters(str(tmp_path)) == []
        process.kill()
