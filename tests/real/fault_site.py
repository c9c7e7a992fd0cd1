# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host for faults: name spaces with disks in memory and an ``/etc`` of their own, in which modules of the collection work as root.

``fault.c`` disturbs a module at one of its changes of the file system, ``fault_server.py`` runs it. Nothing of the machine is changed: the
service user is in the host's own ``/etc/passwd``.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest
from waiting import LIMIT, free_port

from ansible_collections.erlang.otp.plugins.module_utils._tree.history import parse
from ansible_collections.erlang.otp.plugins.plugin_utils._target_system.rendering import options as rendered_options

HERE = Path(__file__).parent
ROOT, HOME, USER, NODE = "/srv/exchange", "/srv/home", "exchange", "exchange@localhost"
# What the programs that make users and links for the boot read and write.
ETC = "passwd group shadow gshadow login.defs nsswitch.conf hosts pam.d default ld.so.cache"
SET_UP = """\
set -e
umask 022
mount -t tmpfs -o mode=755 tmpfs /srv
mkdir /srv/etc
for name in %s; do [ ! -e /etc/$name ] || cp -a /etc/$name /srv/etc; done
mkdir /srv/etc/init.d
for level in 0 1 2 3 4 5 6 S; do mkdir /srv/etc/rc$level.d; done
mount --bind /srv/etc /etc
mount -t tmpfs -o mode=755 tmpfs /run
export LD_PRELOAD=$1 FAULT_CONTROL=$2
exec "$3" -P "$4"
"""


# What groupadd and useradd leave in /etc, of their own accord or when they are killed.
OF_SHADOW = re.compile(r"(passwd|group|shadow|gshadow)([-+]|[.]\d+|[.]lock)$")
# Mode, owner and content by path.
Manifest = t.Dict[str, t.Tuple[t.Any, ...]]


class Fault(t.NamedTuple):
    """What happens from a change on; the numbers are those of fault.c."""

    name: str
    number: int
    error: int = 0

    @property
    def words(self) -> str:
        return os.strerror(self.error)


KILLED = Fault("killed", 1)
PAUSED = Fault("paused", 2)
FAULTS = (KILLED, Fault("EIO", 3, errno.EIO), Fault("ENOSPC", 4, errno.ENOSPC), Fault("EROFS", 5, errno.EROFS))


class Outcome(t.NamedTuple):
    """Of a module: what it answered (None: it was killed), whether the fault came to pass, and each change with its path."""

    result: dict[str, t.Any] | None
    fired: bool
    trace: list[str]
    output: str

    @property
    def message(self) -> str:
        """Of a module that has failed; empty if it has not."""
        return self.result["msg"] if self.result and self.result.get("failed") else ""


