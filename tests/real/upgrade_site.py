# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet on this machine: an inventory, a builder and hosts with nodes that run the exchange, rolled by the playbooks."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import yaml
from error_blocks import check_blocks
from waiting import LIMIT, free_port

from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator

EXCHANGE = Path(__file__).parents[2] / "examples" / "exchange"
BIN = Path(sys.executable).parent
# Those of the oldest ansible-core that is supported, where they are installed beside.
FLOOR = Path(os.environ.get("OTP_TEST_FLOOR", BIN.parent.parent / ".venv-floor")) / "bin"
CORES = [BIN, FLOOR] if FLOOR.is_dir() else [BIN]
HOSTS = ("north", "south", "west")
VERSIONS = {"FIRST": "1.0", "SECOND": "2.0", "THIRD": "3.0", "FOURTH": "4.0", "FIFTH": "5.0", "SIXTH": "6.0"}
RECAP = re.compile(r"^(\w+) +: ok=.* changed=(\d+)", re.MULTILINE)
ROW = re.compile(r'^ +"(\w+)  +(.*?)",?$', re.MULTILINE)


class Run(t.NamedTuple):
    """What ansible-playbook said. changed: tasks by host; rows: the cells of the last summary, by host."""

    code: int
    output: str
    changed: dict[str, int]
    rows: dict[str, list[str]]


def run_of(code: int, output: str) -> Run:
    """A run that has ended."""
    changed = {host: int(count) for host, count in RECAP.findall(output)}
    return Run(code, output, changed, {host: re.split(r"  +", row) for host, row in ROW.findall(output)})


@functools.lru_cache(maxsize=None)
def _compiled() -> tempfile.TemporaryDirectory[str]:
    directory = tempfile.TemporaryDirectory(prefix="otp-exchange-")
    place = Path(directory.name, "exchange")
    shutil.copytree(EXCHANGE, place, ignore=shutil.ignore_patterns("*.beam", "*.rel"))
    subprocess.run(["make", "rels"], cwd=place, check=True, timeout=LIMIT, capture_output=True)
    return directory


def bring_exchange(place: Path) -> None:
    """Make a directory of the exchange with its release resource files. It is compiled once in a process."""
    shutil.copytree(f"{_compiled().name}/exchange", place)


