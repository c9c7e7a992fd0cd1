# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts of a scenario: playbooks run on them, faults, and what runs there."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import typing as t
import uuid
from pathlib import Path

import yaml

UTILS = Path(__file__).parent
ROOT = "/srv/exchange"
VERSIONS = {"1.0": "FIRST", "2.0": "SECOND", "3.0": "THIRD"}
ROW = re.compile(r'^ +"(\S+-[a-z]+\d+)  +(.*?)",?$', re.MULTILINE)
SETTINGS = {
    # As an operator with a bad connection sets them. Otherwise ssh waits as long as TCP does.
    "ANSIBLE_TIMEOUT": "10",
    "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=30s -o ServerAliveInterval=2 -o ServerAliveCountMax=5",
    # So that the output can be read here.
    "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    "ANSIBLE_FORCE_COLOR": "0",
    "ANSIBLE_NOCOLOR": "1",
}


class Run(t.NamedTuple):
    """The output of ansible-playbook; rows: the cells of its last summary, by host; text: the output without the breaks of its lines."""

    code: int
    output: str
    rows: dict[str, list[str]]
    text: str

    def outcomes(self) -> list[str]:
        return [self.rows[host][3] for host in sorted(self.rows)]


class Playbook:
    """One that runs."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.mark = f"OTP_TEST_RUN={uuid.uuid4()}"
        name, dummy, value = self.mark.partition("=")
        self.process = subprocess.Popen(
            command, env={**environment, name: value}, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def wait_for(self, line: str) -> None:
        """Read the output up to the line."""
        read = []
        for one in self.process.stdout or ():
            read.append(one)
            if line in one:
                return
        raise AssertionError(f"{line} is not in the output:\n{''.join(read)}")

    def kill(self) -> None:
        """It, with all that it has started on the controller. Its workers are not one process group: each has its own session."""
        while doomed := [path for path in Path("/proc").glob("[0-9]*") if self._is_mine(path)]:
            for path in doomed:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(path.name), signal.SIGKILL)
            self.process.poll()
        self.process.communicate()

    def _is_mine(self, path: Path) -> bool:
        with contextlib.suppress(OSError):
            return self.mark.encode() in path.joinpath("environ").read_bytes()
        return False

    def end(self, *codes: int) -> Run:
        """Its result, when it has ended; with one of these codes."""
        output, dummy = self.process.communicate(timeout=1800)
        assert self.process.returncode in codes, output
        rows = {host: re.split(r"  +", row) for host, row in ROW.findall(output)}
        return Run(self.process.returncode, output, rows, re.sub(r'",?\n +"? *', " ", output))


class Fleet:
    """The hosts in molecule's inventory. directory: for sockets of ssh, so its path must be short."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ports = directory / "ports.yml"
        self.inventory = Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent
        self.engine_program = os.environ["OTP_TEST_ENGINE"]
        self.network = os.environ["OTP_TEST_NETWORK"]
        self.groups = {
            name: sorted(group.get("hosts") or ()) for name, group in yaml.safe_load(Path(os.environ["MOLECULE_INVENTORY_FILE"]).read_text()).items()
        }
        self.hosts = self.groups["otp"]

    def engine(self, *arguments: str) -> str:
        """The output of podman or docker."""
        return subprocess.run([self.engine_program, *arguments], check=True, text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=900).stdout

    def run(self, host: str, command: str) -> str:
        """The output of a shell command on the host, without SSH."""
        return self.engine("exec", host, "sh", "-c", command)

    def start(self, playbook: str, *hosts: str, options: t.Sequence[str] = (), **variables: t.Any) -> Playbook:
        """Start the playbook on these hosts, or all. options: of ansible-playbook."""
        program = str(Path(sys.executable).parent / "ansible-playbook")
        command = [program, "-i", str(self.inventory), f"erlang.otp.{playbook}", "-e", json.dumps(variables), *options]
        if self.ports.exists():
            command += ["-i", str(self.ports)]
        if hosts:
            command += ["--limit", ",".join(hosts)]
        return Playbook(command, {**os.environ, **SETTINGS, "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.directory)})

    def package(self, release: str) -> Path:
        """Of this release, on the controller."""
        return self.inventory / ".packages" / f"exchange-{release}.tar.gz"

    def upgrade(self, release: str, *hosts: str, **variables: t.Any) -> Playbook:
        """Start the upgrade of these hosts, or all, to the release."""
        return self.start("upgrade", *hosts, otp_package=str(self.package(release)), otp_upgrade_to=release, otp_verify_timeout=10, **variables)

    def strike(self, *command: str, hook: str = "gate") -> dict[str, t.Any]:
        """Variables that have the engine's command for the host in the middle: by default between the installation and the commit."""
        return {"fault": [self.engine_program, *command], "otp_hooks": {hook: str(UTILS / "tasks" / "fault.yml")}}

    def revive(self, *command: str) -> None:
        """Bring a host back by the engine's command. Its SSH may have another port then."""
        self.engine(*command)
        host = command[-1]
        port = self.engine("port", host, "22/tcp").splitlines()[0].rpartition(":")[2]
        known = yaml.safe_load(self.ports.read_text()) if self.ports.exists() else {"otp": {"hosts": {}}}
        known["otp"]["hosts"][host] = {"ansible_port": int(port)}
        self.ports.write_text(yaml.safe_dump(known))

    def look(self, *hosts: str) -> list[tuple[str, str]]:
        """The releases that these hosts, or all, run and would boot. What runs is asked of the exchange itself."""
        dial = UTILS / "files" / "dial.py"
        found = []
        for host in hosts or self.hosts:
            command = [self.engine_program, "exec", "-i", host, "sh", "-c", f"python3 - 127.0.0.1 version; cat {ROOT}/releases/start_erl.data"]
            answer = subprocess.run(command, input=dial.read_text(), text=True, capture_output=True, timeout=900, check=True).stdout.split()
            found.append((VERSIONS[answer[1]], answer[-1]))
        return found

    def files(self, host: str) -> list[str]:
        """The files below the root directory except logs, and what a run may have left elsewhere."""
        own = f"find {ROOT} -path {ROOT}/log -prune -o -print"
        return sorted(self.run(host, f"{own}; find /var/tmp /tmp /home/deploy /root -name '*ansible*' -o -name '*.tar.gz'").split())
