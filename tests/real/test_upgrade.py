# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/upgrade.yml and rollback.yml, as an operator runs them: three nodes of this machine, one by one.

The tests stand in the order of a fleet's life, and share one site.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.erlang.otp.plugins.module_utils import _node
from ansible_collections.erlang.otp.plugins.module_utils._emulator import find_emulator

EXCHANGE = Path(__file__).parents[2] / "examples" / "exchange"
BIN = Path(sys.executable).parent
HOSTS = ("north", "south", "west")
ONE_BY_ONE = {"otp_serial": 1}


class Run(t.NamedTuple):
    """What ansible-playbook said; rows: the last summary, by host."""

    code: int
    output: str
    changed: dict[str, int]
    rows: dict[str, list[str]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Site:
    """A directory with an inventory, a builder and three hosts."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cookie = secrets.token_hex(16)
        self.epmd_port = free_port()
        self.ports = {host: free_port() for host in HOSTS}

    def root(self, host: str) -> str:
        return f"{self.directory}/{host}"

    def node(self, host: str) -> _node.Node:
        environment = {"ERL_EPMD_PORT": str(self.epmd_port)}
        return _node.Node(self.root(host), "root", f"{self.directory}/home", f"{self.root(host)}/log", f"{host}@localhost", environment=environment)

    def write_inventory(self, release: str, *earlier: str) -> None:
        source = f"{self.directory}/exchange-source"
        version = {"FIRST": "1.0", "SECOND": "2.0", "THIRD": "3.0"}[release]
        packages = [f"exchange-{name}.tar.gz" for name in earlier]
        of_builder = {
            "otp_rel": f"{source}/{release.lower()}.rel",
            "otp_code_path": [f"{source}/{version}/ebin"],
            "otp_release_sys_config_src": f"{source}/sys.config.src",
            "otp_build_dir": f"{self.directory}/build/{release}",
            "otp_upgrade_from": packages,
            "otp_downgrade_to": packages,
        }
        of_hosts = {
            host: {"otp_root": self.root(host), "otp_node_name": f"{host}@localhost", "otp_config_variables": {"EXCHANGE_PORT": self.ports[host]}}
            for host in HOSTS
        }
        of_all_hosts = {
            "otp_user": "root",
            "otp_home": f"{self.directory}/home",
            "otp_cookie": self.cookie,
            "otp_environment": {"ERL_EPMD_PORT": self.epmd_port},
            "otp_gate_retries": 1,
            "otp_gate_delay": 0,
        }
        inventory = {
            "all": {
                "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
                "children": {"otp_builders": {"hosts": {"builder": of_builder}}, "otp": {"hosts": of_hosts, "vars": of_all_hosts}},
            }
        }
        (self.directory / "inventory.yml").write_text(yaml.safe_dump(inventory))

    def program(self, playbook: str) -> list[str]:
        return [str(BIN / "ansible-playbook"), "-i", str(self.directory / "inventory.yml"), f"erlang.otp.{playbook}"]

    def play(self, playbook: str, *arguments: str, code: int = 0, **variables: t.Any) -> Run:
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0"}
        command = [
            str(BIN / "ansible-playbook"),
            "-i",
            str(self.directory / "inventory.yml"),
            f"erlang.otp.{playbook}",
            "-e",
            json.dumps(variables),
            *arguments,
        ]
        said = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False)
        assert said.returncode == code, said.stdout
        changed = {host: int(count) for host, count in re.findall(r"^(\w+) +: ok=.* changed=(\d+)", said.stdout, re.MULTILINE)}
        rows = {host: re.split(r"  +", row) for host, row in re.findall(r'^ +"(\w+)  +(.*?)",?$', said.stdout, re.MULTILINE)}
        return Run(said.returncode, said.stdout, changed, rows)

    def releases(self, host: str) -> set[tuple[str, str]]:
        """What the node's own release_handler says."""
        return {(version, status) for _name, version, status in _node.ask(self.node(host)).releases}

    def ask(self, host: str, question: str) -> str:
        """What the exchange itself answers."""
        with socket.create_connection(("127.0.0.1", self.ports[host]), timeout=10) as connection:
            with connection.makefile("rw", encoding="utf-8") as line:
                line.write(question + "\n")
                line.flush()
                return line.readline().rstrip("\n")

    def third(self) -> dict[str, t.Any]:
        """The variables that have the package that was built before."""
        return {"otp_package": f"{self.directory}/.packages/exchange-THIRD.tar.gz", "otp_upgrade_to": "THIRD"}

    def pids(self) -> dict[str, int | None]:
        return {host: find_emulator(self.root(host)) for host in HOSTS}


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    """Three nodes that run release FIRST."""
    directory = Path(tempfile.mkdtemp(prefix="otp-upgrade-"))
    site = Site(directory)
    shutil.copytree(EXCHANGE, directory / "exchange-source", ignore=shutil.ignore_patterns("*.beam", "*.rel"))
    subprocess.run(["make", "rels"], cwd=directory / "exchange-source", check=True, timeout=300, capture_output=True)
    epmd = subprocess.Popen(["epmd", "-address", "127.0.0.1", "-port", str(site.epmd_port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        site.write_inventory("FIRST")
        site.play("deploy")
        yield site
    finally:
        for host in HOSTS:
            _node.stop(site.root(host), quiet=1.0)
        epmd.terminate()
        epmd.wait(10)
        shutil.rmtree(directory)


def write_hooks(site: Site) -> dict[str, str]:
    """Hooks that write down when they were run."""
    paths = {}
    for name in ("before", "after"):
        path = site.directory / f"{name}.yml"
        tasks = [
            {"name": f"Hook {name}", "ansible.builtin.shell": f"echo {name} {{{{ inventory_hostname }}}} >> {site.directory}/hooks", "changed_when": False}
        ]
        path.write_text(yaml.safe_dump(tasks))
        paths[name] = str(path)
    return paths


def test_rolled_one_by_one_with_hooks_and_without_a_restart(site: Site) -> None:
    pids = site.pids()
    site.write_inventory("SECOND", "FIRST")
    gate = {"rpc": {"module": "release_handler", "function": "which_releases", "arguments": ["current"], "expect": "_"}}
    run = site.play("upgrade", otp_hooks=write_hooks(site), otp_gates=[gate, {"command": "true"}], **ONE_BY_ONE)
    assert site.pids() == pids
    for host in HOSTS:
        assert site.releases(host) == {("SECOND", "permanent"), ("FIRST", "old")}
        assert site.ask(host, "version") == "version 2.0"
        assert run.rows[host][:2] == ["FIRST", "SECOND"] and run.rows[host][3] == "done"
    assert (site.directory / "hooks").read_text().split("\n")[:-1] == [f"{when} {host}" for host in HOSTS for when in ("before", "after")]


def test_a_second_run_changes_nothing(site: Site) -> None:
    run = site.play("upgrade", **ONE_BY_ONE)
    assert run.changed == {"builder": 0, "north": 0, "south": 0, "west": 0}
    assert {row[-1] for row in run.rows.values()} >= {"unchanged"}


def test_a_gate_that_fails_takes_the_host_back_and_ends_the_run(site: Site) -> None:
    pids = site.pids()
    site.write_inventory("THIRD", "SECOND")
    gate = {"name": "not in the south", "command": "test {{ inventory_hostname }} != south"}
    run = site.play("upgrade", code=2, otp_gates=[gate], **ONE_BY_ONE)
    assert site.releases("north") == {("THIRD", "permanent"), ("SECOND", "old"), ("FIRST", "old")}
    assert ("SECOND", "permanent") in site.releases("south") and site.ask("south", "version") == "version 2.0"
    assert site.releases("west") == {("SECOND", "permanent"), ("FIRST", "old")}
    assert site.pids() == pids
    assert run.rows["north"][3] == "done" and run.rows["south"][3] == "rolled back" and run.rows["west"][3] == "not reached"
    assert "south: Run the commands: " in run.output


def test_check_mode_tells_and_brings_nothing(site: Site) -> None:
    run = site.play("upgrade", "--check", "--limit", "west", **site.third())
    assert run.rows["west"][:2] == ["SECOND", "SECOND"] and run.rows["west"][3] == "would go"
    assert site.releases("west") == {("SECOND", "permanent"), ("FIRST", "old")}
    assert not os.path.exists(f"{site.root('west')}/releases/THIRD")


def test_a_failure_takes_its_batch_back_and_is_remembered(site: Site) -> None:
    third = site.third()
    gate = {"rpc": {"module": "erlang", "function": "node", "expect": "south@localhost"}}
    again = {**third, "otp_serial": "100%"}
    run = site.play("upgrade", "--limit", "south,west", code=2, otp_gates=[gate], otp_rollback_batch=True, otp_verify_timeout=1, **again)
    assert run.rows["south"][3] == run.rows["west"][3] == "rolled back"
    assert ("SECOND", "permanent") in site.releases("south") and ("SECOND", "permanent") in site.releases("west")
    assert "south: another host of its batch failed" in run.output
    refused = site.play("upgrade", "--limit", "south,west", code=2, **again)
    assert refused.rows["west"][3] == "refused" and ("SECOND", "permanent") in site.releases("south")


def test_a_node_that_cannot_go_stops_its_batch_before_any_is_touched(site: Site) -> None:
    third = {**site.third(), "otp_force": True}
    _node.stop(site.root("west"), quiet=1.0)
    run = site.play("upgrade", "--limit", "south,west", code=2, otp_serial="100%", **third)
    assert ("SECOND", "permanent") in site.releases("south")
    assert run.rows["west"][3] == "refused" and "west: the node is down: " in run.output
    skipped = site.play("upgrade", "--limit", "west", otp_down="skip", **third)
    assert skipped.rows["west"][3] == "down, left alone"
    offline = site.play("upgrade", "--limit", "west", otp_down="offline", **third)
    assert offline.rows["west"][:2] == ["SECOND", "THIRD"] and find_emulator(site.root("west")) is None
    _node.start(site.node("west"))
    _node.wait_until_answering(site.node("west"), timeout=30)
    assert site.ask("west", "version") == "version 3.0"


def test_rollback_goes_to_the_release_that_each_node_came_from(site: Site) -> None:
    pids = site.pids()
    run = site.play("rollback", "--limit", "north,south")
    assert run.rows["north"][:2] == ["THIRD", "SECOND"] and run.rows["south"][:2] == ["SECOND", "FIRST"]
    assert site.ask("north", "version") == "version 2.0" and site.ask("south", "version") == "version 1.0"
    site.play("rollback", "--limit", "north", otp_upgrade_to="FIRST")
    assert ("FIRST", "permanent") in site.releases("north") and site.ask("north", "version") == "version 1.0"
    assert site.pids() == pids
    none_left = site.play("rollback", "--limit", "north", code=2)
    assert none_left.rows["north"][3] == "refused" and "there is no release to go to" in none_left.output


def test_a_run_that_was_killed_before_the_commit_is_finished_by_the_next(site: Site) -> None:
    pids = site.pids()
    second = {"otp_package": f"{site.directory}/.packages/exchange-SECOND.tar.gz", "otp_upgrade_to": "SECOND"}
    waiting = {**second, "otp_gates": [{"command": "sleep 60"}]}
    command = [*site.program("upgrade"), "--limit", "south", "-e", json.dumps(waiting)]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + 60
        while ("SECOND", "current") not in site.releases("south"):
            assert time.monotonic() < deadline and running.poll() is None
            time.sleep(0.2)
        os.killpg(running.pid, signal.SIGKILL)
    assert site.releases("south") >= {("SECOND", "current"), ("FIRST", "permanent")}
    run = site.play("upgrade", "--limit", "south", **second)
    assert run.rows["south"][:2] == ["FIRST", "SECOND"] and run.rows["south"][3] == "done"
    assert site.releases("south") >= {("SECOND", "permanent"), ("FIRST", "old")} and site.pids() == pids