class Site:
    """A directory with an inventory, a builder and hosts. programs: where ansible-playbook is."""

    def __init__(self, directory: Path, hosts: t.Sequence[str] = HOSTS, programs: Path = BIN) -> None:
        self.directory = directory
        self.hosts = tuple(hosts)
        self.programs = programs
        self.cookie = secrets.token_hex(16)
        self.epmd_port = free_port()
        self.ports = {host: free_port() for host in hosts}

    @property
    def inventory(self) -> Path:
        return self.directory / "inventory.yml"

    def root(self, host: str) -> str:
        return f"{self.directory}/{host}"

    def node(self, host: str) -> _node.Node:
        environment = {"ERL_EPMD_PORT": str(self.epmd_port)}
        return _node.Node(self.root(host), "root", f"{self.directory}/home", f"{self.root(host)}/log", f"{host}@localhost", environment=environment)

    def write_inventory(
        self, release: str, *earlier: str, way_down: bool = True, of_hosts: t.Mapping[str, t.Mapping[str, t.Any]] | None = None, **of_all: t.Any
    ) -> None:
        """The builder makes the release, with ways from and to earlier ones. of_hosts: variables of single hosts; of_all: those of all."""
        source = f"{self.directory}/exchange-source"
        packages = [f"exchange-{name}.tar.gz" for name in earlier]
        builder = {
            "otp_rel": f"{source}/{release.lower()}.rel",
            "otp_code_path": [f"{source}/{VERSIONS[release]}/ebin"],
            "otp_release_sys_config_src": f"{source}/sys.config.src",
            "otp_build_dir": f"{self.directory}/build/{release}",
            "otp_upgrade_from": packages,
            "otp_downgrade_to": packages if way_down else [],
            "otp_release_base": packages[0] if packages else "",
        }
        hosts = {
            host: {
                "otp_root": self.root(host),
                "otp_node_name": f"{host}@localhost",
                "otp_config_variables": {"EXCHANGE_PORT": self.ports[host]},
                **(of_hosts or {}).get(host, {}),
            }
            for host in self.hosts
        }
        everywhere = {
            "otp_user": "root",
            # Nothing in the machine's own /etc.
            "otp_service_manager": "none",
            "otp_home": f"{self.directory}/home",
            "otp_cookie": self.cookie,
            "otp_environment": {"ERL_EPMD_PORT": self.epmd_port},
            # Guards alone: a busy machine must not make a run fail.
            "otp_start_timeout": int(LIMIT),
            "otp_restart_timeout": int(LIMIT),
            "otp_upgrade_timeout": int(LIMIT),
            "otp_install_options": {"code_change_timeout": LIMIT, "suspend_timeout": LIMIT},
            "otp_gate_retries": 1,
            "otp_gate_delay": 0,
            **of_all,
        }
        inventory = {
            "all": {
                "vars": {"ansible_connection": "local", "ansible_python_interpreter": str(self.programs / "python")},
                "children": {"otp_builders": {"hosts": {"builder": builder}}, "otp": {"hosts": hosts, "vars": everywhere}},
            }
        }
        self.inventory.write_text(yaml.safe_dump(inventory))

    def package(self, release: str) -> dict[str, str]:
        """The variables that have a package that was built before."""
        return {"otp_package": f"{self.directory}/.packages/exchange-{release}.tar.gz", "otp_upgrade_to": release}

    def command(self, playbook: str, *arguments: str, programs: Path | None = None, **variables: t.Any) -> list[str]:
        """playbook: one of the collection, or a file."""
        program = str((programs or self.programs) / "ansible-playbook")
        name = playbook if "/" in playbook else f"erlang.otp.{playbook}"
        return [program, "-i", str(self.inventory), name, "-e", json.dumps(variables), *arguments]

    def environment(self) -> dict[str, str]:
        """That of ansible-playbook."""
        return {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_PIPELINING": "1"}

    def play(
        self, playbook: str, *arguments: str, code: int = 0, programs: Path | None = None, environment: dict[str, str] | None = None, **variables: t.Any
    ) -> Run:
        """Run a playbook with the variables, and see that it ends with the code."""
        command = self.command(playbook, *arguments, programs=programs, **variables)
        environment = {**self.environment(), **(environment or {})}
        said = subprocess.run(
            command, env=environment, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False
        )
        assert said.returncode == code, said.stdout
        check_blocks(said.stdout, code)
        return run_of(code, said.stdout)

    def releases(self, host: str) -> set[tuple[str, str]]:
        """What the node's own release_handler says."""
        return {(known.version, known.status) for known in _node.ask(self.node(host)).releases}

    def address(self, host: str) -> NodeAddress:
        return NodeAddress(node=f"{host}@localhost", cookie_file=f"{self.directory}/home/.erlang.cookie", epmd_port=self.epmd_port)

    def call(self, host: str, module: str, function: str, *arguments: t.Any) -> t.Any:
        """A function of the node."""
        with connect(self.address(host), timeout=LIMIT) as node:
            return node.call(module, function, list(arguments), timeout=LIMIT)

    def ask(self, host: str, question: str) -> str:
        """What the exchange itself answers."""
        with socket.create_connection(("127.0.0.1", self.ports[host]), timeout=LIMIT) as connection:
            with connection.makefile("rw", encoding="utf-8") as line:
                line.write(question + "\n")
                line.flush()
                return line.readline().rstrip("\n")

    def pids(self) -> dict[str, int | None]:
        return {host: find_emulator(self.root(host)) for host in self.hosts}

    @contextlib.contextmanager
    def at_work(self) -> t.Iterator[None]:
        """EPMD runs; afterwards the nodes are stopped, and the directory is gone."""
        epmd = subprocess.Popen(["epmd", "-address", "127.0.0.1", "-port", str(self.epmd_port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with self.without_epmd():
                yield
        finally:
            epmd.terminate()
            epmd.wait(LIMIT)

    @contextlib.contextmanager
    def without_epmd(self) -> t.Iterator[None]:
        """Afterwards the nodes are stopped, and the directory is gone."""
        try:
            yield
        finally:
            for host in self.hosts:
                self.stop(host)
            shutil.rmtree(self.directory)

    def start(self, host: str) -> None:
        _node.start(self.node(host))
        _node.wait_until_answering(self.node(host), timeout=LIMIT)

    def stop(self, host: str) -> None:
        _node.stop(self.root(host))


@contextlib.contextmanager
def upgrade_site(directory: Path, *, hosts: t.Sequence[str] = HOSTS, programs: Path = BIN, **of_all: t.Any) -> t.Iterator[Site]:
    """Nodes below the directory that run release FIRST; afterwards they are stopped, and the directory is gone. of_all: more variables."""
    site = Site(directory, hosts, programs)
    with site.at_work():
        bring_exchange(directory / "exchange-source")
        site.write_inventory("FIRST", **of_all)
        site.play("deploy")
        yield site
