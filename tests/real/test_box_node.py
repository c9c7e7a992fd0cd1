# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node of a box without Python: its shell, bin/NAME, the files that it reads, and heart.

One box goes through it all: the tests come in their order.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import time
import typing as t

import pytest
from box_site import COOKIE, NAMED, Box, a_box
from handler_site import Releases
from secrecy import Watch
from terminal import Terminal
from waiting import wait_until

SCRIPT = "/srv/counter/bin/COUNTER"
AS_USER = f"start-stop-daemon -S -q -c erlang -p /proc/none -x {SCRIPT} --"
# What a shell or erl might take for something of its own.
ODD = "-eval 'halt(7).' -- \"$(id)`id`\" \\ * ~\n\t%s; ρίζα \U0001d11e"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, releases: Releases) -> t.Iterator[Box]:
    with a_box(tmp_path_factory.mktemp("box"), releases) as box:
        yield box


@pytest.fixture(scope="module", autouse=True)
def provisioned(box: Box) -> None:
    box.play("erlang.otp.provision")


@pytest.fixture(scope="module")
def distributed(box: Box, releases: Releases) -> Box:
    box.inventory(**NAMED, otp_package=releases.packages["FIRST"], otp_restart_on_change=True)
    box.play("erlang.otp.provision")
    return box


@pytest.mark.one_of(2)
@pytest.mark.parametrize("typed", ["lists:map(", '"a string that goes on', "\\007", "timer:sleep(infinity)."])
def test_whatever_the_shell_is_doing(box: Box, typed: str) -> None:
    """As test_console.py for other hosts."""
    assert box.ssh(f"cd /srv/counter/run/pipe && (printf '{typed}\\r'; sleep 2) >erlang.pipe.1.w").returncode == 0
    said = box.ad_hoc("-m", "erlang.otp.otp_rpc", "-a", "pipe_dir=/srv/counter/run/pipe module=erlang function=node")
    assert re.search(r'"\$atom\": \"\w+@\w+"', said), said


def test_the_script_of_the_release(box: Box) -> None:
    """By root, for whom start-stop-daemon makes the service user: BusyBox has no su here."""
    assert box.ssh("/srv/counter/bin/COUNTER status").stdout.startswith("running, pid ")
    said = box.ssh("/srv/counter/bin/COUNTER eval 'node().'")
    assert said.returncode == 1 and "the node is not distributed" in said.stderr


def test_files_of_the_operator_and_a_call_that_reads_them(box: Box, releases: Releases) -> None:
    """The call leaves its mark in the node; what is changed wants the one, or a restart."""
    path, given = box.root / "srv/counter/etc/a b/limits.script", {"otp_package": releases.packages["FIRST"], "otp_cookie": COOKIE, "otp_user": "erlang"}
    rpc = {"module": "file", "function": "script", "arguments": ['"/srv/counter/etc/a b/limits.script"'], "expect": "{ok,_}"}
    first = {"path": "etc/a b/limits.script", "content": "application:set_env(counter, limit, 1).\n", "on_change": {"rpc": rpc}}
    started = {"path": "etc/start.conf", "content": "one\n", "mode": "0400", "on_change": {"restart": True}}
    box.inventory(**given, otp_files=[first, started])
    said = box.play("erlang.otp.provision", "--check", "--diff")
    assert said.changed == 1 and "+one" in said.output and not path.exists()
    (foretold,) = said.results("line")
    *_asked, result = box.play("erlang.otp.provision").results("line")
    assert result["actions"] == foretold["actions"] and (path.read_text(), (path.parent.parent / "start.conf").read_text()) == (first["content"], "one\n")
    assert path.stat().st_mode & 0o777 == 0o640 and path.stat().st_uid == (box.root / "srv/counter").stat().st_uid != 0
    assert limit_of(box) == "{ok,1}" and box.play("erlang.otp.provision").results("line")[-1]["actions"] == []
    # What its user cannot read can be neither compared nor kept for the way back.
    os.chown(path.parent.parent / "start.conf", 0, 0)
    said = box.play("erlang.otp.provision", "--diff", fails=True)
    assert "/srv/counter/etc/start.conf cannot be read by the user of the node on this host. Nothing has been changed. Remove it" in said.output
    (path.parent.parent / "start.conf").unlink()
    assert box.play("erlang.otp.provision").results("line")[-1]["actions"] == ["write /srv/counter/etc/start.conf"]
    box.inventory(**given, otp_files=[{**first, "content": "oops("}, started])
    said = box.play("erlang.otp.provision", fails=True)
    assert "The earlier file is back, and the node has read it by the same call." in said.output and path.read_text() == first["content"]
    box.inventory(**given, otp_files=[{**started, "content": "two\n"}])
    said = box.play("erlang.otp.provision")
    assert "runs with an earlier version of /srv/counter/etc/start.conf" in " ".join(said.output.split()) and not path.exists()
    assert limit_of(box) == "{ok,1}"
    box.play("erlang.otp.restart", "-e", "otp_hosts=all")
    assert limit_of(box) == "undefined" and box.play("erlang.otp.provision").changed == 0
    elsewhere = box.root / "srv/elsewhere"
    elsewhere.mkdir()
    (box.root / "srv/counter/linked").symlink_to("/srv/elsewhere")
    box.inventory(**given, otp_files=[{"path": "linked/a", "content": ""}])
    assert "/srv/counter/linked is not a directory on this host" in box.play("erlang.otp.provision", fails=True).output and not os.listdir(elsewhere)
    (box.root / "srv/counter/linked").unlink()
    box.inventory(**given)
    box.play("erlang.otp.provision")
    assert not (box.root / "srv/counter/etc/start.conf").exists()
    box.play("erlang.otp.restart", "-e", "otp_hosts=all")


