# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: bin/start restores what a power cut left, and removes the copies; no shell evaluates a value of the environment; the init script makes
directories with the modes of the role; stop and status act on an emulator of this root directory, and on no other process.
"""

from __future__ import annotations

import grp
import os
import shutil
import subprocess
import sys

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._target_system.environment import format_environment
from ansible_collections.erlang.otp.plugins.plugin_utils._target_system.rendering import scripts, service
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._target_system.role_variables import ME, VARIABLES


class Start:
    """A system whose run_erl writes its environment, and bin/start of the role."""

    def __init__(self, root):
        self.root = root
        (root / "bin").mkdir()
        (root / "releases").mkdir()
        (root / "bin/run_erl").write_text("#!/bin/sh\ncat /proc/$$/environ\n")
        (root / "bin/run_erl").chmod(0o755)
        self.give_environment("A=1\n")

    def give_environment(self, text):
        (self.root / "bin/environment").write_bytes(os.fsencode(text))

    def run(self, *shell, **variables):
        here = {"otp_root": str(self.root), "otp_user": ME, "otp_pipe_dir": str(self.root / "pipe"), "otp_log_dir": str(self.root / "log")}
        (script, *_others) = scripts({**VARIABLES, **here, **variables})
        return subprocess.run([*(shell or ["sh"]), "-c", script["content"], "start"], capture_output=True, timeout=600, check=False)


@pytest.fixture
def start(tmp_path):
    return Start(tmp_path)


# What a shell would evaluate, split, unquote or expand.
ODD = [
    "it's",
    '"',
    "$HOME `id` $(id)",
    "\\",
    "a\\nb",
    "\\$x\\",
    "  two  spaces ",
    "\t",
    "a=b",
    "*",
    "~",
    "#",
    "-n",
    "%s",
    "!!",
    "ρίζα",
    "",
    "\x01\x1b[0m\r",
    "x" * 100000,
]
SHELLS = [shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_no_shell_evaluates_the_environment(start, shell):
    variables = {f"NAME_{number}": value for number, value in enumerate(ODD)} | {"name": "1", "line": "2", "PATH": "/usr/bin:/bin"}
    start.give_environment(format_environment(variables))
    run = start.run(*shell)
    assert (run.returncode, run.stderr) == (0, b"")
    found = dict(pair.split(b"=", 1) for pair in run.stdout.split(b"\0") if pair)
    assert {name: found[os.fsencode(name)] for name in variables} == {name: os.fsencode(value) for name, value in variables.items()}
    assert found[b"ROOTDIR"] == os.fsencode(start.root) and b"NODE_VARIABLE" not in found


def test_a_node_does_not_start_without_its_environment(start):
    (start.root / "bin/environment").unlink()
    run = start.run()
    assert run.returncode == 1 and b"cannot read" in run.stderr and b"ROOTDIR" not in run.stdout


def released(permanent: str) -> str:
    statuses = {"FIRST": "old", "SECOND": "old", permanent: "permanent"}
    return "[" + ",\n ".join(f'{{release,"x","{version}","13.1.5",[],{status}}}' for version, status in statuses.items()) + "].\n"


@pytest.mark.parametrize(
    ("releases", "data", "boots"),
    [
        (released("SECOND"), "13.1.5 SECOND\n", "13.1.5 SECOND\n"),
        (released("SECOND"), "13.1.5 SECOND", "13.1.5 SECOND"),
        # Torn, empty, at odds, not there.
        (released("SECOND")[:-20], "13.1.5 SECOND\n", "13.1.5 FIRST\n"),
        (released("SECOND"), "", "13.1.5 FIRST\n"),
        (released("SECOND"), "13.1.5 FIRST\n", "13.1.5 FIRST\n"),
        (released("FIRST"), None, "13.1.5 FIRST\n"),
    ],
)
def test_a_host_that_boots_puts_right_what_a_power_cut_has_left(start, releases, data, boots):
    directory = start.root / "releases"
    files = {"RELEASES": releases, "start_erl.data": data, "RELEASES.saved": released("FIRST"), "start_erl.data.saved": "13.1.5 FIRST\n"}
    for name, content in files.items():
        if content is not None:
            (directory / name).write_text(content)
    assert start.run().returncode == 0
    assert (directory / "start_erl.data").read_text() == boots
    permanent = boots.split()[1]
    assert (directory / "RELEASES").read_text() == released(permanent)
    assert not list(directory.glob("*.saved"))


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("root", {"run": "755", "log": "750"}),
        # bin/start makes, as the user of the node, what is below a directory of that user.
        ("", {}),
    ],
)
def test_an_init_script_makes_directories_as_the_role_does(tmp_path, root, expected):
    """Where a file system is empty at boot: otherwise the next run would find them given to others."""
    here = {"otp_root": str(tmp_path / root), "otp_user": ME, "otp_group": grp.getgrgid(os.getgid()).gr_name, "otp_service_manager": "sysv"}
    directories = {"otp_run_dir": "run", "otp_pipe_dir": "run/pipe", "otp_log_dir": "log"}
    files = service({**VARIABLES, **here, **{name: f"{tmp_path}/{path}" for name, path in directories.items()}})["files"]
    # There is no bin/start: it ends there.
    assert subprocess.run(["sh", "-c", files[0]["content"], "init", "start"], capture_output=True, timeout=600, check=False).returncode == 127
    found = {path.relative_to(tmp_path).as_posix(): f"{path.stat().st_mode & 0o777:o}" for path in tmp_path.rglob("*")}
    assert found == expected


@pytest.fixture
def process(tmp_path):
    """Starts a process with the arguments of an emulator of this root directory, and notes it as the emulator of the system."""
    started = []

    def start(root):
        program = "import time; print(flush=True); time.sleep(60)"
        arguments = [sys.executable, "-c", program, "--", "-root", root, "-bindir", "x"]
        started.append(subprocess.Popen(arguments, env={**os.environ, "ROOTDIR": root}, stdout=subprocess.PIPE))
        started[0].stdout.read(1)
        (tmp_path / "run").mkdir()
        (tmp_path / "run/emulator.pid").write_text(f"{started[0].pid}\n")
        return started[0]

    yield start
    for each in started:
        each.kill()
        each.communicate()


@pytest.mark.parametrize("suffix", ["", "2"])
def test_stop_and_status_act_on_the_emulator_of_this_root_directory_alone(tmp_path, process, suffix):
    running = process(f"{tmp_path}{suffix}")
    variables = {**VARIABLES, "otp_root": str(tmp_path), "otp_user": ME, "otp_service_manager": "sysv"}
    init, stop = service(variables)["files"][0]["content"], scripts(variables)[2]["content"]
    status = subprocess.run(["sh", "-c", init, "init", "status"], capture_output=True, text=True, timeout=60, check=False)
    assert (status.returncode, str(running.pid) in status.stdout) == ((3, False) if suffix else (0, True))
    subprocess.run(["sh", "-c", stop, "stop"], timeout=600, check=True)
    assert running.poll() == (None if suffix else -15)
