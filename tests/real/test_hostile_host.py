# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service user who attacks root on its own host: links, pipes and lies in the tree (docs/docsite/rst/guide_security.rst).

Each attack is made by a process of that user, and each test asserts first that it is there. Root owns what it is aimed at.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest
from intruder import SECRET, USER, attack, replaced, state_of
from upgrade_site import Site, bring_exchange
from waiting import LIMIT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be attacked by another user")

HOST = "north"


class Target(t.NamedTuple):
    """A deployed system of USER. victim: a directory of root with a file ``secret`` that only root may read; modules: as Ansible sent them."""

    site: Site
    victim: Path
    modules: dict[str, Path]

    @property
    def root(self) -> Path:
        return Path(self.site.root(HOST))

    def run(self, module: str) -> dict[str, t.Any]:
        """What the module returns. It ends, and root's directory, its secret and other files are what they were."""
        before = state_of(self.victim)
        done = subprocess.run([sys.executable, self.modules[module]], capture_output=True, text=True, check=False, timeout=LIMIT)
        assert state_of(self.victim) == before, done.stdout
        assert SECRET not in done.stdout + done.stderr
        # It does not follow the links that it finds.
        found = subprocess.run(["grep", "-rIl", "-D", "skip", SECRET, self.root, self.home], capture_output=True, text=True, check=False, timeout=LIMIT)
        assert found.stdout == "", done.stdout
        result = json.loads(done.stdout)
        assert "exception" not in result, done.stdout
        return result

    @property
    def home(self) -> Path:
        return self.site.directory / "home"

    def find(self, pattern: str) -> Path:
        """The one file or directory of the tree with this name, which may not exist yet."""
        return next(iter(sorted(self.root.glob(pattern))), self.root / pattern)


@pytest.fixture(scope="module")
def target() -> t.Iterator[Target]:
    """A system of release FIRST. Each test restores it."""
    # Not below pytest's directories, which the service user may not enter.
    directory = Path(tempfile.mkdtemp(prefix="otp-hostile-", dir="/var/tmp"))
    directory.chmod(0o755)
    site = Site(directory, (HOST,))
    bring_exchange(directory / "exchange-source")
    victim = directory / "victim"
    victim.mkdir(mode=0o755)
    (victim / "secret").touch(mode=0o600)
    (victim / "secret").write_text(f"-setcookie {SECRET}\n")
    own_way = {"ANSIBLE_PIPELINING": "0", "ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_REMOTE_TMP": f"{directory}/remote"}
    with site.at_work():
        site.write_inventory("FIRST", otp_user=USER, otp_group=USER, otp_stdin_transport=False, otp_restart_on_change=True)
        for playbook in ("deploy", "deploy", "status"):
            site.play(playbook, environment=own_way)
        modules = {path.stem[len("AnsiballZ_") :]: path for path in sorted(directory.glob("remote/*/AnsiballZ_*.py"), key=os.path.getmtime)}
        yield Target(site, victim, modules)


DIRECTORIES = ["log", "run", "run/pipe", "bin", "lib", "releases", "releases/FIRST", ".staging"]
FILES = [
    "bin/start",
    "bin/epmd",
    "erts-*/bin/epmd",
    "releases/RELEASES",
    "releases/start_erl.data",
    "releases/history.jsonl",
    "releases/FIRST/package.json",
    "releases/FIRST/sys.config",
    "releases/FIRST/sys.config.src",
    "releases/FIRST/vm.args",
    "releases/FIRST/vm.args.src",
    "run/emulator.pid",
    ".lock",
    "../home/.erlang.cookie",
]
KINDS: dict[str, t.Callable[[Target], t.Callable[[Path], object]]] = {
    "link": lambda target: lambda path: path.symlink_to(target.victim / "secret"),
    "pipe": lambda target: os.mkfifo,
    "directory": lambda target: os.mkdir,
}


@pytest.mark.one_of(3)
@pytest.mark.parametrize("name", DIRECTORIES)
def test_a_directory_is_a_link_to_one_of_root(target: Target, name: str) -> None:
    with replaced(target.root / name, lambda path: path.symlink_to(target.victim)):
        assert (target.root / name).resolve() == target.victim
        for module in target.modules:
            target.run(module)
    assert target.run("otp_target_system")["node"]["running"]


