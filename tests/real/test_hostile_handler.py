# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service user who attacks root while it upgrades, asks and calls: a node that runs, and one that is stopped (docs/docsite/rst/guide_security.rst)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from handler_site import Releases, System
from intruder import SECRET, USER, attack, replaced, run_module, state_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be attacked by another user")


class Target(t.NamedTuple):
    """Systems of USER that run and do not run release FIRST, by whether they do. victim: a directory of root."""

    systems: dict[bool, System]
    victim: Path

    def run(self, module: str, /, **options: t.Any) -> dict[str, t.Any]:
        """What the module returns. It ends, and what is root's is what it was."""
        before = state_of(self.victim)
        result = run_module(module, **options)
        assert state_of(self.victim) == before
        return result

    def handle(self, is_running: bool, release: str, state: str) -> dict[str, t.Any]:
        system = self.systems[is_running]
        package = {} if state == "absent" else {"package": system.releases.packages[release]}
        address = {"node": system.name, "cookie_file": str(system.cookie_file), "epmd_port": system.port} if is_running else {"transport": "offline"}
        return self.run("otp_release_handler", root=system.root, release=release, state=state, lock_timeout=1, **address, **package)


@pytest.fixture(scope="module")
def target(releases: Releases) -> t.Iterator[Target]:
    # Not below pytest's directories, which the service user may not enter.
    here = Path("/var/tmp")
    with System(releases, within=here, user=USER) as running, System(releases, within=here, user=USER) as stopped:
        victim = running.directory / "victim"
        (victim / "pipes").mkdir(parents=True)
        (victim / "secret").touch(mode=0o600)
        (victim / "secret").write_text(SECRET)
        for end in "rw":
            os.mkfifo(victim / "pipes" / f"erlang.pipe.1.{end}", 0o600)
        yield Target({True: running.start(), False: stopped}, victim)


COPY = "copy of root's"
KINDS: dict[str, t.Callable[[Path], t.Callable[[Path], object]]] = {
    "directory of root": lambda victim: lambda path: path.symlink_to(victim),
    "file of root": lambda victim: lambda path: path.symlink_to(victim / "secret"),
    "pipe": lambda victim: os.mkfifo,
    # As good as what is there, so that nothing but the rights of the process is in the way.
    COPY: lambda victim: lambda path: path.symlink_to(victim / path.name),
}
# What is replaced, by what, and whether the release is unpacked by then.
ATTACKS = [
    ("releases", COPY, False),
    ("releases", COPY, True),
    ("lib", COPY, False),
    ("lib", COPY, True),
    ("releases/SECOND", "directory of root", False),
    ("releases/RELEASES.saved", "file of root", False),
    ("releases/register-SECOND.tar.gz", "file of root", False),
    ("lib/counter-2.0", "directory of root", True),
    ("releases/SECOND/relup", "file of root", True),
    ("releases/SECOND/relup", "pipe", True),
    ("releases/history.jsonl", "pipe", True),
    ("bin/start", "pipe", True),
]


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize(("name", "kind", "is_unpacked"), ATTACKS)
def test_every_state_of_a_release(target: Target, is_running: bool, name: str, kind: str, is_unpacked: bool) -> None:
    root = Path(target.systems[is_running].root)
    if is_unpacked:
        assert target.handle(is_running, "SECOND", "unpacked")["changed"]
    if kind == COPY:
        subprocess.run(["cp", "-r", root / name, target.victim], check=True)
    with replaced(root / name, KINDS[kind](target.victim)):
        assert (root / name).is_fifo() if kind == "pipe" else (root / name).resolve().is_relative_to(target.victim)
        said = [target.handle(is_running, "SECOND", state) for state in ("unpacked", "ready", "current", "permanent", "absent")]
        assert all("failed" not in result or result["msg"] for result in said)
    if kind == COPY:
        shutil.rmtree(target.victim / name)
    # It was not harmed.
    assert "failed" not in target.handle(is_running, "FIRST", "permanent")
    assert "failed" not in target.handle(is_running, "SECOND", "absent")
    assert target.handle(is_running, "FIRST", "permanent")["after"]["releases"] == {"FIRST": "permanent"}
    assert not target.handle(is_running, "FIRST", "permanent")["changed"]


def test_a_release_of_a_running_node_names_what_is_not_its_own(target: Target) -> None:
    root = Path(target.systems[True].root)
    target.handle(True, "SECOND", "unpacked")
    path, place = root / "releases/SECOND/package.json", f"{target.victim}/counter-2.0"
    (target.victim / "counter-2.0").mkdir()
    record = {**json.loads(path.read_text()), "variables": {"X": str(target.victim)}, "archives": {"X": str(target.victim)}, "places": {"counter": place}}
    attack(lambda: (path.unlink(), path.write_text(json.dumps(record))))
    assert path.owner() == USER and json.loads(path.read_text())["places"] == {"counter": place}
    assert "failed" not in target.handle(True, "SECOND", "absent")
    assert not path.exists()


@pytest.mark.parametrize("is_running", [True, False])
def test_the_directory_of_the_pipes_is_one_of_root(target: Target, is_running: bool) -> None:
    """With pipes of another node, whose shell reads what is typed."""
    system = target.systems[is_running]
    shell = os.open(target.victim / "pipes" / "erlang.pipe.1.w", os.O_RDWR | os.O_NONBLOCK)
    with replaced(system.pipes, lambda path: path.symlink_to(target.victim / "pipes")):
        assert system.pipes.resolve() == target.victim / "pipes"
        said = target.run("otp_rpc", pipe_dir=str(system.pipes), module="erlang", function="node", timeout=2)
        assert said["failed"] and "Permission denied" in said["msg"]
        for more in ({"transport": "pipe", "state": "unpacked"}, {"state": "unpacked"}):
            target.run("otp_release_handler", root=system.root, release="FIRST", pipe_dir=str(system.pipes), lock_timeout=1, timeout=2, **more)
        target.run("otp_release_info", root=system.root, pipe_dir=str(system.pipes), timeout=2)
        with pytest.raises(BlockingIOError):
            os.read(shell, 1)
    os.close(shell)


@pytest.mark.parametrize("kind", ["file of root", "pipe"])
def test_the_cookie_is_something_else(target: Target, kind: str) -> None:
    system = target.systems[True]
    with replaced(system.cookie_file, KINDS[kind](target.victim)):
        said = target.run("otp_rpc", node=system.name, cookie_file=str(system.cookie_file), epmd_port=system.port, module="erlang", function="node")
        assert said["failed"] and str(system.cookie_file) in said["msg"]
