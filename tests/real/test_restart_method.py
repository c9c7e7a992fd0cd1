# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real embedded nodes and releases without appups and relups, of which some have no sasl: booted once, committed, or back by a restart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from handler_site import System, disagreements, kinds, refused
from release_workshop import MINIMAL, Workshop
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._node.reconnecting import is_settled
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import as_text
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator

WORKS = "{ok, spawn(fun() -> receive never -> ok end end)}"
HANGS = "receive never -> ok end"
IS_2 = {"module": "pea", "function": "version", "expect": '"2.0"'}
NEVER = {"module": "pea", "function": "version", "expect": '"9.9"'}


class Peas:
    """Packages by the version of their release, and no way from one to another."""

    def __init__(self, directory: Path) -> None:
        self.packages: dict[str, str] = {}
        self.workshop = Workshop(directory, find_otp(None))
        for version, start in (("1.0", WORKS), ("2.0", WORKS), ("3.0", "exit(cannot_start)"), ("4.0", HANGS)):
            body = f"-export([start/2, stop/1]).\nstart(_, _) -> {start}.\nstop(_) -> ok.\n"
            self.workshop.application("pea", version, keys=", {mod, {pea, []}}", body=body)
        for release, version in {"ONE": "1.0", "TWO": "2.0", "FAILS": "3.0", "HANGS": "4.0"}.items():
            self.make(release, f"pea-{version}", *MINIMAL)
        for release, version in {"PLAIN1": "1.0", "PLAIN2": "2.0", "PLAIN3": "3.0"}.items():
            self.make(release, f"pea-{version}", *MINIMAL[:2])

    def make(self, release: str, pea: str, *applications: str) -> None:
        rel = self.workshop.rel(*applications, pea, stem=release, name="PEA", version=release)
        output = str(self.workshop.directory / release)
        self.packages[release] = self.workshop.build(rel=rel, sys_config="[].\n", output_dir=output)["package"]


@pytest.fixture(scope="module")
def peas(tmp_path_factory: pytest.TempPathFactory) -> Peas:
    return Peas(tmp_path_factory.mktemp("peas"))


@pytest.fixture
def system(peas: Peas) -> t.Iterator[System]:
    with System(peas, first="ONE") as system:
        yield system.start()


def booted(system: System) -> str:
    """What init says of the release."""
    return as_text(system.call("init", "script_id")[1])


def new_start(system: System) -> bool:
    return Path(system.root, "releases/new_start_erl.data").exists()


def permanent(system: System) -> str:
    return Path(system.root, "releases/start_erl.data").read_text().split()[1]


def killed(system: System) -> None:
    """Kill the emulator, and wait until heart has started the node again."""
    pid = system.pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: find_emulator(system.root) not in (None, pid) and is_settled(system.observe()), "heart has started the node again")


def test_without_a_relup_it_is_booted_once_and_committed(system: System) -> None:
    error = refused(system, "TWO", "ready", method="auto")
    assert kinds(error) == ["no_way"] and "ONE in otp_upgrade_from" in str(error) and "otp_allow_restart" in str(error)
    assert "otp_upgrade_method (option method) to restart" in str(refused(system, "TWO", "ready"))
    before = system.pid
    said = system.take("TWO", "ready", method="auto", allow_restart=True, check_mode=True)
    assert said["way"] == "restart" and said["restarted"]
    assert system.take("TWO", "ready", method="restart")["way"] == "restart" and system.pid == before
    said = system.take("TWO", "current", method="restart", verify=[IS_2])
    assert said["restarted"] and said["unreachable_seconds"] > 0 and system.pid != before
    # Nothing but this one boot has the new release.
    assert system.statuses() == {"TWO": "current", "ONE": "permanent"} and booted(system) == "TWO" and permanent(system) == "ONE" and not new_start(system)
    assert not system.take("TWO", "current", method="restart")["changed"]
    killed(system)
    assert system.statuses() == {"TWO": "unpacked", "ONE": "permanent"} and kinds(refused(system, "TWO", method="restart")) == ["failed_before"]
    said = system.take("TWO", "permanent", method="auto", allow_restart=True, force=True, verify=[IS_2])
    assert system.statuses() == {"TWO": "permanent", "ONE": "old"} and permanent(system) == "TWO" and disagreements(system) == []
    assert [entry["action"] for entry in said["history"]] == ["boot", "install", "commit"]
    killed(system)
    assert booted(system) == "TWO"
    assert not system.take("TWO", "permanent", method="restart")["changed"]
    # Back again, in the same way.
    assert system.take("ONE", "permanent", method="restart")["restarted"]
    assert system.statuses() == {"TWO": "old", "ONE": "permanent"} and booted(system) == "ONE" and disagreements(system) == []


