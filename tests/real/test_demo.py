# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo must not hide anything: a call that fails, a node on another release, a playbook that fails, something that is left."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socketserver
import subprocess
import sys
import threading
import types
import typing as t
from pathlib import Path

import pytest
from recording import Recording
from waiting import LIMIT, wait_until

DEMO = Path(__file__).parents[2] / "examples" / "demo"


class Exchange(socketserver.ThreadingTCPServer):
    """Answers as the example does, three versions in one: ``version``, and calls; those in ``lost`` get no answer."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Line)
        self.calls = 0
        self.lost: set[int] = set()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class Line(socketserver.StreamRequestHandler):
    server: Exchange

    def handle(self) -> None:
        for line in self.rfile:
            if line == b"version\n":
                self.wfile.write(b"version 1.0\n")
                continue
            self.server.calls += 1
            if self.server.calls in self.server.lost:
                return
            self.wfile.write(b"dialled carla %d\n" % self.server.calls)


class Stage(t.NamedTuple):
    """The demo's modules, with a place of their own, and three exchanges."""

    demo: types.ModuleType
    show: types.ModuleType
    place: Path
    exchanges: dict[str, Exchange]

    def caller(self) -> t.Any:
        return self.demo.Caller()


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Stage]:
    monkeypatch.setenv("DEMO_DIRECTORY", str(tmp_path))
    monkeypatch.syspath_prepend(str(DEMO))
    names = ("fleet", "show", "caller", "demo")
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    fleet, show, _caller, demo = map(importlib.import_module, names)
    exchanges = {node: Exchange(fleet.port(node)) for node in fleet.NODES}
    try:
        yield Stage(demo, show, tmp_path, exchanges)
    finally:
        for exchange in exchanges.values():
            exchange.shutdown()
            exchange.server_close()
        for name in names:
            sys.modules.pop(name)


def wait_for_calls(stage: Stage, number: int) -> None:
    wait_until(lambda: min(exchange.calls for exchange in stage.exchanges.values()) >= number, f"each exchange has had {number} calls")


def test_calls_are_counted_by_node_and_none_has_failed(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    with stage.caller() as caller:
        wait_for_calls(stage, 5)
    stage.demo.expect_calls(caller)
    counted = {node: exchange.calls for node, exchange in stage.exchanges.items()}
    assert f"{sum(counted.values())} calls, 0 failed" in capsys.readouterr().out.replace("\n     ", "")


def test_a_call_without_an_answer_fails_the_demo(stage: Stage) -> None:
    stage.exchanges["south"].lost = {3}
    with stage.caller() as caller:
        wait_for_calls(stage, 6)
    with pytest.raises(stage.demo.Failed, match="^south should answer 'dialled carla 3', and answered ''$"):
        stage.demo.expect_calls(caller)


def test_an_exchange_that_forgets_its_calls_fails_the_demo(stage: Stage) -> None:
    with stage.caller() as caller:
        wait_for_calls(stage, 3)
        stage.exchanges["west"].calls = 0
        wait_for_calls(stage, 3)
    with pytest.raises(stage.demo.Failed, match="^west should answer 'dialled carla [0-9]+', and answered 'dialled carla 1'$"):
        stage.demo.expect_calls(caller)


def test_a_node_that_is_called_no_more_fails_the_demo(stage: Stage) -> None:
    with pytest.raises(stage.demo.Failed, match="the caller made no call to north, south, west"):
        stage.demo.expect_calls(stage.caller())


@pytest.mark.parametrize(("starts", "expected"), [("FIRST", "FIRST"), ("SECOND", "FIRST"), ("SECOND", "SECOND")])
def test_a_node_on_another_release_fails_the_demo(stage: Stage, starts: str, expected: str) -> None:
    releases = stage.place / "north" / "releases"
    releases.mkdir(parents=True)
    (releases / "start_erl.data").write_text(f"13.1.5 {starts}")
    is_right = starts == expected == "FIRST"  # what the exchange says
    with contextlib.nullcontext() if is_right else pytest.raises(stage.demo.Failed, match=f"north should run {expected}"):
        stage.demo.expect_releases(north=expected)


def test_a_playbook_that_ends_otherwise_than_expected_fails_the_demo(stage: Stage) -> None:
    with pytest.raises(stage.demo.Failed, match=r"exit status 1, expected 2\n(.*\n)*.*does_not_exist"):
        stage.show.play("does_not_exist", code=2)


def test_on_a_terminal_a_playbook_shows_itself_and_its_end_counts(tmp_path: Path) -> None:
    program = "import show; show.play('does_not_exist', code=2)"
    with Recording(sys.executable, "-c", program, columns=200, PYTHONPATH=str(DEMO), DEMO_DIRECTORY=str(tmp_path)) as recording:
        recording.watch()
    shown = recording.everything()
    assert recording.code == 1 and "does_not_exist could not be found" in shown and "exit status 1, expected 2" in shown


@pytest.mark.parametrize("moment", ["2. ", "4. "])
def test_nothing_is_left_after_an_interruption(tmp_path: Path, moment: str) -> None:
    """In the middle of a deployment, and of a second one when nodes run."""
    place = tmp_path / "demo"
    command = [sys.executable, str(DEMO / "demo.py")]
    environment = {**os.environ, "DEMO_DIRECTORY": str(place)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, preexec_fn=heed_interruptions) as demo:
        for line in demo.stdout or ():
            if line.startswith(moment):
                break
        wait_until(lambda: len(playbooks_of(place)) > 1, "a playbook has a worker", running=demo)
        assert place.is_dir()
        demo.send_signal(signal.SIGINT)
        said = demo.communicate(timeout=LIMIT)[0]
    assert demo.returncode == 130 and "Interrupted" in said and not place.exists()
    assert not [line for line in command_lines() if str(place).encode() in line]


def playbooks_of(place: Path) -> list[Path]:
    """The processes of ansible-playbook that the demo has started."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_its = f"ERLANG_OTP_DEMO={place}".encode() in (process / "environ").read_bytes().split(b"\0")
            if is_its and b"ansible-playbook" in (process / "cmdline").read_bytes():
                found.append(process)
    return found


def heed_interruptions() -> None:
    """What a shell runs in the background ignores them, and so would the demo."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def command_lines() -> t.Iterator[bytes]:
    """Of whatever runs on this machine."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes()
