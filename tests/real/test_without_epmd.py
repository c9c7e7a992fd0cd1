# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes that use no EPMD, and nodes of IPv6: deployed, asked, upgraded. No EPMD comes to be on the port of the former."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from upgrade_site import Site, bring_exchange
from waiting import LIMIT, free_port, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._formats.distribution_flags import PORT, distribution_of
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node

# Each says it in its own way: by the inventory, in vm.args with a long name, with IPv6; and one of IPv6 has EPMD.
# No node of another test has these names, by which it is looked for among all processes.
HOSTS = ("oslo", "lima", "faro", "kobe")
NAMES = {"oslo": "oslo@localhost", "lima": "lima@127.0.0.1", "faro": "faro@localhost", "kobe": "kobe@localhost"}
# What the name of a host is in IPv6.
HOSTS_FILE = '{file,hosts,"/dev/null"}.\n{host,{0,0,0,0,0,0,0,1},["localhost"]}.\n{host,{127,0,0,1},["localhost"]}.\n{lookup,[file,native]}.\n'


class Direct(Site):
    """Hosts whose nodes listen at known ports."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, HOSTS)
        self.listens = {host: free_port() for host in HOSTS}
        self.other_epmd = free_port()

    def write(self, release: str, *earlier: str) -> None:
        of_ipv6 = f"-proto_dist inet6_tcp\n-start_epmd false\n-erl_epmd_port {self.listens['faro']}\n"
        inetrc = {"ERL_EPMD_PORT": self.epmd_port, "ERL_INETRC": f"{self.directory}/inetrc"}
        of_hosts = {
            "oslo": {"otp_epmd": False, "otp_dist_ports": self.listens["oslo"]},
            "lima": {"otp_vm_args": f"-start_epmd false\n-erl_epmd_port {self.listens['lima']}\n", "otp_node_name": NAMES["lima"]},
            "faro": {"otp_vm_args": of_ipv6, "otp_environment": inetrc},
            "kobe": {"otp_erl_flags": ["-proto_dist", "inet6_tcp"], "otp_environment": {**inetrc, "ERL_EPMD_PORT": self.other_epmd}},
        }
        self.write_inventory(release, *earlier, of_hosts=of_hosts)

    def node(self, host: str) -> _node.Node:
        environment = {"ERL_EPMD_PORT": str(self.other_epmd if host == "kobe" else self.epmd_port)}
        return super().node(host)._replace(name=NAMES[host], environment=environment)

    def has_epmd(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.epmd_port)) == 0

    def run(self, host: str, *words: str) -> str:
        """What bin/exchange writes."""
        command = [f"{self.root(host)}/bin/exchange", *words]
        said = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
        assert said.returncode == 0, said.stdout
        return said.stdout.strip()


def quoted(name: str) -> str:
    """The name as an atom."""
    return f"'{name}'" if name.rpartition("@")[2][0].isdecimal() else name


@pytest.fixture(scope="module")
def site(erl: str) -> t.Iterator[Direct]:
    site = Direct(Path(tempfile.mkdtemp(prefix="otp-direct-")))
    (site.directory / "inetrc").write_text(HOSTS_FILE)
    bring_exchange(site.directory / "exchange-source")
    epmd = subprocess.Popen(["epmd", "-port", str(site.other_epmd)])
    try:
        with site.without_epmd():
            site.write("FIRST")
            site.play("deploy")
            yield site
    finally:
        epmd.kill()
        epmd.wait(LIMIT)


def test_deployed_and_asked(site: Direct) -> None:
    assert site.play("deploy").changed == dict.fromkeys(("builder", *HOSTS), 0)
    rows = site.play("status").rows
    assert {rows[host][0] for host in HOSTS} == {"running"}
    for host in HOSTS:
        if host != "kobe":
            with socket.create_connection(("127.0.0.1", site.listens[host]), LIMIT):
                pass
    assert not site.has_epmd()


def test_called_by_a_task_that_knows_the_name_alone(site: Direct) -> None:
    """By a name with and without its host."""
    call = {"cookie": site.cookie, "module": "erlang", "function": "node", "expect": "{{ item.expect }}", "read_only": True, "node": "{{ item.node }}"}
    asked = [{"node": name, "expect": quoted(NAMES[host])} for host in HOSTS[:3] for name in (NAMES[host], host)]
    play = {"hosts": "oslo", "gather_facts": False, "tasks": [{"name": "Ask", "erlang.otp.otp_rpc": call, "loop": asked}]}
    (site.directory / "ask.yml").write_text(yaml.safe_dump([play]))
    site.play(f"{site.directory}/ask.yml")


@pytest.mark.parametrize("host", HOSTS)
def test_commands(site: Direct, host: str) -> None:
    assert site.run(host, "ping") == "pong"
    assert site.run(host, "rpc", "erlang", "node") == site.run(host, "eval", "node().") == quoted(NAMES[host])


def test_upgraded_while_they_run_and_back(site: Direct) -> None:
    pids = site.pids()
    site.write("SECOND", "FIRST")
    run = site.play("upgrade", otp_serial="100%")
    assert {run.rows[host][-2] for host in HOSTS} == {"done"} and {site.ask(host, "version") for host in HOSTS} == {"version 2.0"}
    site.play("rollback", otp_serial="100%")
    assert {site.ask(host, "version") for host in HOSTS} == {"version 1.0"} and site.pids() == pids
    assert not site.has_epmd()


def test_heart_starts_them_again(site: Direct) -> None:
    pids = site.pids()
    for pid in pids.values():
        os.kill(t.cast("int", pid), signal.SIGKILL)
    for host in HOSTS:
        wait_until(lambda host=host: _node.find_emulator(site.root(host)) not in (None, pids[host]), f"heart has started {host}")
        _node.wait_until_answering(site.node(host), timeout=LIMIT)
    assert not site.has_epmd()


def test_stopped_and_started(site: Direct) -> None:
    site.play("stop", otp_serial="100%")
    assert site.pids() == dict.fromkeys(HOSTS)
    site.play("start", otp_serial="100%")
    assert {_node.ask(site.node(host)).status for host in HOSTS} == {"started"} and not site.has_epmd()


def test_the_inventory_decides_the_port(site: Direct) -> None:
    """Where vm.args has one as well: it is left out there, as erl_epmd would take neither."""
    at, of_package = site.listens["lima"], free_port()
    vm_args = f"-start_epmd false\n-erl_epmd_port {of_package}\n"
    changes = {"otp_epmd": False, "otp_dist_ports": at, "otp_vm_args": vm_args, "otp_restart_on_change": True}
    run = site.play("deploy", "--limit", "lima", otp_package=f"{site.directory}/.packages/exchange-FIRST.tar.gz", **changes)
    assert "has -start_epmd false, -erl_epmd_port" in " ".join(run.output.split())
    assert _node.ask(site.node("lima")).status == "started"
    with socket.create_connection(("127.0.0.1", at), LIMIT):
        pass


def test_a_port_in_both_ways(site: Direct) -> None:
    """Refused before the node is touched. OTP says the same, or is one that does not know the parameter: then it listens where the flag says."""
    by_flag, by_parameter = free_port(), free_port()
    both = ["-start_epmd", "false", "-erl_epmd_port", str(by_flag), "-kernel", PORT, str(by_parameter)]
    ports = '[element(2,inet:port(P)) || P <- erlang:ports(), {name,"tcp_inet"} =:= erlang:port_info(P,name)]'
    command = ["erl", "-noinput", "-sname", "both@localhost", *both, "-eval", f'io:format("~w~n", [{ports}]), halt().']
    said = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False, cwd=site.directory).stdout
    assert re.search("should be specified, not both", said) or f"[{by_flag}]" in said.splitlines() and distribution_of(both).port == by_flag, said

    pids, package = site.pids(), f"{site.directory}/.packages/exchange-FIRST.tar.gz"
    changes = {"otp_epmd": False, "otp_dist_ports": site.listens["lima"], "otp_vm_args": f"-kernel {PORT} {by_parameter}\n", "otp_restart_on_change": True}
    run = site.play("deploy", "--limit", "lima", code=2, otp_package=package, **changes)
    assert f"-erl_epmd_port, and the given vm.args has the parameter {PORT} of kernel" in " ".join(run.output.split()) and site.pids() == pids
    # The way out.
    site.play("deploy", "--limit", "lima", otp_package=package, **{**changes, "otp_vm_args": ""})
    assert _node.ask(site.node("lima")).status == "started"
