# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages as teams make them, and the commands of bin/NAME on their nodes and on that of a target system (plain)."""

from __future__ import annotations

import contextlib
import io
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
from release_workshop import MINIMAL, Workshop
from secrecy import Watch
from team_packages import Teams
from terminal import Terminal
from test_packages import Packages
from upgrade_site import Run
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator, find_emulators

HOSTS = ("duo", "market", "plain")
USER = "nobody"
BY_USER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "busybox", "ash")
# What a shell, su, erl or Elixir might take for something of its own; and the longest argument that the kernel lets through, nearly.
ODD = ("-eval 'halt(7).' -- \"$(id)`id`\" \\ * ~\n\t%s; ρίζα \U0001d11e", "x" * 120_000)
ELSEWHERE = f"do it as {USER}, or in a terminal on a host whose su has --pty"


class TeamSite(Packages):
    """Nodes of a service user that is not root."""

    def write(self) -> None:
        hosts = {host: {"otp_root": self.root(host), "otp_package": f"{self.directory}/{host}-{{{{ v }}}}.tar.gz"} for host in self.hosts}
        hosts["market"]["otp_environment"] = {"ERL_EPMD_PORT": self.epmd_port, "STALL_PRICE": "7"}
        hosts["duo"]["otp_config_variables"] = {"DUO_GREETING": "ave", "DUO_COOKIE": "theirs", "DUO_SIZE": "3"}
        hosts["plain"]["otp_node_name"] = "plain@127.0.0.1"
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
        """The exit status of bin/NAME, and what it writes, in a directory that is root's alone."""
        command, place = [*by, f"{self.root(host)}/bin/{host}", *words], self.directory / "of-root"
        place.mkdir(mode=0o700, exist_ok=True)
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        said = subprocess.run(command, cwd=place, timeout=LIMIT, check=False, **pipes)
        return said.returncode, said.stdout.strip()


def terminal_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[4]


def with_computed_name(package: Path, path: Path) -> None:
    """The package of market, whose env.sh computes the name of the node."""
    with tarfile.open(package) as old, tarfile.open(path, "w:gz", compresslevel=1) as new:
        for member in old:
            content = t.cast("t.IO[bytes]", old.extractfile(member)).read() if member.isfile() else b""
            if member.name.endswith("/env.sh"):
                content = content.replace(b"market@127.0.0.1", b"market@$(echo 127.0.0.1)")
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))


@contextlib.contextmanager
def team_site(directory: Path) -> t.Iterator[TeamSite]:
    """The packages, made there, and EPMD; the nodes are stopped afterwards."""
    directory.chmod(0o755)
    site = TeamSite(directory, HOSTS)
    teams = Teams(directory)
    for make in (teams.duo, teams.market):
        make()
    workshop = Workshop(directory / "workshop", find_otp(None))
    workshop.directory.mkdir()
    rel = workshop.rel(*MINIMAL, name="plain", version="0.1.0")
    shutil.move(workshop.build(rel=rel, sys_config="[].\n")["package"], directory / "plain-0.1.0.tar.gz")
    site.write()
    with site.at_work():
        yield site


@pytest.fixture(scope="module")
def site() -> t.Iterator[TeamSite]:
    with team_site(Path(tempfile.mkdtemp(prefix="otp-teams-"))) as site:
        yield site


@pytest.fixture(scope="module")
def deployed(site: TeamSite) -> Run:
    return site.play("deploy", v="0.1.0")


def test_deployed_as_they_are(site: TeamSite, deployed: Run) -> None:
    said = deployed.output.replace("\n", " ")
    assert deployed.changed == dict.fromkeys(HOSTS, 1) and site.play("deploy", v="0.1.0").changed == dict.fromkeys(HOSTS, 0)
    # What installation and start make of these packages is no drift.
    assert [run[1:] for run in site.play("verify", v="0.1.0").rows.values() if run[0] == "0.1.0"] == [["the same"] * 3 + ["verified"]] * len(HOSTS)
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


def test_overlays_of_mix(site: TeamSite, deployed: Run, tmp_path: Path) -> None:
    """mix packs them more than once. The directory of the caller is root's alone."""
    tmp_path.chmod(0o700)
    with tarfile.open(f"{site.directory}/market-0.1.0.tar.gz") as package:
        assert package.getnames().count("bin/migrate") > 1
    said = subprocess.run([f"{site.root('market')}/bin/migrate"], cwd=tmp_path, text=True, capture_output=True, timeout=LIMIT, check=False)
    assert (said.returncode, said.stdout) == (0, "migrated\n"), said.stderr


def test_without_erts(site: TeamSite) -> None:
    place = f"{site.directory}/thin/{{{{ inventory_hostname }}}}"
    refused = site.play("deploy", "--check", "--limit", "duo:market", code=2, otp_package=f"{place}-0.1.0.tar.gz", otp_root=place).output.replace("\n", " ")
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
        ("plain", ("rpc", "-s", "halt"), (1, "{'EXIT',{undef,[{'-s',halt,[],[]}]}}")),
        ("plain", ("eval", "-noinput"), (1, "{'EXIT',{badarith")),
        ("plain", ("eval", " "), (1, "syntax error before: ")),
        ("plain", ("",), (2, "Usage: plain COMMAND")),
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