class Host:
    """A context manager. Paths are those that the host sees."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            pytest.fail("this test makes name spaces and mounts disks in them: run it as root")
        # Other users preload the library, too.
        self.directory = Path(tempfile.mkdtemp(prefix="otp-faults-"))
        self.directory.chmod(0o755)
        library, control = self.directory / "fault.so", self.directory / "control"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", library, HERE / "fault.c", "-ldl"], check=True)
        control.write_bytes(bytes(1 << 22))
        control.chmod(0o666)
        self.port = free_port()
        # What files of a path, a size and a time contain: most are the same each time.
        self.contents: dict[tuple[str, int, int], str] = {}
        inside = ["sh", "-c", SET_UP % ETC, "sh", str(library), str(control), sys.executable, str(HERE / "fault_server.py")]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", *inside],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(HERE)},
            text=True,
        )
        assert self.process.stdout is not None and "is" in json.loads(self.process.stdout.readline())
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self.top = Path(f"/proc/{int(children.read_text())}/root")

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_error) -> None:
        self.process.kill()
        self.process.communicate()
        shutil.rmtree(self.directory)

    def path(self, path: str) -> Path:
        """Where a path of the host is for this process."""
        return self.top / path.lstrip("/")

    def ask(self, do: str, **request: t.Any) -> dict[str, t.Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do, **request}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "failure" not in answer, answer["failure"]
        return answer

    def run(self, operation: Operation, fault: Fault | None = None, at: int = 0, *, counted: bool = False) -> Outcome:
        """The operation, disturbed by the fault at this change of the file system. counted: not disturbed, but its changes are in the outcome."""
        how = [at, fault.number, fault.error] if fault else [0, 0, 0] if counted else None
        return _outcome(self.ask("run", module=operation.module, params=operation.params(self), fault=how))

    def pause(self, operation: Operation, at: int) -> str:
        """Run the operation up to this change, which it returns; empty if it has ended before."""
        answer = self.ask("pause", module=operation.module, params=operation.params(self), fault=[at, PAUSED.number, 0])
        return answer["change"][0] if answer["paused"] else ""

    def spawn(self, operation: Operation, *, seconds: float) -> bool:
        """Run another operation beside the one that is paused. Whether it has ended within the seconds."""
        return self.ask("spawn", module=operation.module, params=operation.params(self), seconds=seconds)["ended"]

    def go_on(self) -> Outcome:
        """The oldest of those that are paused or run beside them, to its end."""
        return _outcome(self.ask("go_on"))

    def start(self, name: str = NODE) -> dict[str, t.Any]:
        """Start the system as its host does: the release that runs, and what its release_handler and its application say."""
        return self.ask("start", node=self._node(name), timeout=LIMIT)

    def look(self, name: str = NODE) -> dict[str, t.Any]:
        """The same of a node that runs."""
        return self.ask("look", node=self._node(name), timeout=LIMIT)

    def rename(self, name: str) -> None:
        """Give the host another name."""
        self.ask("rename", name=name)

    def boot(self) -> dict[str, t.Any]:
        """Start the system, and end it at once."""
        try:
            return self.start()
        finally:
            self.end()

    def end(self) -> None:
        """End the node with all that it has started."""
        self.ask("stop")

    def _node(self, name: str) -> dict[str, t.Any]:
        environment = {"ERL_EPMD_PORT": str(self.port)}
        return {"root": ROOT, "user": USER, "home": HOME, "log_directory": f"{ROOT}/log", "name": name, "environment": environment}

    def save(self, name: str) -> None:
        """Keep the disks under a name."""
        shutil.rmtree(self.directory / name, ignore_errors=True)
        subprocess.run(["cp", "-a", self.path("/srv"), self.directory / name], check=True)

    def restore(self, name: str) -> None:
        """The disks as they were kept."""
        for path in (*self.path("/srv").iterdir(), *self.path("/srv/etc").iterdir()):
            if path.name != "etc":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        subprocess.run(["cp", "-a", f"{self.directory / name}/.", self.path("/srv")], check=True)

    def manifest(self) -> Manifest:
        """Each file of the disks: kind and mode, owner, content."""
        found: Manifest = {}
        top = str(self.path("/srv"))
        for directory, names, files in os.walk(top):
            for name in names + files:
                path = f"{directory}/{name}"
                status = os.lstat(path)
                if not OF_SHADOW.match(name):
                    key = (path, status.st_size, status.st_mtime_ns)
                    if key not in self.contents:
                        self.contents[key] = _content(path, status.st_mode)
                    found[path[len(top) + 1 :]] = (oct(status.st_mode), status.st_uid, status.st_gid, self.contents[key])
        return found


class Operation(t.NamedTuple):
    """A module with its parameters, and the names of the operations that come before it."""

    module: str
    params: t.Callable[[Host], dict[str, t.Any]]
    before: tuple[str, ...] = ()


class Reader:
    """OTP's own reading of a tree: a context manager."""

    def __init__(self, directory: Path) -> None:
        subprocess.run(["erlc", "-o", directory, HERE / "whole.erl"], check=True)
        command = ["erl", "-noshell", "-pa", str(directory), "-s", "whole", "main"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_error) -> None:
        self.process.kill()
        self.process.communicate()

    def read(self, root: Path) -> str:
        """The answer of whole.erl."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{root}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


def _outcome(answer: dict[str, t.Any]) -> Outcome:
    return Outcome(answer["result"], answer["fired"], answer["trace"], answer["output"])


def _content(path: str, mode: int) -> str:
    """What tells it from another; of a history what does not depend on the time, of the files of passwords nothing but who has one, of a lock nothing."""
    if stat.S_ISLNK(mode):
        return os.readlink(path)
    if not stat.S_ISREG(mode) or path.endswith((".lock", "/etc/gshadow")):
        return ""
    content = Path(path).read_bytes()
    if path.endswith("/etc/shadow"):
        return ",".join(sorted(line.partition(":")[0] for line in content.decode().splitlines()))
    if path.endswith("history.jsonl"):
        return json.dumps([{key: value for key, value in entry.items() if key != "time"} for entry in parse(content)])
    return hashlib.sha256(content).hexdigest()


def target_system(host: Host, package: str, *, root: str = ROOT, name: str = NODE, service: str = "exchange", **more: t.Any) -> dict[str, t.Any]:
    """The options of otp_target_system. name: of the node."""
    variables = {
        "otp_root": root,
        "otp_pipe_dir": f"{root}/run/pipe",
        "otp_log_dir": f"{root}/log",
        "otp_run_dir": f"{root}/run",
        "otp_user": USER,
        "otp_group": USER,
        "otp_home": HOME,
        "otp_heart": True,
        "otp_heart_beat_timeout": 60,
        "otp_environment": {},
        "otp_epmd": True,
        "otp_epmd_port": str(host.port),
        "otp_epmd_address": "",
        "otp_service_manager": "sysv",
        "otp_service_name": service,
        "otp_init_script": f"/etc/init.d/{service}",
        "otp_start_at_boot": True,
        "otp_console": "run_erl",
        "otp_open_files": 0,
        "otp_log_generations": 5,
        "otp_log_max_size": 100000,
        "otp_node_name": name,
        "otp_long_names": False,
        "otp_dist_ports": "",
        "otp_code_mode": "",
        "otp_boot_server": False,
        "otp_boot_variables": {},
        "otp_erl_flags": [],
    }
    given = {"root": root, "user": USER, "home": HOME, "node_name": name, "cookie": "COOKIEOFTESTS", "package": package, "remote_src": True}
    return {**given, **rendered_options(variables), "state": "present", "sys_config": "[].\n", "vm_args": "", **more}
