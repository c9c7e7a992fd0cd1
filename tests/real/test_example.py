# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The telephone exchange of examples/: compiled, and upgraded and downgraded by a real release handler."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from waiting import LIMIT, free_port

EXCHANGE = Path(__file__).parents[2] / "examples" / "exchange"
VERSIONS = {"1.0": "FIRST", "2.0": "SECOND", "3.0": "THIRD"}

# Each line of standard input is an Erlang expression; its value goes out as one line.
EVALUATOR = """
Evaluate = fun Again() ->
    case io:get_line("") of
        eof -> halt(0);
        Line ->
            {ok, Tokens, _} = erl_scan:string(Line),
            {ok, Expressions} = erl_parse:parse_exprs(Tokens),
            Value = try erl_eval:exprs(Expressions, []) of {value, V, _} -> V
                    catch Class:Reason -> {Class, Reason} end,
            io:format("~0tp~n", [Value]),
            Again()
    end
end,
Evaluate().
"""


class Node(t.NamedTuple):
    """An emulator that evaluates what it is told, and a connection to its exchange."""

    process: subprocess.Popen[str]
    line: t.TextIO

    def erl(self, expression: str) -> str:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{expression}.\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")

    def ask(self, command: str) -> str:
        self.line.write(f"{command}\n")
        self.line.flush()
        return self.line.readline().rstrip("\n")

    def install(self, release: str) -> str:
        return self.erl(f'release_handler:install_release("{release}")')