def limit_of(box: Box) -> str:
    """What the node has, as text."""
    call = {"module": "application", "function": "get_env", "arguments": ["counter", "limit"], "pipe_dir": "/srv/counter/run/pipe", "read_only": True}
    found = re.search(r'"text": "([^"]*)"', box.ad_hoc("-m", "erlang.otp.otp_rpc", "-a", json.dumps(call)))
    return found[1] if found else ""


def test_a_clock_that_was_wrong_invents_no_restart(box: Box) -> None:
    """A box without a battery boots in 1970: its node's first file has that time."""
    os.utime(box.root / "srv/counter/run/emulator.pid", (60, 60))
    said = box.play("erlang.otp.provision")
    assert "earlier version" not in said.output and said.changed == 0


@pytest.mark.parametrize("command", [SCRIPT, AS_USER], ids=["root", "user"])
def test_the_script_of_a_distributed_node(distributed: Box, command: str) -> None:
    """As root and as the service user. The node has nothing but kernel, stdlib, sasl and its own application."""

    def says(*words: str) -> tuple[int, str]:
        said = distributed.ssh(f"{command} {shlex.join(words)}")
        return said.returncode, (said.stdout + said.stderr).strip()

    literal = '"{}"'.format(ODD.replace("\\", "\\\\").replace('"', '\\"'))
    with Watch(of_environment=(COOKIE, "lists:sum(")) as watch:
        assert says("eval", f"{{lists:sum({literal}), node()}}.") == (0, f"{{{sum(map(ord, ODD))},counter@localhost}}")
        assert says("rpc", "counter", "version") == (0, '"1.0"') and says("ping") == (0, "pong")
    assert watch.seen and not [arguments for arguments in watch.seen if COOKIE.encode() in arguments]
    assert says("eval", "error(no)")[0] == says("rpc", "none")[0] == 1 and says("upgrade")[0] == 2 and says("versions")[1].endswith("FIRST permanent")


def test_a_shell_in_the_node(distributed: Box) -> None:
    """This box has no su, so root gets no shell."""
    assert "remote needs a terminal, and root's is not for erlang" in distributed.ssh(f"{SCRIPT} remote").stderr
    with Terminal(*distributed.login(f"{AS_USER} remote", "-tt")) as terminal:
        terminal.expect("Erlang does not know the terminal xterm (terminfo): use attach, eval or rpc")
    (distributed.root / "lib/terminfo/x").mkdir(parents=True)
    shutil.copy("/lib/terminfo/x/xterm", distributed.root / "lib/terminfo/x")
    with Terminal(*distributed.login(f"{AS_USER} remote", "-tt")) as terminal:
        terminal.expect("(counter@localhost)1>")
        terminal.type("1000 + 234.\r")
        terminal.expect("1234")
    with Terminal(*distributed.login(f"{AS_USER} attach", "-tt")) as terminal:
        terminal.expect("Attaching")
        terminal.type("\rlists:seq(5, 8).\r")
        terminal.expect("[5,6,7,8]")
    with Terminal(*distributed.login(f"{SCRIPT} logs", "-tt")) as terminal:
        terminal.expect("[5,6,7,8]")


def test_a_node_that_heart_starts_over_and_over_is_stopped(box: Box) -> None:
    crashes = ["-e", "otp_state=stopped", "-e", '{"otp_erl_flags": ["-s", "nosuchmodule"]}']
    box.play("erlang.otp.provision", *crashes)
    before = box.read("run/emulator.pid")
    assert box.ssh("/etc/init.d/S80counter start").returncode == 0
    wait_until(lambda: box.read("run/emulator.pid") != before, "the emulator has started")
    before = box.read("run/emulator.pid")
    wait_until(lambda: box.read("run/emulator.pid") != before, "heart has started another one")
    assert box.play("erlang.otp.provision", *crashes).changed == 1
    noted = box.read("run/emulator.pid")
    time.sleep(2.0)
    assert box.read("run/emulator.pid") == noted
    assert not box.ssh("ps").stdout.count("heart -")
