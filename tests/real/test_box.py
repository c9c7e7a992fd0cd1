# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A box with BusyBox and dropbear and no Python: from bare to a node that answers, upgraded, back, and booted again.

One box goes through it all, as a box does: the tests come in their order.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from box_site import Box, Said
from handler_site import Releases
from secrecy import Watch
from terminal import Terminal
from truth_site import agreed
from waiting import free_port, wait_until

COOKIE = secrets.token_hex(16)
# From a restart on: a node that is distributed.
NAMED = {"otp_cookie": COOKIE, "otp_user": "erlang", "otp_node_name": "counter@localhost", "otp_environment": {"ERL_EPMD_PORT": free_port()}}
SCRIPT = "/srv/counter/bin/COUNTER"
AS_USER = f"start-stop-daemon -S -q -c erlang -p /proc/none -x {SCRIPT} --"
# What a shell or erl might take for something of its own.
ODD = "-eval 'halt(7).' -- \"$(id)`id`\" \\ * ~\n\t%s; ρίζα \U0001d11e"
# What a run may say to a box that has all, and get from it.
LITTLE = 40_000


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, releases: Releases) -> t.Iterator[Box]:
    programs = sorted(map(str, Path(releases.workshop.otp.root).glob("erts-*/bin/*")))
    site = Box(tmp_path_factory.mktemp("box"), *programs)
    site.inventory(otp_package=releases.packages["FIRST"], otp_cookie=COOKIE, otp_user="erlang")
    try:
        site.on()
        yield site
    finally:
        site.off()


def files(box: Box) -> set[str]:
    root = box.root / "srv/counter"
    return {str(path.relative_to(root)) for path in root.rglob("*")} if root.exists() else set()


def in_the_table(box: Box, said: Said, *, foretold: bool = True) -> list[str]:
    """The releases before and now, and the outcome, as the run with --check before has told them. They, and the process, are what the box has."""
    row = agreed(box.foretold if foretold else said.output, said.output)[box.name]
    if row["STATE"] != "-":
        assert (row["NOW"], row["STATE"]) == (box.permanent(), f"running, pid {box.read('run/emulator.pid').strip()}")
    return [row[column] for column in ("BEFORE", "NOW", "OUTCOME")]


