# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node that has been taken over answers what it likes, by distribution and through the pipes of run_erl.

Each attack ends in one of our errors: in time, with no more memory than the largest answer needs, and with what the node said, shortened and
without control characters. The process that asks is one of its own, whose memory and time are measured.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest
from hostile_node import NODE, Answer, HostileNode, HostilePipes, compressed, evaluating

from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import encode
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import parse_one

# What a module does: it connects, asks for the node's state or calls a function, and reports an OtpError.
PROGRAM = """
import json, sys, time
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import observe
from ansible_collections.erlang.otp.plugins.module_utils._terms.plain_data import from_term
asked = json.loads(sys.argv[1])
began = time.process_time()
try:
    with connect(NodeAddress(**asked["address"]), timeout=asked["timeout"]) as node:
        from_term(node.call("m", "f", [], timeout=asked["timeout"])) if asked["calls"] else observe(node, timeout=asked["timeout"])
    said = {"error": None}
except OtpError as error:
    said = {"error": type(error).__name__, "text": str(error)}
memory = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({**said, "processor": time.process_time() - began, "memory": memory >> 10}))
"""
MEBIBYTES = 500


def ask(way: HostileNode | HostilePipes, *, calls: bool = False, timeout: float = 20.0) -> dict[str, t.Any]:
    """What a module makes of the node's answers."""
    argument = json.dumps({**way.address(timeout), "calls": calls})
    done = subprocess.run([sys.executable, "-c", PROGRAM, argument], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    said: dict[str, t.Any] = json.loads(done.stdout)
    if said["error"]:
        assert len(said["text"]) < 2000 and said["text"].replace("\n", "").isprintable(), said
    return said


def list_of(element: bytes, count: int) -> bytes:
    return b"l" + struct.pack(">I", count) + element * count + b"j"


BOMBS = {
    "empty lists, compressed": compressed(list_of(b"j", 60 << 20)),
    "atoms, compressed": compressed(list_of(b"w\0", 30 << 20)),
    "ten million empty lists": b"\x83" + list_of(b"j", 10_000_000),
    "strings as tails of tails": b"\x83" + (b"l\0\0\0\1aa") * 190 + list_of(b"aa", 1_000_000),
    "a term without an end": b"\x83" + b"h\1" * 100_000 + b"j",
    "an atom of 65 kB": b"\x83d\xff\xff" + b"a" * 65535,
    "a number of a megabyte": b"\x83o" + struct.pack(">IB", 1 << 20, 0) + b"\xff" * (1 << 20),
    "not a term": b"\x83\xff",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
@pytest.mark.parametrize("is_pipe", [False, True], ids=["distribution", "pipes"])
def test_an_answer_that_would_fill_the_memory(bomb: bytes, is_pipe: bool, tmp_path: Path, record_property: t.Callable[[str, str], None]) -> None:
    assert len(bomb) < 11_000_000 and (bomb[1] != 80 or len(bomb) < 70_000)
    with hostile(bomb, is_pipe, tmp_path) as node:
        said = ask(node, calls=True)
    assert said["error"], "the attack was not an answer at all"
    assert said["memory"] < MEBIBYTES and said["processor"] < 30, said
    record_property("figure", f"{said['memory']} MiB, {said['processor']:.1f} s: {said['text'][:90]}")


def hostile(answer: bytes, is_pipe: bool, directory: Path) -> HostileNode | HostilePipes:
    def leave(call: str) -> None:
        content = b"\x83h\2" + encode(parse_one("return"))[1:] + answer[1:] if answer[1] != 80 else answer
        Path(call, "outcome.new").write_bytes(content)
        os.rename(f"{call}/outcome.new", f"{call}/outcome")

    def reply(module: str, function: str) -> bytes:
        return answer if module == "m" else encode(parse_one("undefined"))

    return HostilePipes(str(directory), leave) if is_pipe else HostileNode(reply)


STATE = '{"123",a,started,[{%s}],none,"","/srv/x","/srv/x/releases"}'
STATES = {
    "a version that is an integer": STATE % '"x",1,["kernel-8"],permanent',
    "a version that leads elsewhere": STATE % '"x","../../etc",[],permanent',
    "a version that clears the screen": STATE % '"x","\\e[2J\\x{9b}2J\\x{202e}",[],permanent',
    "a status that is a map": STATE % '"x","1",[],#{}',
    "libraries that are an atom": STATE % '"x","1",all,permanent',
    "a process that is all of them": STATE.replace("123", "-1") % "",
    "releases that are no list": '{"123",a,started,7,none,"","/srv/x",""}',
    "another shape": "ok",
    "a very long text": '"' + "x" * 100_000 + '"',
}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES.keys())
def test_a_state_of_other_types(state: str) -> None:
    with HostileNode(evaluating(encode(parse_one(state))[1:])) as node:
        said = ask(node)
    assert said["error"] == "BadAnswer" and ("asked for its state, answers " in said["text"])


def test_the_hostile_node_is_believed_where_it_says_what_is_meant() -> None:
    with HostileNode(evaluating(encode(parse_one(STATE % '"x","1",["kernel-8"],permanent'))[1:])) as node:
        assert ask(node)["error"] is None


NOTHING: Answer = lambda _module, _function: None  # noqa: E731


@pytest.mark.parametrize(
    ("hidden", "words"),
    [
        ({}, "has not answered within"),
        ({"raw": bytes(4) * 10_000}, "has not answered within"),
        ({"raw": (struct.pack(">I", 7) + b"p\x83h\2a\x63j") * 10_000}, "has not answered within"),
        ({"epmd": b"x" * 100_000}, "not an epmd"),
        ({"name": b"hostile@localhost\x1b[2J"}, "is called hostile@localhost[2J, not"),
        ({"name": b"h" * 60_000}, "a name of 60000 characters"),
    ],
    ids=["silence", "ticks without end", "messages to nobody without end", "an epmd without end", "a name that clears the screen", "a name without end"],
)
def test_a_node_that_never_comes_to_the_point(hidden: dict[str, bytes], words: str) -> None:
    with HostileNode(NOTHING, **hidden) as node:  # type: ignore[arg-type]
        said = ask(node, timeout=2.0)
    assert said["error"] and words in said["text"] and said["memory"] < MEBIBYTES


def test_an_answer_that_is_still_decoded_at_the_end_of_the_timeout() -> None:
    answer = b"\x83" + list_of(b"h\1j", 300_000)
    with HostileNode(lambda module, _function: answer if module == "m" else encode(parse_one("undefined"))) as node:
        assert ask(node, calls=True, timeout=60.0)["error"] is None
        said = ask(node, calls=True, timeout=0.2)
    assert said["error"] == "CallTimeout"


LEFT: dict[str, t.Callable[[str], t.Any]] = {
    "a pipe": os.mkfifo,
    "a directory": os.mkdir,
    "a device": lambda path: os.symlink("/dev/zero", path),
    "a file of root": lambda path: os.symlink("/etc/shadow", path),
    "a file of two gigabytes": lambda path: os.close(sparse(path)),
}


def sparse(path: str) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.truncate(descriptor, 2 << 30)
    return descriptor


@pytest.mark.parametrize("leave", LEFT.values(), ids=LEFT.keys())
def test_what_is_left_as_the_answer_is_no_file(leave: t.Callable[[str], t.Any], tmp_path: Path) -> None:
    with HostilePipes(str(tmp_path), lambda call: leave(f"{call}/outcome")) as node:
        said = ask(node, calls=True)
    assert said["error"] == "CallError" and "outcome" in said["text"] and said["memory"] < MEBIBYTES


@pytest.mark.parametrize("name", ["erlang.pipe.1.w", "erlang.pipe.1.r"])
def test_a_link_in_the_place_of_a_pipe_overwrites_nothing(name: str, tmp_path: Path) -> None:
    victim = Path(tempfile.mkdtemp(dir=tmp_path)) / "victim"
    victim.write_text("whole")
    with HostilePipes(str(tmp_path), lambda _call: None) as node:
        (tmp_path / name).rename(tmp_path / "moved")
        (tmp_path / name).symlink_to(victim)
        said = ask(node, calls=True, timeout=3.0)
    assert said["error"] == "Unreachable" and name in said["text"]
    assert victim.read_text() == "whole"


def test_the_node_is_named() -> None:
    with HostileNode(lambda _module, _function: b"\x83\xff") as node:
        assert NODE in ask(node)["text"]