@pytest.mark.parametrize("by", [(), BY_USER], ids=["root", "user"])
def test_what_is_given_is_what_the_node_gets(site: TeamSite, deployed: Run, by: tuple[str, ...]) -> None:
    """And the cookie is in no argument of any process meanwhile."""
    with Watch(of_environment=(site.cookie, "lists:sum(")) as watch:
        for text in ODD:
            literal, total = '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"')), str(sum(map(ord, text)))
            assert site.run("plain", "eval", f"lists:sum({literal})", by=by) == (0, total)
            assert site.run("plain", "rpc", "lists", "sum", f"[{literal}]", by=by) == (0, total)
            for verb in ("eval", "rpc"):
                assert site.run("market", verb, f"IO.puts Enum.sum(String.to_charlist({literal}))", by=by) == (0, total)
        assert [site.run(host, "ping", by=by) for host in HOSTS] == [(0, "pong")] * 3
    assert watch.seen and not [arguments for arguments in watch.seen if site.cookie.encode() in arguments]


def test_what_eval_leaves(site: TeamSite, deployed: Run) -> None:
    """Elixir writes what runtime.exs has read, secrets included, to a file."""
    # Of the configuration, and of remote.vm.args, what the emulators have.
    kept = {"market-0.1.0.runtime.config", "market-0.1.0.remote.vm.args"}
    mode = site.run("market", "eval", 'IO.puts File.stat!(System.get_env("RELEASE_SYS_CONFIG") <> ".config").mode')
    assert mode == (0, str(stat.S_IFREG | 0o600))
    assert {path.name for path in Path(site.root("market"), "run").iterdir()} == {"emulator.pid", "pipe", *kept}


def test_in_a_terminal(site: TeamSite, deployed: Run) -> None:
    """As root, whose terminal the service user does not get; nobody sees the cookie, and nothing takes the shell for the node."""
    asked = {host: (f"{host}@127.0.0.1)1>", "1000 + 234.") for host in ("duo", "plain")} | {"market": ("iex(market@127.0.0.1)1>", "1000 + 234")}
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
    assert site.run("market", "eval", "IO.puts 2", by=("env", "RELEASE_VSN=9", *BY_USER)) == (
        1,
        f"{site.root('market')}/bin/market: release 9 is not installed",
    )
    other = ["setpriv", "--reuid=1", "--regid=1", "--clear-groups"]
    assert site.run("duo", "eval", "1", by=other) == (1, f"{site.root('duo')}/bin/duo: only root and {USER} can do that")
    for host in HOSTS:
        site.stop(host)
        for words in (("rpc", "erlang", "node"), ("ping",), ("pid",), ("attach",)):
            assert site.run(host, *words, by=BY_USER) == (1, f"{site.root(host)}/bin/{host}: the node does not run")
        assert site.run(host, "status") == (3, "stopped, release 0.1.0 is permanent") and site.run(host, "versions") == (0, "0.1.0 permanent")
    assert site.run("market", "eval", "IO.puts 3") == (0, "3"), "such as a migration before the start"


def test_names_and_hooks_in_the_inventory(site: TeamSite, deployed: Run) -> None:
    """What scripts of the packages would do. All nodes are down; market is another system."""
    package, hook, called = (site.directory / name for name in ("computed-0.1.0.tar.gz", "start.yml", "called"))
    with_computed_name(site.directory / "market-0.1.0.tar.gz", package)
    hook.write_text(yaml.safe_dump([{"name": "Start", "ansible.builtin.shell": f"{{{{ otp_root }}}}/bin/hooks/pre_start >>{called}", "changed_when": False}]))
    inventory = yaml.safe_load(site.inventory.read_text())
    hosts = inventory["otp"]["hosts"]
    hosts["market"] |= {"otp_root": f"{site.directory}/computed", "otp_package": str(package)}
    hosts["duo"]["otp_hooks"] = {"start": str(hook)}
    site.inventory.write_text(yaml.safe_dump(inventory))
    refused = site.play("deploy", "--limit", "market", code=2, v="0.1.0").output.replace("\n", " ")
    assert "env.sh computes RELEASE_NODE: set otp_node_name to NAME@HOST" in " ".join(refused.split())
    # That way out, and otp_hooks for those of relx.
    hosts["market"]["otp_node_name"] = "market@127.0.0.1"
    site.inventory.write_text(yaml.safe_dump(inventory))
    try:
        run = site.play("deploy", "--limit", "duo:market", v="0.1.0")
        assert run.changed == {"duo": 1, "market": 1} and called.read_text() == "tool\n"
        assert site.call("market", "erlang", "node") == Atom("market@127.0.0.1")
    finally:
        _node.stop(f"{site.directory}/computed")
