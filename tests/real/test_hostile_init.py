# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An init script that root runs in a tree whose user has put programs, links and pipes there. It needs no node, with dash or with BusyBox alone."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
from intruder import SECRET, USER, attack, replaced, state_of
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.plugin_utils._target_system.rendering import rendered

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be attacked by another user")

BUSYBOX = "sh id grep sed cat tr sleep mkdir chown chmod setsid start-stop-daemon"
# What the programs note: whose rights they have for good, and what they can do to the terminal of who has run the script.
NOTE = """\
#!/bin/sh
exec 3>&1
{ echo "program: $0"
grep -E '^(Uid|Gid|Groups)' /proc/self/status
(: </dev/tty) 2>/dev/null && echo "terminal: taken"
for fd in 0 2 3; do
    [ ! -t $fd ] || echo "flags: $(sed -n 's/^flags:[^0-9]*//p' /proc/self/fdinfo/$fd)"
done
} >>@/seen
exit 1
"""


class Served(t.NamedTuple):
    """A tree of USER, and root's init script for it with the PATH that it has. victim: root's."""

    directory: Path
    path: str

    @property
    def root(self) -> Path:
        return self.directory / "root"

    @property
    def victim(self) -> Path:
        return self.directory / "victim"

    @property
    def seen(self) -> Path:
        return self.root / "seen"

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run the script as init does. It ends, and what is root's stays as it is."""
        before = state_of(self.victim)
        script, environment = self.directory / "etc" / "S80system", {"PATH": self.path}
        done = subprocess.run(
            [script, command], env=environment, cwd="/", text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False
        )
        assert state_of(self.victim) == before
        assert SECRET not in done.stdout
        return done

    def run_at_terminal(self, command: str) -> None:
        """Run it as root does who is logged in."""
        child, terminal = pty.fork()
        if child == 0:
            os.execve(self.directory / "etc" / "S80system", ["S80system", command], {"PATH": self.path})
        wait_until(lambda: os.waitpid(child, os.WNOHANG)[0], "the script has ended")
        os.close(terminal)


@pytest.fixture(scope="module", params=["sh", "busybox"])
def served(request: pytest.FixtureRequest) -> t.Iterator[Served]:
    # Not below pytest's directories, which the service user may not enter.
    directory = Path(tempfile.mkdtemp(prefix="otp-hostile-", dir="/var/tmp"))
    directory.chmod(0o755)
    for name in ("root", "victim", "etc", "programs", "log"):
        (directory / name).mkdir()
    (directory / "victim" / "secret").touch(mode=0o600)
    (directory / "victim" / "secret").write_text(SECRET)
    for name in ("root", "root/bin", "root/run", "log"):
        (directory / name).mkdir(exist_ok=True)
        shutil.chown(directory / name, USER, USER)
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    if request.param == "busybox":
        for name in BUSYBOX.split():
            (directory / "programs" / name).symlink_to(shutil.which("busybox") or "busybox")
        path = str(directory / "programs")
    variables = {
        **dict.fromkeys(("otp_heart", "otp_node_name", "otp_dist_ports", "otp_boot_server", "otp_console"), ""),
        "otp_boot_variables": {},
        "otp_erl_flags": [],
        "otp_code_mode": "",
        "otp_environment": {},
        "otp_epmd": True,
        "otp_epmd_port": "",
        "otp_epmd_address": "",
        "otp_service_manager": "sysv",
        "otp_root": str(directory / "root"),
        "otp_home": str(directory / "root"),
        "otp_user": USER,
        "otp_group": USER,
        "otp_init_script": str(directory / "etc" / "S80system"),
        "otp_service_name": "system",
        "otp_log_dir": str(directory / "log"),
        "otp_run_dir": str(directory / "log" / "more" / "run"),
        "otp_pipe_dir": str(directory / "log" / "more" / "pipe"),
        "otp_open_files": 500,
    }
    script = directory / "etc" / "S80system"
    script.write_text(rendered("init", variables).replace("#!/bin/sh", "#!/bin/sh" if request.param == "sh" else f"#!{shutil.which('busybox')} ash", 1))
    script.chmod(0o755)
    try:
        yield Served(directory, path)
    finally:
        shutil.rmtree(directory)


def put(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.mark.parametrize("program", ["start", "stop"])
def test_programs_of_the_tree_have_neither_root_nor_its_terminal(served: Served, program: str) -> None:
    with replaced(served.root / "bin" / program, lambda path: put(path, NOTE.replace("@", str(served.root)))):
        assert (served.root / "bin" / program).owner() == USER
        served.run_at_terminal(program)
        assert served.run(program).returncode == 1
    lines = [line.partition(":")[::2] for line in served.seen.read_text().splitlines()]
    served.seen.unlink()
    assert [text.strip() for kind, text in lines if kind == "program"] == [f"{served.root}/bin/{program}"] * 2
    numbers = {number for kind, text in lines if kind in ("Uid", "Gid", "Groups") for number in text.split()}
    assert numbers and "0" not in numbers
    assert "terminal" not in dict(lines)
    # Two of them are a terminal, and are for writing only.
    assert [int(text, 8) & os.O_ACCMODE for kind, text in lines if kind == "flags"] == [os.O_WRONLY] * 2


PID_FILES: dict[str, t.Callable[[Served], t.Callable[[Path], object]]] = {
    "pipe": lambda served: os.mkfifo,
    "link": lambda served: lambda path: path.symlink_to(served.victim / "secret"),
    "link to a device": lambda served: lambda path: path.symlink_to("/dev/zero"),
    "directory": lambda served: os.mkdir,
    "number that is a path": lambda served: lambda path: path.write_text(f"..{served.root}/run/process\n"),
}


@pytest.mark.parametrize("kind", PID_FILES)
def test_the_file_with_the_number_is_something_else(served: Served, kind: str) -> None:
    process = served.root / "run" / "process"
    attack(process.mkdir)
    # As an emulator of this system has.
    attack(lambda: (process / "cmdline").write_text(f"beam.smp\0-root\0{served.root}\0-progname\0erl\0"))
    try:
        with replaced(served.root / "run" / "emulator.pid", PID_FILES[kind](served)):
            said = served.run("status")
            assert (said.returncode, said.stdout) == (3, "system is not running\n")
            # There is no bin/start.
            assert served.run("start").returncode == 127
    finally:
        shutil.rmtree(process)


def test_directories_of_the_node_below_a_link(served: Served) -> None:
    """Those below another one, which is the user's, are made by bin/start alone."""
    with replaced(served.directory / "log" / "more", lambda path: path.symlink_to(served.victim)):
        assert (served.directory / "log" / "more").resolve() == served.victim
        served.run("start")
