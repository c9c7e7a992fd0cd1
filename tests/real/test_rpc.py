# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""otp_rpc in a playbook, against real nodes: every option that its documentation names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.erlang.otp.plugins.modules.otp_rpc import DOCUMENTATION
from ansible_collections.erlang.otp.tests.real.nodes import COOKIE, Site, console, otp_of
from ansible_collections.erlang.otp.tests.real.waiting import LIMIT, free_port

NODE = "alpha@localhost"
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


class Asked(t.NamedTuple):
    """What the module returned for each task, by its name, and all that ansible-playbook printed."""

    results: dict[str, dict[str, t.Any]]
    output: str


@pytest.fixture(scope="module")
def site(erl: str) -> t.Iterator[Site]:
    with Site(otp_of("erl")) as site:
        site.up(NODE, "-sname", NODE)
        yield site


@pytest.fixture(scope="module")
def pipes(erl: str) -> t.Iterator[str]:
    with tempfile.TemporaryDirectory() as directory, console(otp_of("erl"), directory):
        yield directory


def play(directory: Path, tasks: dict[str, dict], *arguments: str, environment: dict[str, str] | None = None) -> Asked:
    """One play of these calls; what fails does not end it. A task's options may have keywords of the task in "task"."""
    listed = []
    for name, options in tasks.items():
        options = dict(options)
        keywords = options.pop("task", {})
        listed.append({"name": name, "erlang.otp.otp_rpc": options, "ignore_errors": True, **keywords})
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (directory / "play.yml").write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": listed}]))
    surroundings = {
        **os.environ,
        # Ansible's own way shows the options of the module with -vvv.
        "ANSIBLE_PIPELINING": "0",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_CALLBACK_FORMAT_PRETTY": "0",
        "ANSIBLE_INJECT_INVOCATION": "1",
    }
    command = [str(PLAYBOOK), "-i", "localhost,", str(directory / "play.yml"), "-v", *arguments]
    done = subprocess.run(
        command, env={**surroundings, **(environment or {})}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stdout
    results, name = {}, ""
    for line in done.stdout.splitlines():
        if line.startswith("TASK ["):
            name = line[6 : line.rindex("]")]
        elif " => {" in line and line.split(":")[0] in ("ok", "changed", "fatal", "skipping"):
            results[name] = {**json.loads(line[line.index(" => {") + 4 :]), "failed": line.startswith("fatal"), "skipped": line.startswith("skipping")}
    assert list(results) == list(tasks), done.stdout
    return Asked(results, done.stdout)


@pytest.fixture(scope="module")
def asked(site: Site, pipes: str, tmp_path_factory) -> Asked:
    """All calls of the tests below, in one play: what takes time is Ansible's start."""
    way = {"node": NODE, "cookie_file": site.cookie_file, "epmd_port": site.epmd_port}
    seq = {**way, "module": "lists", "function": "seq"}
    head = {**way, "module": "erlang", "function": "hd"}
    tasks = {
        "text and data": {**head, "arguments": ['[{ok,"Ωμ",#{1 => <<2>>}}]'], "text": True},
        "numbers": {**head, "arguments": ['[{[937,956],"Größe",[[255,256]|[300]],#{[7] => [72,105]}}]'], "expect": '{"Ωμ",_,_,_}'},
        "arguments as data": {**way, "module": "erlang", "function": "list_to_tuple", "arguments": [[5, "text", {"$binary": "b"}, True, {"a": 1, "b": 2}]]},
        "cookie": {"node": NODE, "cookie": COOKIE, "epmd_port": site.epmd_port, "module": "erlang", "function": "node"},
        "host and port": {**way, "host": "localhost", "port": 1, "module": "erlang", "function": "node"},
        "distribution": {**way, "transport": "distribution", "pipe_dir": "/nowhere", "module": "erlang", "function": "node"},
        "as expected": {**seq, "arguments": [1, 3], "expect": "[1,_|_]"},
        "as expected in data": {**seq, "arguments": [1, 3], "expect": [1, 2, 3]},
        "expected true": {**way, "module": "erlang", "function": "is_atom", "arguments": ["a"], "expect": True},
        "not as expected": {**seq, "arguments": [1, 3], "expect": "[1]"},
        "expected nodes": {**way, "module": "erlang", "function": "nodes", "arguments": ["known"], "expect_nodes": [NODE]},
        "a node is missing": {**way, "module": "erlang", "function": "nodes", "arguments": ["known"], "expect_nodes": [NODE, "gone@localhost"]},
        "raised": {**way, "module": "lists", "function": "reverse", "arguments": ["{'S',ecret}"]},
        "too late": {**way, "module": "timer", "function": "sleep", "arguments": ["infinity"], "timeout": 5},
        "no term": {**seq, "arguments": [1, "{"]},
        "no node": {**way, "node": "beta@localhost", "module": "erlang", "function": "node"},
        "wrong cookie": {"node": NODE, "cookie": "WRONGONE", "epmd_port": site.epmd_port, "module": "erlang", "function": "node"},
        "read only": {**way, "module": "erlang", "function": "node", "read_only": True},
        "pipe": {"pipe_dir": pipes, "module": "erlang", "function": "node"},
        "pipe by its name": {"pipe_dir": pipes + "/erlang.pipe.1", "transport": "pipe", "force": True, "module": "erlang", "function": "node"},
        "neither": {"module": "erlang", "function": "node"},
        "a pid": {**way, "module": "erlang", "function": "whereis", "arguments": ["rex"]},
    }
    return play(tmp_path_factory.mktemp("play"), tasks, "-vvv")


def test_result_as_text_and_as_data(asked: Asked):
    result = asked.results["text and data"]
    assert result["text"] == '{ok,"Ωμ",#{1 => <<2>>}}'
    assert result["result"] == {"$tuple": [{"$atom": "ok"}, "Ωμ", {"$map": [[1, {"$term": "<<2>>"}]]}]}
    assert result["node"] == NODE
    assert result["changed"] is True


def test_numbers_stay_numbers_unless_text_is_asked_for(asked: Asked):
    result = asked.results["numbers"]
    assert result["result"] == {"$tuple": [[937, 956], "Größe", [[255, 256], 300], {"$map": [[[7], "Hi"]]}]}
    assert result["text"] == '{[937,956],"Größe",[[255,256],300],#{[7] => "Hi"}}'
    assert not result["failed"]


def test_arguments_as_data(asked: Asked):
    assert asked.results["arguments as data"]["text"] == '{5,"text",<<"b">>,true,[{a,1},{b,2}]}'


@pytest.mark.parametrize("task", ["cookie", "distribution", "read only"])
def test_ways(asked: Asked, task):
    assert asked.results[task]["result"] == {"$atom": NODE}


def test_host_and_port(asked: Asked):
    assert "at localhost, port 1: Connection refused" in asked.results["host and port"]["msg"]


@pytest.mark.parametrize("task", ["pipe", "pipe by its name"])
def test_pipes(asked: Asked, task):
    assert asked.results[task]["text"] == "nonode@nohost"
    assert asked.results[task]["node"] == ""


@pytest.mark.parametrize("task", ["as expected", "as expected in data", "expected true", "expected nodes"])
def test_expect(asked: Asked, task):
    assert not asked.results[task]["failed"]


def test_expect_that_fails(asked: Asked):
    result = asked.results["not as expected"]
    assert result["failed"] and result["result"] == [1, 2, 3]
    assert result["msg"] == "lists:seq/2 returned [1,2,3], which is not as expected: [1]"


def test_a_node_that_is_missing(asked: Asked):
    assert re.search(rf"erlang:nodes/1 returned \[.*{NODE}.*\], which lacks gone@localhost$", asked.results["a node is missing"]["msg"])


def test_exceptions(asked: Asked):
    result = asked.results["raised"]
    assert result["failed"]
    assert result["msg"] == "lists:reverse/1 raised error:function_clause"
    assert result["raised"]["class"] == "error"
    assert result["raised"]["reason"] == "function_clause"
    assert result["raised"]["stacktrace"][0].startswith("{lists,reverse,[{'S',ecret}]")


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("too late", "timer:sleep/1 has not answered within"),
        ("no term", "arguments[1], line 1, column 2"),
        ("no node", "does not know a node beta"),
        ("wrong cookie", "refuses the cookie"),
        ("neither", "node, pipe_dir"),
    ],
)
def test_failures(asked: Asked, task, words):
    assert asked.results[task]["failed"]
    assert words in asked.results[task]["msg"]


