# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages as teams make them, and the commands of bin/NAME on their nodes and on that of a target system."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from team_packages import Teams
from terminal import Terminal
from test_packages import Packages
from upgrade_site import Run
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator, find_emulators

HOSTS = ("duo", "market")
USER = "nobody"
ELSEWHERE = f"do it as {USER}, or in a terminal on a host whose su has --pty"


class TeamSite(Packages):
    """Nodes of a service user that is not root."""

    def write(self) -> None:
        hosts = {host: {"otp_root": self.root(host), "otp_package": f"{self.directory}/{host}-{{{{ v }}}}.tar.gz"} for host in self.hosts}
        hosts["market"]["otp_environment"] = {"ERL_EPMD_PORT": self.epmd_port, "STALL_PRICE": "7"}
        hosts["duo"]["otp_config_variables"] = {"DUO_GREETING": "ave", "DUO_COOKIE": "theirs", "DUO_SIZE": "3"}
        everywhere = {"otp_user": USER, "otp_group": "nogroup", "otp_manage_user": False, "otp_home": f"{self.directory}/home", "otp_cookie": self.cookie}
        everywhere |= {name: int(LIMIT) for name in ("otp_start_timeout", "otp_restart_timeout", "otp_upgrade_timeout")}
        everywhere |= {"otp_environment": {"ERL_EPMD_PORT": self.epmd_port}, "otp_service_manager": "none"}
        connection = {"ansible_connection": "local", "ansible_python_interpreter": str(self.programs / "python")}
        self.inventory.write_text(yaml.safe_dump({"otp": {"hosts": hosts, "vars": {**connection, **everywhere}}}))

    def address(self, host: str) -> NodeAddress:
        return super().address(f"{host}@127.0.0.1")

    def node(self, host: str) -> _node.Node:
        return super().node(host)._replace(name=f"{host}@127.0.0.1")

    def run(self, host: str, *words: str, by: t.Sequence[str] = ()) -> tuple[int, str]:
        """The exit status of bin/NAME, and what it writes."""
        command = [*by, f"{self.root(host)}/bin/{host}", *words]
        said = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
        return said.returncode, said.stdout.strip()


def terminal_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[4]