def end_of(process: subprocess.Popen) -> None:
    """The controller goes away at once, with its workers and their connections."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            children.setdefault(int(path.read_text(errors="replace").rpartition(")")[2].split()[1]), []).append(int(path.parent.name))
    waiting = [process.pid]
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def test_there_is_no_python_and_no_userland_but_busybox(box: Box) -> None:
    assert not [path for path in box.root.rglob("*python*") if not str(path).startswith(f"{box.root}/proc")]
    said = box.ssh("for d in bin sbin usr/bin usr/sbin; do ls -l /$d; done | grep -v busybox | grep -c ^-").stdout.split()
    assert said == ["1"], "dropbear alone"


def test_check_mode_tells_and_leaves_the_box_as_it_is(box: Box) -> None:
    said = box.play("erlang.otp.provision", "--check")
    assert said.changed == 1
    assert not (box.root / "srv/counter").exists()
    (result,) = said.results("line")
    assert "start the node /srv/counter" in result["actions"]


def test_a_line_that_breaks_leaves_nothing_half_done(box: Box) -> None:
    # A line for each round trip, so that it is one that breaks and not one of several in one connection that ends.
    command, environment = box.command("erlang.otp.provision", "-e", "ansible_ssh_args='-o ControlPath=none'")
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    incoming = box.root / "srv/counter/.incoming"
    wait_until(lambda: len(list(incoming.iterdir())) >= 40, "files arrive", running=process)
    end_of(process)
    assert files(box) & {"bin", "lib", "releases"} == set()
    assert (box.root / "srv/counter/.box.lock").is_symlink()


def test_from_there_to_a_node_that_answers(box: Box, releases: Releases, record_property: t.Callable[[str, object], None]) -> None:
    waiting = len(list((box.root / "srv/counter/.incoming").iterdir()))
    said = box.play("erlang.otp.provision")
    assert said.changed == 1
    assert "an earlier run ended without releasing its lock on the box" in said.output
    assert in_the_table(box, said) == ["-", "FIRST", "changed"]
    *_asked, result = said.results("line")
    assert (result["node"]["status"], result["node"]["release"]) == ("started", "FIRST")
    assert waiting > 30
    size = os.path.getsize(releases.packages["FIRST"])
    assert result["line"]["sent"] < size, "what had arrived is not sent again"
    record_property("figure", f"box: bare to answering in {result['line']['round_trips']} round trips, {result['line']['sent']} of {size} bytes sent")
    assert box.ssh("readlink /proc/$(cat /srv/counter/run/emulator.pid)/cwd").stdout == "/srv/counter\n"
    root = box.root / "srv/counter"
    assert {path.name for path in root.iterdir()} >= {"bin", "lib", "log", "releases", "run"}
    assert not {".box.lock", ".incoming"} & {path.name for path in root.iterdir()}
    assert {path.stat().st_uid for path in root.rglob("*")} == {100}


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


def test_a_second_run_changes_nothing_and_costs_little_and_no_secret_shows(box: Box) -> None:
    box.play("erlang.otp.provision", "--check")
    said = box.play("erlang.otp.provision", "-vvvv", "--diff")
    assert said.changed == 0 and in_the_table(box, said) == ["FIRST", "FIRST", "unchanged"]
    (result,) = said.results("line")
    assert result["actions"] == []
    assert result["node"]["status"] == "started"
    assert result["line"]["round_trips"] <= 4
    assert result["line"]["sent"] + result["line"]["received"] < LITTLE
    cookie = box.root / "var/lib/erlang/.erlang.cookie"
    status = cookie.stat()
    assert (cookie.read_text(), status.st_mode & 0o777, status.st_uid) == (COOKIE, 0o400, 100)
    assert COOKIE not in said.output
    others = [path for path in (*box.root.glob("srv/**/*"), *box.root.glob("etc/**/*"), *box.root.glob("tmp/*")) if path.is_file()]
    assert not [path for path in others if COOKIE.encode() in path.read_bytes()]


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


def test_a_hot_upgrade_sends_what_is_new(box: Box, releases: Releases, record_property: t.Callable[[str, object], None]) -> None:
    package = releases.packages["SECOND"]
    box.inventory(otp_package=package, otp_upgrade_to="SECOND", otp_cookie=COOKIE, otp_user="erlang")
    pid = box.read("run/emulator.pid")
    said = box.play("erlang.otp.upgrade")
    assert re.search(r"mast +FIRST +SECOND", said.output)
    assert box.read("run/emulator.pid") == pid, "the emulator is the same"
    assert box.permanent() == "SECOND" and "releases/upgrading.json" not in files(box)
    sent = sum(result["line"]["sent"] for result in said.results("line"))
    assert sent < os.path.getsize(package) / 20, "the libraries that it has are not sent"
    record_property("figure", f"box: hot upgrade with a package of {os.path.getsize(package)} bytes: {sent} bytes sent in all")


def test_a_second_upgrade_changes_nothing(box: Box) -> None:
    assert box.play("erlang.otp.upgrade").changed == 0


def test_it_goes_back(box: Box) -> None:
    said = box.play("erlang.otp.rollback")
    assert re.search(r"mast +SECOND +FIRST", said.output)
    assert box.permanent() == "FIRST"


def test_what_does_not_boot_goes_back_and_the_node_is_stopped_and_started(box: Box, releases: Releases) -> None:
    given = {**NAMED, "otp_package": releases.packages["FIRST"], "otp_restart_on_change": True, "otp_start_timeout": 20}
    box.inventory(**given, otp_vm_args="+no_such_flag\n")
    said = box.play("erlang.otp.provision", fails=True)
    assert re.search(r"mast +FIRST +FIRST .* rolled back +running", said.output)
    root = box.root / "srv/counter"
    assert not (root / ".previous").exists() and not (root / "releases/FIRST/vm.args").exists()
    box.inventory(**given, otp_vm_args="+P 70000\n", otp_box=True)
    box.play("erlang.otp.provision", "--check")
    assert in_the_table(box, box.play("erlang.otp.provision")) == ["FIRST", "FIRST", "restarted"] and not (root / ".previous").exists()
    assert re.search(r"mast +FIRST +- .* done", box.play("erlang.otp.stop", "-e", "otp_hosts=all").output)
    assert re.search(r"mast +- +FIRST .* done", box.play("erlang.otp.start", "-e", "otp_hosts=all").output)


@pytest.mark.parametrize("command", [SCRIPT, AS_USER], ids=["root", "user"])
def test_the_script_of_a_distributed_node(box: Box, command: str) -> None:
    """As root and as the service user. The node has nothing but kernel, stdlib, sasl and its own application."""

    def says(*words: str) -> tuple[int, str]:
        said = box.ssh(f"{command} {shlex.join(words)}")
        return said.returncode, (said.stdout + said.stderr).strip()

    literal = '"{}"'.format(ODD.replace("\\", "\\\\").replace('"', '\\"'))
    with Watch(of_environment=(COOKIE, "lists:sum(")) as watch:
        assert says("eval", f"{{lists:sum({literal}), node()}}.") == (0, f"{{{sum(map(ord, ODD))},counter@localhost}}")
        assert says("rpc", "counter", "version") == (0, '"1.0"') and says("ping") == (0, "pong")
    assert watch.seen and not [arguments for arguments in watch.seen if COOKIE.encode() in arguments]
    assert says("eval", "error(no)")[0] == says("rpc", "none")[0] == 1 and says("upgrade")[0] == 2 and says("versions")[1].endswith("FIRST permanent")


def test_a_shell_in_the_node(box: Box) -> None:
    """This box has no su, so root gets no shell."""
    assert "remote needs a terminal, and root's is not for erlang" in box.ssh(f"{SCRIPT} remote").stderr
    with Terminal(*box.login(f"{AS_USER} remote", "-tt")) as terminal:
        terminal.expect("Erlang does not know the terminal xterm (terminfo): use attach, eval or rpc")
    (box.root / "lib/terminfo/x").mkdir(parents=True)
    shutil.copy("/lib/terminfo/x/xterm", box.root / "lib/terminfo/x")
    with Terminal(*box.login(f"{AS_USER} remote", "-tt")) as terminal:
        terminal.expect("(counter@localhost)1>")
        terminal.type("1000 + 234.\r")
        terminal.expect("1234")
    with Terminal(*box.login(f"{AS_USER} attach", "-tt")) as terminal:
        terminal.expect("Attaching")
        terminal.type("\rlists:seq(5, 8).\r")
        terminal.expect("[5,6,7,8]")
    with Terminal(*box.login(f"{SCRIPT} logs", "-tt")) as terminal:
        terminal.expect("[5,6,7,8]")


EXTRA = {"etc/words": 1000, "share/large": 5 << 20}


def extra(box: Box) -> dict[str, tuple[int, str]]:
    """The size and the first letter of the extra files."""
    found = [path for top in ("etc", "share") for path in (box.root / "srv/counter" / top).rglob("*") if path.is_file()]
    return {str(path.relative_to(box.root / "srv/counter")): (path.stat().st_size, path.read_text()[:1]) for path in found}


def thin_package(releases: Releases, release: str) -> str:
    """What FIRST lacks of the release, with two extra files: one has more bytes than what a box sends of a file."""
    directory = releases.workshop.directory
    for name, size in EXTRA.items():
        Path(directory, os.path.basename(name)).write_bytes(size * release[:1].encode())
    built = releases.workshop.build(
        rel=f"{directory}/{release}.rel",
        sys_config="[].\n",
        extra_files=((f"{directory}/{release}/relup", f"releases/{release}/relup"), *((f"{directory}/{os.path.basename(name)}", name) for name in EXTRA)),
        output_dir=f"{directory}/thin-{release}",
        base=releases.packages["FIRST"],
    )
    return str(built["thin"]["package"])


def test_a_thin_package_and_a_restart_of_the_emulator(box: Box, releases: Releases) -> None:
    thin = thin_package(releases, "RESTARTS")
    assert os.path.getsize(thin) < 50_000
    box.inventory(otp_package=thin, otp_upgrade_to="RESTARTS", otp_allow_restart=True, **NAMED)
    pid = box.read("run/emulator.pid")
    said = box.play("erlang.otp.upgrade")
    assert re.search(r"mast +FIRST +RESTARTS", said.output)
    assert box.read("run/emulator.pid") != pid
    assert box.permanent() == "RESTARTS" and extra(box) == {name: (size, "R") for name, size in EXTRA.items()}
    (box.root / "srv/counter/etc/words").write_text("by hand")
    Path(box.root, "srv/counter/etc/words.kept").write_text("earlier")


def test_after_a_power_cut_it_boots_and_the_next_run_has_nothing_to_do(box: Box) -> None:
    box.off()
    # Of a run in the middle of which the power was cut, from another controller.
    (box.root / "srv/counter/.box.lock").symlink_to("somebody@elsewhere 1 2026-01-01T00:00:00Z 00 0000-boot")
    box.inventory(otp_package="", **NAMED)
    box.on()
    said = box.play("erlang.otp.provision")
    assert said.changed == 0
    assert "an earlier run ended without releasing its lock" in said.output
    (result,) = said.results("line")
    assert (result["node"]["status"], result["node"]["release"]) == ("started", "RESTARTS")


def test_a_user_that_the_box_has_not_is_refused(box: Box, releases: Releases) -> None:
    box.inventory(otp_package=releases.packages["FIRST"], otp_user="nobody")
    box.play("erlang.otp.provision", "--check", fails=True)
    said = box.play("erlang.otp.provision", fails=True)
    assert "the box has no user 'nobody'" in said.output and in_the_table(box, said) == ["-", "-", "failed"]
    box.inventory(**NAMED, otp_package="")
    assert in_the_table(box, box.play("erlang.otp.provision"), foretold=False)[2] == "unchanged"


def test_somebody_elses_lock_is_respected(box: Box) -> None:
    lock = box.root / "srv/counter/.box.lock"
    lock.symlink_to(f"somebody@elsewhere 1 2026-01-01T00:00:00Z 00 {box.boot_id.read_text().strip()}")
    command = ["-m", "erlang.otp.otp_release_handler", "-a", "root=/srv/counter release=SECOND state=absent lock_timeout=1"]
    said = box.ad_hoc(*command)
    lock.unlink()
    assert "another run works on the box: somebody@elsewhere 1 2026-01-01T00:00:00Z" in said
    assert "remove /srv/counter/.box.lock on the box" in said


def test_somebody_elses_mark_is_respected(box: Box) -> None:
    mark = box.root / "srv/counter/releases/upgrading.json"
    mark.write_text(
        f'{{"operator":"bob@desk","run":"1-2-a","doing":"upgrading the system to release SECOND","since":1,"renewed":{int(time.time())},"seconds":60}}'
    )
    command = ["-m", "erlang.otp.otp_release_handler", "-a", "root=/srv/counter release=SECOND state=absent"]
    assert "bob@desk has been upgrading the system to release SECOND" in box.ad_hoc(*command)
    assert '"changed": true' in box.ad_hoc(*command[:-1], command[-1] + " take_over=bob@desk", "--check")
    mark.unlink()


def test_a_release_is_removed(box: Box) -> None:
    command = ["-m", "erlang.otp.otp_release_handler", "-a", "root=/srv/counter release=SECOND state=absent"]
    assert '"changed": true' in box.ad_hoc(*command)
    assert not files(box) & {"releases/SECOND", "lib/counter-2.0"}


def test_a_hot_upgrade_with_a_thin_package_and_back(box: Box, releases: Releases) -> None:
    box.inventory(**NAMED, otp_allow_restart=True)
    box.play("erlang.otp.rollback")
    kept = {"etc/words.kept": (7, "e"), "etc/words.kept2": (7, "b")}
    assert box.permanent() == "FIRST" and extra(box) == kept, "the large one, which has not changed, is gone"
    pid = box.read("run/emulator.pid")
    box.inventory(otp_package=thin_package(releases, "SECOND"), otp_upgrade_to="SECOND", **NAMED)
    box.play("erlang.otp.upgrade")
    assert box.permanent() == "SECOND" and box.read("run/emulator.pid") == pid
    assert extra(box) == {**kept, **{name: (size, "S") for name, size in EXTRA.items()}}
    box.play("erlang.otp.rollback")
    assert box.permanent() == "FIRST" and box.read("run/emulator.pid") == pid and extra(box) == kept


def test_a_package_on_the_box_is_not_installed(box: Box, releases: Releases) -> None:
    command = ["--check", "-m", "erlang.otp.otp_release_handler", "-a"]
    wanted = "root=/srv/counter release=BARE state=unpacked"
    assert "package must be a file on the controller" in box.ad_hoc(*command, f"{wanted} package=/tmp/package.tar.gz remote_src=true")
    assert '"changed": true' in box.ad_hoc(*command, f"{wanted} package={releases.packages['BARE']}")


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


def test_it_is_removed_by_hand(box: Box, releases: Releases) -> None:
    """As the message says, and the box is provisioned again."""
    box.inventory(otp_package=releases.packages["FIRST"], **NAMED)
    names = ["-e", "otp_remove=counter"]
    for refused in (
        box.play("erlang.otp.remove", *names, fails=True).output,
        box.ad_hoc("-m", "erlang.otp.otp_target_system", "-a", "root=/srv/counter state=absent"),
    ):
        assert "stop the node, and remove /srv/counter and its init script there" in " ".join(refused.split())
    script = box.root / "etc/init.d/S80counter"
    assert script.exists() and box.read("run/emulator.pid")
    by_hand = "/etc/init.d/S80counter stop && ! ps | grep -q '[b]eam.smp' && rm -r /srv/counter /etc/init.d/S80counter"
    assert box.ssh(by_hand).returncode == 0 and not files(box)
    box.play("erlang.otp.provision")
    assert script.exists() and "beam.smp" in box.ssh("ps").stdout