def test_what_does_not_boot_or_pass_comes_back(system: System) -> None:
    error = refused(system, "FAILS", method="restart")
    assert "the new release did not start, and the node came back on release ONE" in str(error) and "cannot_start" in str(error)
    assert error.result["rolled_back"] and booted(system) == "ONE" and system.statuses() == {"FAILS": "unpacked", "ONE": "permanent"}
    error = refused(system, "HANGS", method="restart", restart_timeout=8.0)
    assert "has not come back within 8 s" in str(error) and error.result["rolled_back"] and booted(system) == "ONE" and not new_start(system)
    error = refused(system, "TWO", method="restart", verify=[NEVER], verify_timeout=0.5)
    assert "the node was rebooted" in str(error) and error.result["rolled_back"] and booted(system) == "ONE"
    # No boot file, and so no heart that would start the old one.
    system.take("TWO", "unpacked")
    os.unlink(f"{system.root}/releases/TWO/start.boot")
    Path(system.root, "releases/TWO/start.boot").write_bytes(b"")
    error = refused(system, "TWO", method="restart", force=True, package=False)
    assert "no emulator runs" in str(error) and error.result["rolled_back"] and booted(system) == "ONE" and permanent(system) == "ONE"
    assert disagreements(system) == []


@pytest.mark.parametrize("release", ["TWO", "HANGS"])
def test_a_run_that_was_killed_is_finished_by_the_next(system: System, release: str, tmp_path: Path) -> None:
    """At its worst moment, while the node boots."""
    system.take(release, "unpacked")
    program = (
        "import sys; from handler_site import System; from ansible_collections.erlang.otp.plugins.module_utils._node import reconnecting\n"
        "from ansible_collections.erlang.otp.plugins.module_utils._handler import trial\n"
        "from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes\n"
        "from ansible_collections.erlang.otp.plugins.module_utils._handler.local import apply_local\n"
        "from ansible_collections.erlang.otp.plugins.module_utils._handler.request import Request\n"
        "from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress\n"
        "import os, signal\n"
        "trial.wait_for_restart = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "root, release, node, cookie, port = sys.argv[1:]\n"
        "address = NodeAddress(node=node, cookie_file=cookie, epmd_port=int(port))\n"
        "apply_local(Request(root=root, release=release, state='permanent', method='restart', address=address), Changes())\n"
    )
    arguments = [system.root, release, system.name, str(system.cookie_file), str(system.port)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", program, *arguments], env=environment, timeout=LIMIT, check=False)
    assert done.returncode == -signal.SIGKILL
    if release == "TWO":
        wait_until(lambda: booted(system) == "TWO", "the node boots TWO")
        # What the killed run has not removed, the start has.
        assert not new_start(system)
        said = system.take("TWO", "permanent", method="restart", verify=[IS_2])
        assert [entry["action"] for entry in said["history"]] == ["install", "commit"] and booted(system) == permanent(system) == "TWO"
    else:
        error = refused(system, "HANGS", method="restart", restart_timeout=8.0)
        assert kinds(error) == ["failed_before"] and "it was booted at" in str(error) and booted(system) == "ONE"
    assert not new_start(system) and disagreements(system) == []


def test_without_sasl(peas: Peas) -> None:
    with System(peas, first="PLAIN1") as system:
        system.start()
        assert disagreements(system) == [] and kinds(refused(system, "PLAIN2", "ready"))[0] == "no_way"
        assert system.take("PLAIN2", "unpacked")["after"]["releases"] == {"PLAIN2": "unpacked", "PLAIN1": "permanent"}
        error = refused(system, "PLAIN3", method="restart")
        assert error.result["rolled_back"] and booted(system) == "PLAIN1"
        assert refused(system, "PLAIN2", method="restart", verify=[NEVER], verify_timeout=0.5).result["rolled_back"] and booted(system) == "PLAIN1"
        said = system.take("PLAIN2", "permanent", method="restart", force=True, verify=[IS_2])
        assert said["after"]["releases"] == {"PLAIN2": "permanent", "PLAIN1": "old", "PLAIN3": "unpacked"} and permanent(system) == "PLAIN2"
        killed(system)
        assert booted(system) == "PLAIN2" and disagreements(system) == []
        assert system.take("PLAIN3", "absent")["after"]["releases"] == {"PLAIN2": "permanent", "PLAIN1": "old"}
        # To one with sasl, and back to one without it.
        assert system.take("TWO", "permanent", method="restart", verify=[IS_2])["after"]["permanent"] == "TWO"
        assert system.statuses() == {"TWO": "permanent", "PLAIN2": "old", "PLAIN1": "old"} and disagreements(system) == []
        assert system.take("PLAIN1", "permanent", method="restart")["after"]["permanent"] == "PLAIN1" and booted(system) == "PLAIN1"
        assert system.take("PLAIN2", "rebooted_old")["after"]["running"] == "PLAIN2"
        assert permanent(system) == booted(system) == "PLAIN2" and disagreements(system) == []