@contextlib.contextmanager
def team_site(directory: Path) -> t.Iterator[TeamSite]:
    """The packages, made there, and EPMD; the nodes are stopped afterwards."""
    directory.chmod(0o755)
    site = TeamSite(directory, HOSTS)
    teams = Teams(directory)
    for make in (teams.duo, teams.market):
        make()
    site.write()
    epmd = subprocess.Popen(["epmd", "-address", "127.0.0.1", "-port", str(site.epmd_port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield site
    finally:
        for host in HOSTS:
            site.stop(host)
        epmd.terminate()
        epmd.wait(LIMIT)
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def site() -> t.Iterator[TeamSite]:
    with team_site(Path(tempfile.mkdtemp(prefix="otp-teams-"))) as site:
        yield site


@pytest.fixture(scope="module")
def deployed(site: TeamSite) -> Run:
    return site.play("deploy", v="0.1.0")


def test_deployed_as_they_are(site: TeamSite, deployed: Run) -> None:
    said = deployed.output.replace("\n", " ")
    assert deployed.changed == {"duo": 1, "market": 1} and site.play("deploy", v="0.1.0").changed == {"duo": 0, "market": 0}
    assert "has -name duo@127.0.0.1, which the variables of this host decide" in said
    assert "bin/duo runs hooks, and nothing on this host does: PRE_START_HOOKS (hooks/pre_start)" in said
    # Values of the host are in the configuration, and the cookie is not.
    assert Path(site.root("duo"), "releases/0.1.0/vm.args").read_text().split() == ["-proto_dist", "inet_tcp", "-env", "DUO_SIZE", "3"]
    for application in ("duo", "pair"):
        assert site.call("duo", "application", "get_key", Atom(application), Atom("vsn")) == (Atom("ok"), "0.1.0")
    # Of env.sh, and of the umbrella.
    assert site.variables_of("market")["STALL_SIGN"] == "open"
    assert (
        site.run("market", "rpc", "IO.inspect {node(), Enum.map([:stall, :till], &Application.spec(&1, :vsn))}")[1]
        == "{:\"market@127.0.0.1\", ['0.1.0', '0.1.0']}"
    )


def test_overlays(site: TeamSite, deployed: Run) -> None:
    """As tar would have it, but for the owner."""
    with tarfile.open(f"{site.directory}/duo-0.1.0.tar.gz") as package:
        members = {member.name.rstrip("/"): member.mode & 0o777 for member in package if member.name.startswith(("data/", "etc/", "bin/tool", "bin/hooks/"))}
    assert set(members) == {"data/empty", "etc/motd", "etc/host", "bin/tool", "bin/hooks/pre_start"}
    modes = {name: stat.S_IMODE(Path(site.root("duo"), name).stat().st_mode) for name in members}
    assert modes == members and Path(site.root("duo"), "data/empty").is_dir()


def test_without_erts(site: TeamSite) -> None:
    place = f"{site.directory}/thin/{{{{ inventory_hostname }}}}"
    refused = site.play("deploy", "--check", code=2, otp_package=f"{place}-0.1.0.tar.gz", otp_root=place).output.replace("\n", " ")
    for way_out in ("(relx: {include_erts, true})", "(mix: include_erts: true)"):
        assert f"build the package with its emulator {way_out}" in refused


@pytest.mark.parametrize(
    ("host", "words", "answer"),
    [
        ("duo", ("eval", "application:get_env(duo, greeting)."), (0, '{ok,"ave"}')),
        ("duo", ("eval", "X = 1,", '{X, "ρίζα", "it\'s $HOME"}'), (0, '{1,"ρίζα","it\'s $HOME"}')),
        ("duo", ("eval", "-1"), (0, "-1")),
        ("duo", ("eval", 'io:format("here~n")'), (0, "here\nok")),
        ("duo", ("eval", "foo("), (1, "syntax error before: '.'")),
        ("duo", ("eval", "error(boom)"), (1, "{'EXIT',{boom")),
        ("duo", ("rpc", "lists", "seq", "[1, 3]"), (0, "[1,2,3]")),
        ("duo", ("rpc", "erlang", "node"), (0, "'duo@127.0.0.1'")),
        ("duo", ("rpc", "none"), (1, "{'EXIT',{undef,[{none,start,[],[]}]}}")),
        ("market", ("rpc", "IO.puts node()"), (0, "market@127.0.0.1")),
        ("market", ("rpc", 'raise "x"'), (1, "** (RuntimeError) x")),
        # Another system, with runtime.exs and the environment of the node.
        (
            "market",
            ("eval", 'IO.inspect {node(), Application.load(:stall), Application.get_env(:stall, :price), System.get_env("STALL_SIGN")}'),
            (0, '{:nonode@nohost, :ok, "7", "open"}'),
        ),
        ("market", ("eval", "System.halt(4)"), (4, "")),
        ("duo", ("eval",), (2, "Usage: duo COMMAND")),
        ("duo", ("upgrade", "0.2.0"), (2, "Usage: duo COMMAND")),
    ],
)
def test_commands_of_relx_and_mix(site: TeamSite, deployed: Run, host: str, words: tuple[str, ...], answer: tuple[int, str]) -> None:
    code, said = site.run(host, *words)
    assert code == answer[0] and said.startswith(answer[1])
    assert code or said == answer[1]


def test_what_eval_leaves(site: TeamSite, deployed: Run) -> None:
    """Elixir writes what runtime.exs has read, secrets included, to a file."""
    mode = site.run("market", "eval", 'IO.puts File.stat!(System.get_env("RELEASE_SYS_CONFIG") <> ".config").mode')
    assert mode == (0, str(stat.S_IFREG | 0o600))
    assert {path.name for path in Path(site.root("market"), "run").iterdir()} == {"emulator.pid", "pipe", "market-0.1.0.runtime.config"}


def test_in_a_terminal(site: TeamSite, deployed: Run) -> None:
    """As root, whose terminal the service user does not get; nobody sees the cookie, and nothing takes the shell for the node."""
    asked = {"duo": ("duo@127.0.0.1)1>", "1000 + 234."), "market": ("iex(market@127.0.0.1)1>", "1000 + 234")}
    for host, (prompt, typed) in asked.items():
        node = find_emulator(site.root(host))
        with Terminal(f"{site.root(host)}/bin/{host}", "remote") as terminal:
            terminal.expect(prompt)
            terminal.type(f"{typed}\r")
            terminal.expect("1234")
            of_user = [pid for pid in terminal.processes() if os.stat(f"/proc/{pid}").st_uid]
            assert of_user and not [pid for pid in of_user if terminal_of(pid) == terminal_of(terminal.pid)]
            assert not [pid for pid in terminal.processes() if site.cookie in Path(f"/proc/{pid}/cmdline").read_text()]
            assert find_emulators(site.root(host)) == [node]
        wait_until(lambda gone=of_user: not any(os.path.exists(f"/proc/{pid}") for pid in gone), "a shell whose terminal is gone has ended")
    script = f"{site.root('duo')}/bin/duo"
    with Terminal(script, "attach") as terminal:
        terminal.expect("Attaching")
        terminal.type("\rlists:seq(5, 8).\r")
        terminal.expect("[5,6,7,8]")
        terminal.type("\x04")
        terminal.expect("[Quit]")
    with Terminal(script, "logs") as terminal:
        terminal.expect("[5,6,7,8]")
        assert site.run("duo", "eval", 'user:module_info(), io:format(user, "a new line~n", [])') == (0, "ok")
        terminal.expect("a new line")
        terminal.type("\x03")


def test_what_is_refused(site: TeamSite, deployed: Run) -> None:
    assert site.run("duo", "remote") == (1, f"{site.root('duo')}/bin/duo: remote needs a terminal, and root's is not for {USER}: {ELSEWHERE}")
    by = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "busybox", "ash"]
    assert site.run("duo", "eval", "1 + 1", by=by) == (0, "2")
    assert site.run("market", "eval", "IO.puts 2", by=["env", "RELEASE_VSN=9", *by]) == (1, f"{site.root('market')}/bin/market: release 9 is not installed")
    other = ["setpriv", "--reuid=1", "--regid=1", "--clear-groups"]
    assert site.run("duo", "eval", "1", by=other) == (1, f"{site.root('duo')}/bin/duo: only root and {USER} can do that")
    for host in HOSTS:
        site.stop(host)
        assert site.run(host, "rpc", "erlang", "node") == (1, f"{site.root(host)}/bin/{host}: the node does not run")
    assert site.run("market", "eval", "IO.puts 3") == (0, "3"), "such as a migration before the start"