@pytest.mark.one_of(4)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FILES)
def test_a_file_is_something_else(target: Target, name: str, kind: str) -> None:
    path = target.find(name)
    with replaced(path, KINDS[kind](target)):
        assert path.owner() == USER if kind != "link" else path.resolve() == target.victim / "secret"
        for module in target.modules:
            target.run(module)
    assert target.run("otp_target_system")["node"]["running"]


def rewrite(path: Path, change: t.Callable[[str], str]) -> t.Callable[[], object]:
    """What writes the changed text in the place of a file."""

    def act() -> None:
        text = change(path.read_text())
        path.unlink()
        path.write_text(text)

    return act


def test_programs_of_the_tree_never_have_root(target: Target) -> None:
    """Each that a stop and a start of the system runs, written anew by the user."""
    seen = target.root / "log" / "seen"
    note = f"#!/bin/sh\n{{ echo $0:; grep -E '^(Uid|Gid|Groups)' /proc/self/status; }} >>{seen}\n"
    programs = [target.find(name) for name in ("bin/run_erl", "erts-*/bin/erlexec")]
    for path in programs:

        def make(new: Path, path: Path = path) -> None:
            new.write_text(f'{note}exec {path}.was "$@"\n')
            new.chmod(0o755)

        with replaced(path, make):
            target.site.stop(HOST)
            target.run("otp_target_system")
    assert target.run("otp_target_system")["node"]["running"]
    text = seen.read_text()
    assert all(f"{path}:" in text for path in programs)
    numbers = {number for line in text.splitlines() for number in line.split(":")[1].split()}
    assert numbers and "0" not in numbers
    seen.unlink()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_typed_to_a_node_is_written_to_pipes_alone(target: Target, kind: str) -> None:
    pipes = sorted((target.root / "run/pipe").glob("*.w"))
    assert pipes and all(stat.S_ISFIFO(pipe.stat().st_mode) for pipe in pipes)
    theirs = target.victim / "common"
    theirs.write_text("of root\n")
    call = (
        "import sys; from ansible_collections.erlang.otp.plugins.module_utils._node.run_erl_console import Console;"
        "Console(directory=sys.argv[1], force=True).call('erlang', 'node', [])"
    )
    with contextlib.ExitStack() as stack:
        for pipe in pipes:
            stack.enter_context(replaced(pipe, (lambda path: path.symlink_to(theirs)) if kind == "link" else lambda path: path.write_text("x")))
            assert pipe.is_symlink() == (kind == "link")
        done = subprocess.run([sys.executable, "-c", call, str(pipes[0].parent)], capture_output=True, text=True, check=False, timeout=LIMIT)
        assert done.returncode == 1 and "Unreachable" in done.stderr, done.stderr
        assert theirs.read_text() == "of root\n" and (kind == "link" or all(pipe.read_text() == "x" for pipe in pipes))
    theirs.unlink()


@pytest.mark.parametrize("lie", ["upwards", "absolute", "unknown"])
def test_releases_names_directories_of_root(target: Target, lie: str) -> None:
    """And of an unknown application, and the release is removed."""
    path = target.root / "releases" / "RELEASES"
    directory = {"upwards": "lib/../../victim", "absolute": str(target.victim), "unknown": f"{target.root}/lib/../../victim"}[lie]
    entry = f'{{release,"x","GONE","15.0",[{{x,"1","{directory}"}}],old}}'
    kept = path.read_text()
    attack(rewrite(path, lambda text: text.replace("[", "[" + entry + ",", 1)))
    try:
        assert directory in path.read_text()
        remove = (
            "import sys; from ansible_collections.erlang.otp.plugins.module_utils._install.remove import remove_release;"
            "from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes;"
            "remove_release(root=sys.argv[1], version='GONE', changes=Changes(), may_run=True)"
        )
        before = state_of(target.victim)
        subprocess.run([sys.executable, "-c", remove, str(target.root)], capture_output=True, text=True, check=False, timeout=LIMIT)
        assert state_of(target.victim) == before
    finally:
        attack(rewrite(path, lambda dummy: kept))
    assert target.run("otp_target_system")["node"]["running"]
