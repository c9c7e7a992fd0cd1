# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two hosts of this machine that playbooks/deploy.yml deploys, with a service user that it makes."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml
from error_blocks import check_blocks
from waiting import LIMIT, free_port

from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node

BIN = Path(sys.executable).parent
HOSTS = ("north", "south")
# Spaces, quotes and letters of another alphabet stand in the paths of one of the hosts.
DIRECTORIES = {"north": "north", "south": "south ρίζα it's"}


class Run(t.NamedTuple):
    """What ansible-playbook said, and what otp_target_system returned for each host."""

    code: int
    output: str
    results: dict[str, dict[str, t.Any]]
    changed: dict[str, int]


class Site:
    """A directory with an inventory, two hosts, and a service user that the first deploy makes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.user = f"otp{os.getpid()}"
        self.cookie = secrets.token_hex(16)
        self.epmd_port = free_port()
        self.ports = {host: free_port() for host in HOSTS}
        self.deployed: Run | None = None

    def root(self, host: str) -> str:
        return f"{self.directory}/{DIRECTORIES[host]}/exchange"

    def home(self, host: str) -> str:
        return f"{self.directory}/{DIRECTORIES[host]}/home"

    def node(self, host: str) -> _node.Node:
        return _node.Node(
            root=self.root(host),
            user=self.user,
            home=self.home(host),
            log_directory=f"{self.root(host)}/log",
            name=f"{host}{self.user}@localhost",
            environment={"ERL_EPMD_PORT": str(self.epmd_port)},
        )

    def write_inventory(self) -> None:
        of_hosts = {
            host: {
                "otp_root": self.root(host),
                "otp_home": self.home(host),
                "otp_node_name": self.node(host).name,
                "otp_config_variables": {"EXCHANGE_PORT": self.ports[host]},
            }
            for host in HOSTS
        }
        of_all_hosts = {
            "otp_user": self.user,
            "otp_service_manager": "none",
            "otp_cookie": self.cookie,
            "otp_environment": {"ERL_EPMD_PORT": self.epmd_port},
            "otp_erl_flags": ["-kernel", "inet_dist_use_interface", "{127,0,0,1}"],
            "otp_code_mode": "interactive",
            "otp_heart_beat_timeout": 30,
            "otp_epmd_address": "127.0.0.1",
            "otp_vm_args": "+P 100000\n-otptest 'a flag' \"with spaces\"\n",
        }
        of_builder = {
            "otp_rel": f"{self.directory}/exchange-source/first.rel",
            "otp_code_path": [f"{self.directory}/exchange-source/1.0/ebin"],
            "otp_release_sys_config_src": f"{self.directory}/exchange-source/sys.config.src",
            "otp_build_dir": f"{self.directory}/build",
        }
        inventory = {
            "all": {
                "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
                "children": {"otp_builders": {"hosts": {"builder": of_builder}}, "otp": {"hosts": of_hosts, "vars": of_all_hosts}},
            }
        }
        (self.directory / "inventory.yml").write_text(yaml.safe_dump(inventory, allow_unicode=True))

    def ansible(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_FORMAT_PRETTY": "0", "ANSIBLE_LOCALHOST_WARNING": "0"}
        command = [str(BIN / program), "-i", str(self.directory / "inventory.yml"), *arguments]
        return subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)

    def deploy(self, *arguments: str, code: int = 0, **variables: t.Any) -> Run:
        said = self.ansible("ansible-playbook", "erlang.otp.deploy", "-v", "-e", json.dumps(variables), *arguments)
        assert said.returncode == code, said.stdout
        check_blocks(said.stdout, code)
        results = {}
        for host, text in re.findall(r"^(?:ok|changed|fatal): \[(\w+)\](?:: FAILED!)? => (\{.*\})$", said.stdout, re.MULTILINE):
            result = json.loads(text)
            if "actions" in result or result.get("failed"):
                results[host] = result
        changed = {host: int(count) for host, count in re.findall(r"^(\w+) +: ok=.* changed=(\d+)", said.stdout, re.MULTILINE)}
        return Run(said.returncode, said.stdout, results, changed)

    def ask(self, host: str, question: str) -> str:
        """What the exchange itself answers."""
        with socket.create_connection(("127.0.0.1", self.ports[host]), timeout=LIMIT) as connection:
            with connection.makefile("rw", encoding="utf-8") as line:
                line.write(question + "\n")
                line.flush()
                return line.readline().rstrip("\n")

    def as_user(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(command),
            user=self.user,
            group=self.user,
            extra_groups=[],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT,
            check=False,
        )
