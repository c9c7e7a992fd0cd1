# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node with an init script, with ports and limits of its own. systemd is tested by molecule, on hosts that have it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
from upgrade_site import Site, upgrade_site
from waiting import LIMIT, free_port, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator

HOST = "north"
SHELLS = {"sh": ["sh"], "busybox": ["busybox", "ash"]}


class Served(t.NamedTuple):
    """A site whose host has an init script, and the port for connections of other nodes."""

    site: Site
    script: Path
    port: int

    def run(self, shell: str, command: str) -> subprocess.CompletedProcess[str]:
        # As at boot: nothing but a path.
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        return subprocess.run(
            [*SHELLS[shell], self.script, command],
            env=environment,
            cwd="/",
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT,
            check=False,
        )

    @property
    def emulator(self) -> int | None:
        return find_emulator(self.site.root(HOST))


@pytest.fixture(scope="module")
def served() -> t.Iterator[Served]:
    assert shutil.which("busybox"), "these tests need busybox"
    with upgrade_site(Path(tempfile.mkdtemp(prefix="otp-service-")), hosts=[HOST]) as site:
        served = Served(site, site.directory / "S80exchange", free_port())
        variables = {
            "otp_service_manager": "sysv",
            "otp_init_script": str(served.script),
            "otp_open_files": 500,
            "otp_dist_ports": str(served.port),
            "otp_log_generations": 3,
            "otp_log_max_size": 2000,
            "otp_restart_on_change": True,
        }
        site.write_inventory("FIRST", **variables)
        assert site.play("deploy").changed[HOST] == 2, "files, and the restart"
        yield served
        site.stop(HOST)
        # The one that the node's host has started again.
        subprocess.run(["epmd", "-port", str(site.epmd_port), "-kill"], check=False)


def test_a_second_deploy_changes_nothing(served: Served) -> None:
    assert os.access(served.script, os.X_OK)
    before = served.emulator
    assert served.site.play("deploy").changed[HOST] == 0 and served.emulator == before


def test_the_node_has_its_port_and_its_limit(served: Served) -> None:
    assert os.readlink(f"/proc/{served.emulator}/cwd") == served.site.root(HOST)
    limits = Path(f"/proc/{served.emulator}/limits").read_text()
    assert next(line.split()[3] for line in limits.splitlines() if line.startswith("Max open files")) == "500"
    names = subprocess.run(["epmd", "-port", str(served.site.epmd_port), "-names"], text=True, capture_output=True, check=True, timeout=LIMIT).stdout
    assert f"name {HOST} at port {served.port}\n" in names


def test_run_erl_is_told_how_many_logs_it_may_keep(served: Served) -> None:
    environment = Path(f"/proc/{served.emulator}/environ").read_bytes().split(b"\0")
    assert {b"RUN_ERL_LOG_GENERATIONS=3", b"RUN_ERL_LOG_MAXSIZE=2000"} <= set(environment)


def test_epmd_that_has_ended_is_started_again(served: Served) -> None:
    before, port = served.emulator, str(served.site.epmd_port)
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = entry.read_bytes().split(b"\0")
            if words[0].endswith(b"epmd") and port.encode() in words:
                os.kill(int(entry.parent.name), signal.SIGKILL)
    try:
        assert served.site.play("deploy").changed[HOST] == 1 and served.emulator == before
        assert served.site.play("deploy").changed[HOST] == 0
    finally:
        wait_until(lambda: HOST in names(port), "the node has registered again")


def names(port: str) -> str:
    return subprocess.run(["epmd", "-port", port, "-names"], text=True, capture_output=True, check=True, timeout=LIMIT).stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_the_init_script_as_init_runs_it(served: Served, shell: str) -> None:
    first = served.emulator
    said = served.run(shell, "status")
    assert (said.returncode, said.stdout) == (0, f"north is running (pid {first})\n")
    assert served.run(shell, "start").returncode == 0 and served.emulator == first

    assert served.run(shell, "stop").returncode == 0 and served.emulator is None
    assert served.run(shell, "stop").returncode == 0
    said = served.run(shell, "status")
    assert (said.returncode, said.stdout) == (3, "north is not running\n")

    assert served.run(shell, "start").returncode == 0
    second = served.emulator
    assert second not in (None, first)
    assert served.run(shell, "restart").returncode == 0
    assert served.emulator not in (None, second)
    _node.wait_until_answering(served.site.node(HOST), timeout=LIMIT)
    said = served.run(shell, "what")
    assert said.returncode == 2 and "start|stop|restart|status" in said.stdout


def test_the_state_goes_through_the_script(served: Served) -> None:
    assert served.site.play("deploy", otp_state="stopped").changed[HOST] == 1 and served.emulator is None
    assert served.site.play("deploy", otp_state="stopped").changed[HOST] == 0
    with served.script.open("a") as script:
        script.write(f"touch {served.site.directory}/called\n")
    # The change is overwritten before the script runs.
    assert served.site.play("deploy").changed[HOST] == 1 and served.emulator
    assert not (served.site.directory / "called").exists()