def erl(*, code: str, directory: Path) -> str:
    done = subprocess.run(
        ["erl", "-noinput", "-boot", "start_sasl", "-sasl", "sasl_error_logger", "false", "-eval", code + ", halt(0)."],
        cwd=directory,
        text=True,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, compiled in a place of its own, each version under lib/exchange-VSN."""
    directory = tmp_path_factory.mktemp("exchange")
    shutil.copytree(EXCHANGE, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.beam", "*.rel"))
    subprocess.run(["make", "rels"], cwd=directory, check=True, timeout=LIMIT, capture_output=True)
    for version in VERSIONS:
        shutil.copytree(directory / version / "ebin", directory / "lib" / f"exchange-{version}" / "ebin")
    return directory


@pytest.fixture(scope="module")
def releases(exchange: Path) -> Path:
    """A releases directory as release_handler wants it: boot scripts, relups, RELEASES with FIRST permanent."""
    releases = exchange / "releases"
    for release in VERSIONS.values():
        (releases / release).mkdir(parents=True)
        (releases / release / "sys.config").write_text("[].\n")
    lib = exchange / "lib"
    names = "[" + ", ".join(f'"{release.lower()}"' for release in VERSIONS.values()) + "]"
    code = f"""
        Paths = filelib:wildcard("{lib}/*/ebin"),
        [{{ok, _, []}} = systools:make_script(Name, [{{path, ["lib/exchange-" ++ Version ++ "/ebin"]}}, local, silent])
         || {{Name, Version}} <- lists:zip({names}, ["1.0", "2.0", "3.0"])],
        [{{ok, _, _, []}} = systools:make_relup(Name, Others, Others, [{{path, Paths}}, {{outdir, "releases/" ++ string:uppercase(Name)}}, silent])
         || {{Name, Others}} <- [{{"second", ["first"]}}, {{"third", ["second", "first"]}}]],
        [{{ok, _}} = file:copy(Name ++ ".boot", "releases/" ++ string:uppercase(Name) ++ "/start.boot") || Name <- {names}],
        ok = release_handler:create_RELEASES("{releases}", "{exchange}/first.rel", [{{exchange, "1.0", "{lib}"}}])
    """
    erl(code=code, directory=exchange)
    (releases / "RELEASES").rename(releases / "RELEASES.first")
    return releases


@pytest.fixture
def node(exchange: Path, releases: Path) -> t.Iterator[Node]:
    shutil.copy(releases / "RELEASES.first", releases / "RELEASES")
    port = free_port()
    process = subprocess.Popen(
        ["erl", "-noshell", "-boot", "first", "-mode", "embedded", "-sasl", "releases_dir", f'"{releases}"', "-sasl", "sasl_error_logger", "false"]
        + ["-kernel", "logger_level", "critical", "-exchange", "port", str(port), "-eval", EVALUATOR],
        cwd=exchange,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "ERL_CRASH_DUMP_SECONDS": "0"},
    )
    try:
        assert process.stdin and process.stdout
        process.stdin.write("ok.\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ok\n"
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as connection:
            yield Node(process, connection.makefile("rw", encoding="utf-8"))
    finally:
        process.kill()
        process.wait(LIMIT)


def unpacked(node: Node, releases: Path, version: str) -> None:
    release = VERSIONS[version]
    known = node.erl(f'release_handler:set_unpacked("{releases.parent}/{release.lower()}.rel", [{{exchange, "{version}", "{releases.parent}/lib"}}])')
    assert known == f'{{ok,"{release}"}}'


@pytest.mark.parametrize("inventory", ["local", "ssh"])
def test_the_roles_find_nothing_wrong_with_the_inventory(tmp_path: Path, inventory: str) -> None:
    playbook = tmp_path / "check.yml"
    playbook.write_text("[{hosts: otp, gather_facts: false, tasks: [{import_role: {name: erlang.otp.target_system, tasks_from: preflight.yml}}]}]")
    tools = Path(sys.executable).parent
    done = subprocess.run(
        [tools / "ansible-playbook", "-i", EXCHANGE.parent / "inventories" / inventory, "-e", "vault_otp_cookie=secret", playbook],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "EXCHANGE_DIRECTORY": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("failed=0") == {"local": 3, "ssh": 9}[inventory]


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_lists_the_modules_that_it_has(exchange: Path, version: str) -> None:
    ebin = exchange / version / "ebin"
    listed = erl(
        code=f'{{ok, [{{_, _, App}}]}} = file:consult("{ebin}/exchange.app"), [io:format("~s~n", [M]) || M <- proplists:get_value(modules, App)]',
        directory=exchange,
    ).split()
    assert sorted(listed) == sorted(beam.stem for beam in ebin.glob("*.beam"))


def test_relups_are_made_in_both_directions(releases: Path) -> None:
    code = """
        [begin {ok, [{To, Up, Down}]} = file:consult("releases/" ++ To ++ "/relup"),
               io:format("~s ~0p ~0p~n", [To, [V || {V, _, _} <- Up], [V || {V, _, _} <- Down]]) end || To <- ["SECOND", "THIRD"]]
    """
    assert erl(code=code, directory=releases.parent).splitlines() == [
        'SECOND ["FIRST"] ["FIRST"]',
        'THIRD ["FIRST","SECOND"] ["FIRST","SECOND"]',
    ]


def test_up_twice_and_down_twice_with_the_state_and_the_connection_kept(node: Node, releases: Path) -> None:
    for version in ("2.0", "3.0"):
        unpacked(node, releases, version)

    assert node.ask("version") == "version 1.0"
    assert [node.ask("dial anna"), node.ask("dial anna"), node.ask("dial bert")] == ["dialled anna 1", "dialled anna 2", "dialled bert 1"]
    assert node.ask("last anna") == "error unknown command"

    assert node.install("SECOND") == '{ok,"FIRST",[]}'
    assert node.ask("version") == "version 2.0"
    assert node.ask("calls anna") == "calls anna 2"
    assert node.ask("last anna") == "last anna never"
    assert node.ask("dial anna") == "dialled anna 3"
    assert node.ask("last anna").startswith("last anna 20")

    assert node.install("THIRD") == '{ok,"SECOND",[]}'
    assert node.ask("version") == "version 3.0"
    assert node.ask("rate") == "rate 0"
    assert node.ask("dial cora") == "dialled cora 1"
    assert node.ask("rate") == "rate 1"
    assert node.ask("calls") == "calls 5"
    assert node.erl("is_pid(whereis(exchange_meter))") == "true"

    assert node.install("SECOND") == '{ok,"SECOND",[]}'
    assert node.ask("version") == "version 2.0"
    assert node.ask("rate") == "error unknown command"
    assert node.ask("last cora").startswith("last cora 20")
    assert node.erl("{whereis(exchange_meter), code:is_loaded(exchange_meter)}") == "{undefined,false}"

    assert node.install("FIRST") == '{ok,"FIRST",[]}'
    assert node.ask("version") == "version 1.0"
    assert node.ask("last anna") == "error unknown command"
    assert [node.ask("calls anna"), node.ask("calls bert"), node.ask("calls")] == ["calls anna 3", "calls bert 1", "calls 5"]


def test_straight_from_the_first_to_the_third_and_back(node: Node, releases: Path) -> None:
    unpacked(node, releases, "3.0")
    node.ask("dial anna")
    assert node.install("THIRD") == '{ok,"FIRST",[]}'
    children = node.erl("lists:sort([Id || {Id, Pid, _, _} <- supervisor:which_children(exchange_sup), is_pid(Pid)])")
    assert children == "[exchange_line_sup,exchange_listener,exchange_meter,exchange_switch]"
    assert node.ask("dial anna") == "dialled anna 2"
    assert node.ask("rate") == "rate 1"
    assert node.install("FIRST") == '{ok,"FIRST",[]}'
    assert node.ask("calls anna") == "calls anna 2"


def test_one_line_of_many_ends_alone(node: Node) -> None:
    assert node.ask("nonsense") == "error unknown command"
    host, port = node.erl("application:get_env(exchange, ip)"), node.erl("application:get_env(exchange, port)")
    assert host == '{ok,"127.0.0.1"}'
    with socket.create_connection(("127.0.0.1", int(port.strip("{}").split(",")[1])), timeout=LIMIT) as other:
        other.sendall(b"dial dora\nbye\n")
        assert other.makefile("rb").read() == b"dialled dora 1\n"
    assert node.ask("calls dora") == "calls dora 1"
    assert node.ask("node").startswith("node nonode@nohost pid ")