def test_read_only_is_not_changed(asked: Asked):
    assert asked.results["read only"]["changed"] is False


def test_opaque(asked: Asked):
    assert asked.results["a pid"]["result"]["$opaque"].startswith(f"<{NODE}.")


def test_no_cookie_in_the_output(asked: Asked):
    assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in asked.output
    assert COOKIE not in asked.output
    assert "WRONGONE" not in asked.output


def test_check_mode_and_the_environment(site: Site, tmp_path):
    """In check mode a call that may change something is not made. The home directory and ERL_EPMD_PORT are those of the task."""
    way = {"node": "alpha"}
    name = {**way, "module": "erlang", "function": "node"}
    tasks = {
        "changes": {**way, "module": "application", "function": "set_env", "arguments": ["kernel", "from_check_mode", 1]},
        "changes all the same": {
            **way,
            "module": "application",
            "function": "set_env",
            "arguments": ["kernel", "all_the_same", 1],
            "task": {"check_mode": False},
        },
        "reads": {**name, "read_only": True},
        "looks": {**way, "module": "application", "function": "get_env", "arguments": ["kernel", "from_check_mode"], "read_only": True},
        "looks again": {**way, "module": "application", "function": "get_env", "arguments": ["kernel", "all_the_same"], "read_only": True},
    }
    environment = {"HOME": site.home, "ERL_EPMD_PORT": str(site.epmd_port), "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp")}
    results = play(tmp_path, tasks, "--check", environment=environment).results
    assert results["changes"]["skipped"]
    assert "check mode" in results["changes"]["msg"]
    assert results["reads"]["result"] == {"$atom": NODE}
    assert results["looks"]["text"] == "undefined"
    assert results["looks again"]["text"] == "{ok,1}"


def test_every_option_is_used_here():
    source = Path(__file__).read_text(encoding="utf-8")
    assert [option for option in yaml.safe_load(DOCUMENTATION)["options"] if f'"{option}"' not in source] == []


def test_nobody_listens(tmp_path):
    tasks = {"epmd": {"node": NODE, "cookie": COOKIE, "epmd_port": free_port(), "module": "erlang", "function": "node"}}
    assert "No epmd answers at localhost" in play(tmp_path, tasks).results["epmd"]["msg"]
