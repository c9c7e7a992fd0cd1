# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet on this machine, for fleet.py: hosts with names of their own behind one sshd, an epmd, a release package, an inventory."""

from __future__ import annotations

import contextlib
import getpass
import grp
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import yaml

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import requested_application
from ansible_collections.erlang.otp.plugins.module_utils._build.build import build_release
from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Options
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.tests.real.waiting import free_port

BIN = Path(sys.executable).parent
# A shell's start-up files would cost more than what is measured: so the hosts have a home directory with nothing in it.
SSHD_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/login_key.pub
PidFile {directory}/sshd.pid
SetEnv HOME={directory}/home
StrictModes no
UsePAM no
PasswordAuthentication no
MaxStartups 1000
Subsystem sftp internal-sftp
"""
# A connection for each name.
SSH_CONFIG = """\
Host node*
  HostName 127.0.0.1
  Port {port}
  IdentityFile {directory}/login_key
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
  ControlMaster auto
  ControlPersist 600
  ControlPath {directory}/mux-%n
"""


class Cost(t.NamedTuple):
    """Of one run: seconds by the clock, seconds of the controller's CPU, and of that of all, controller and hosts."""

    wall: float
    controller: float
    cpu: float


class Fleet:
    """Hosts node1, node2, ... of which each has a directory. Ended by ``end``."""

    def __init__(self, directory: Path, size: int) -> None:
        self.directory = directory
        self.names = [f"node{number}" for number in range(1, size + 1)]
        self.ports = {name: free_port() for name in ("sshd", "epmd")}
        self.user = getpass.getuser()
        directory.chmod(0o755)
        (directory / "home").mkdir()
        for key in ("host_key", "login_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / key], check=True)
        self.write("sshd_config", SSHD_CONFIG.format(directory=directory, port=self.ports["sshd"]))
        self.write("ssh_config", SSH_CONFIG.format(directory=directory, port=self.ports["sshd"]))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.write_inventory()
        self.package = self.build("1.0")
        self.next_package = self.build("1.1", self.package)
        self.sshd = subprocess.Popen([self.program("sshd"), "-D", "-f", directory / "sshd_config", "-E", directory / "sshd.log"])
        self.epmd = subprocess.Popen(["epmd", "-address", "127.0.0.1", "-port", str(self.ports["epmd"])], stdout=subprocess.DEVNULL)

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    @staticmethod
    def program(name: str) -> str:
        found = shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin:" + os.environ["PATH"])
        return found or sys.exit(f"this benchmark needs {name}")

    def root(self, name: str, kind: str = "ours") -> str:
        return f"{self.directory}/{kind}/{name}"

    def write_inventory(self) -> None:
        hosts = {name: {"otp_root": self.root(name), "otp_node_name": f"{name}x{os.getpid()}@localhost"} for name in self.names}
        variables = {
            "ansible_python_interpreter": os.path.realpath(sys.executable),
            "otp_user": self.user,
            "otp_service_manager": "none",
            "otp_group": grp.getgrgid(os.getegid()).gr_name,
            "otp_home": "{{ otp_root }}/home",
            "otp_cookie": "BENCHMARK",
            "otp_environment": {"ERL_EPMD_PORT": self.ports["epmd"]},
            "otp_heart": False,
            "otp_erl_flags": ["-kernel", "inet_dist_use_interface", "{127,0,0,1}", "+S", "1:1", "+sbwt", "none"],
            "otp_sys_config": {"kernel": {"logger_level": {"$atom": "error"}}},
        }
        groups = {"otp": {"hosts": hosts, "vars": variables}, "otp_builders": {"hosts": {}}}
        self.write("inventory.yml", yaml.safe_dump(groups))

    def build(self, version: str, *earlier: Path) -> Path:
        """A package of 8 MB, to which a node of an earlier one goes while it runs, and back."""
        options = Options(
            output_dir=str(self.directory / version),
            name="benchmark",
            version=version,
            applications=tuple(requested_application(name) for name in ("kernel", "stdlib", "sasl")),
            upgrade_from=tuple(map(str, earlier)),
            downgrade_to=tuple(map(str, earlier)),
        )
        said = build_release(options, Changes())
        self.erts_version = said["erts_version"]
        return Path(said["package"])

    said = ""

    def environment(self, **settings: str) -> dict[str, str]:
        """The environment of a program of Ansible, with more settings."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_FORKS": "16",
            "ANSIBLE_SSH_ARGS": f"-F {self.directory}/ssh_config",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "HOME": str(self.directory / "home"),
            **settings,
        }

    def run(self, program: str, *arguments: str | Path, **settings: str) -> Cost:
        """What a program of Ansible costs, which must succeed, with settings in its environment. Nodes that it starts do not count."""
        command = [BIN / program, "-i", self.directory / "inventory.yml", *arguments]
        hosts, before, start = self.cpu_of_hosts(), resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, env=self.environment(**settings), text=True, capture_output=True, check=False)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            sys.exit(f"{program} {' '.join(map(str, arguments))} failed:\n{done.stdout}\n{done.stderr}")
        self.said = done.stdout
        controller = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Cost(wall, controller, controller + self.cpu_of_hosts() - hosts)

    def cpu_of_hosts(self) -> float:
        """Seconds that sshd's processes have used, those that have ended among them: proc(5), fields 4 and 14 to 17 of stat."""
        ticks, children = {}, {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = path.read_text(errors="replace").rpartition(")")[2].split()
                ticks[int(path.parent.name)] = sum(map(int, fields[11:15]))
                children.setdefault(int(fields[1]), []).append(int(path.parent.name))
        total, waiting = 0, [self.sshd.pid]
        while waiting:
            process = waiting.pop()
            total += ticks.get(process, 0)
            waiting += children.get(process, [])
        return total / os.sysconf("SC_CLK_TCK")

    def stop_nodes(self) -> None:
        for kind in ("ours", "plain"):
            for root in sorted((self.directory / kind).glob("*/releases")):
                _node.stop(str(root.parent))

    def empty(self) -> None:
        """Hosts as they were at first."""
        self.stop_nodes()
        for kind in ("ours", "plain"):
            shutil.rmtree(self.directory / kind, ignore_errors=True)
            (self.directory / kind).mkdir()

    def end(self) -> None:
        self.stop_nodes()
        for name in self.names:
            subprocess.run(["ssh", "-F", self.directory / "ssh_config", "-O", "exit", name], check=False, capture_output=True)
        for process in (self.epmd, self.sshd):
            process.send_signal(signal.SIGTERM)
            process.wait(10)
