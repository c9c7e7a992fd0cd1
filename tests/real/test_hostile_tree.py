# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service user who changes its tree while root installs, changes and removes releases in it (docs/docsite/rst/guide_security.rst).

The trees have small packages, and no node. Each attack is made by a process of that user; what it is aimed at belongs to root.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import mmap
import os
import shutil
import socket
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
from intruder import SECRET, USER, attack, replaced, run_module, state_of

from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, with_variable, write_package

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be attacked by another user")


class Host(t.NamedTuple):
    """A directory of root with a tree of USER, a victim and a directory of libraries, both of root, and packages by release."""

    directory: Path
    packages: dict[str, str]

    @property
    def root(self) -> Path:
        return self.directory / "root"

    @property
    def victim(self) -> Path:
        return self.directory / "victim"

    @property
    def shared(self) -> Path:
        """Where the packages have their application pea."""
        return self.directory / "shared"

    def install(self, release: str, watch: t.Callable[[str, tuple], None] | None = None, state: str = "permanent") -> dict[str, t.Any]:
        options = {"variables": {"SECOND_ROOT": str(self.shared)}, "flush": False, "owner": USER, "group": USER, "state": state, "lock_timeout": 1}
        return run_module("otp_release_install", watch=watch, root=str(self.root), package=self.packages[release], **options)

    def remove(self, release: str, watch: t.Callable[[str, tuple], None] | None = None) -> dict[str, t.Any]:
        return run_module("otp_release_handler", watch=watch, root=str(self.root), release=release, state="absent", transport="offline", lock_timeout=1)

    def make(self, release: str) -> None:
        """The tree as it was when this release was installed."""
        if os.path.lexists(self.root):
            shutil.rmtree(self.root)
        subprocess.run(["cp", "-a", self.directory / f"with-{release}", self.root], check=True)

    @contextlib.contextmanager
    def unharmed(self) -> t.Iterator[None]:
        """What is root's stays as it is."""
        before = [state_of(path) for path in (self.victim, self.shared / "host-1.0")]
        yield
        assert [state_of(path) for path in (self.victim, self.shared / "host-1.0")] == before


@pytest.fixture(scope="module")
def host() -> t.Iterator[Host]:
    # Not below pytest's directories, which the service user may not enter.
    directory = Path(tempfile.mkdtemp(prefix="otp-hostile-", dir="/var/tmp"))
    directory.chmod(0o755)
    packages = {
        name: write_package(directory / f"{name}.tar.gz", release_members(name, app_version=app)) for name, app in (("FIRST", "1.0"), ("SECOND", "2.0"))
    }
    packages["THIRD"] = write_package(directory / "THIRD.tar.gz", with_variable(release_members("THIRD", app_version="3.0")))
    host = Host(directory, packages)
    (host.victim / "pea-1.0" / "ebin").mkdir(parents=True)
    (host.victim / "pea-1.0" / "ebin" / "pea.app").write_text("of root")
    (host.victim / "releases").mkdir()
    (host.victim / "secret").touch(mode=0o600)
    (host.victim / "secret").write_text(SECRET)
    (host.shared / "host-1.0" / "ebin").mkdir(parents=True)
    try:
        assert host.install("FIRST")["changed"]
        subprocess.run(["cp", "-a", host.root, directory / "with-FIRST"], check=True)
        assert host.install("SECOND")["changed"]
        subprocess.run(["cp", "-a", host.root, directory / "with-SECOND"], check=True)
        assert host.install("THIRD", state="present")["changed"]
        subprocess.run(["cp", "-a", host.root, directory / "with-THIRD"], check=True)
        yield host
    finally:
        shutil.rmtree(directory)


OPERATIONS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.symlink", "os.chmod", "os.chown", "os.listdir", "os.scandir")


class Exchange:
    """A process of USER that puts a link to the victim in the place of a directory right before root's n-th operation in the tree, and takes it away later."""

    def __init__(self, host: Host, name: str) -> None:
        self.root, self.path, self.victim = str(host.root), host.root / name, host.victim
        self.first = self.lasts = 0
        # Shared by all processes: root's operations, and how often the link was there.
        self.counts = memoryview(mmap.mmap(-1, 16)).cast("Q")
        self.ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            self.ours.close()
            attack(lambda: self.serve(theirs))
            os._exit(0)
        theirs.close()

    def serve(self, theirs: socket.socket) -> None:
        kept = Path(f"{self.path}.was")
        while wanted := theirs.recv(1):
            with contextlib.suppress(OSError):
                if wanted == b"+":
                    self.path.rename(kept)
                    self.path.symlink_to(self.victim)
                    self.counts[1] += 1
                else:
                    self.path.unlink()
                    kept.rename(self.path)
            theirs.send(b".")

    def watch(self, event: str, arguments: tuple) -> None:
        """In the module's process."""
        if event not in OPERATIONS or not self.is_in_tree(str(arguments[0])):
            return
        self.counts[0] += 1
        if self.counts[0] in (self.first, self.first + self.lasts):
            self.ours.send(b"+" if self.counts[0] == self.first else b"-")
            self.ours.recv(1)

    def is_in_tree(self, path: str) -> bool:
        """A name without a directory is one in the staging directory."""
        return path.startswith(self.root) or not path.startswith("/")

    def close(self) -> None:
        self.ours.close()
        os.waitpid(self.pid, 0)


# It is exchanged before each so many-th operation, a number that shares no factor with what repeats, and for so many operations.
STRIDE = 7
DURATIONS = (1, 2, 5, 1000)


@pytest.mark.parametrize("name", [".staging", "releases", "lib"])
@pytest.mark.parametrize(("work", "release", "of"), [(Host.install, "SECOND", "FIRST"), (Host.remove, "FIRST", "SECOND")])
def test_a_directory_is_exchanged_while_root_works(host: Host, name: str, work: t.Callable, release: str, of: str) -> None:
    exchange = Exchange(host, name)
    done = []
    try:
        for exchange.first, exchange.lasts in zip(itertools.count(1, STRIDE), itertools.cycle(DURATIONS), strict=False):
            host.make(of)
            exchange.counts[0] = 0
            with host.unharmed():
                done.append(work(host, release, exchange.watch))
            if exchange.counts[0] < exchange.first:
                break
    finally:
        exchange.close()
    # Some runs were stopped by it, and the one that was let alone did everything.
    assert exchange.counts[1] >= 3 and any("failed" in result for result in done)
    assert done[-1]["changed"] and "failed" not in done[-1]


def record_of(host: Host, **changes: dict[str, str]) -> str:
    """The record of THIRD with these changes."""
    record = json.loads((host.root / "releases/THIRD/package.json").read_text())
    return json.dumps({**record, **{name: {**record[name], **change} for name, change in changes.items()}})


def elsewhere(host: Host, directory: Path, application: str, version: str) -> str:
    """The record of THIRD with an application in the directory, which is that of a variable, and where a package is said to have brought it."""
    place, variable = {application: f"{directory}/{application}-{version}"}, {"X": str(directory)}
    return record_of(host, applications={application: version}, places=place, variables=variable, archives=variable)


def entry_of(host: Host, erts: str, library: str) -> str:
    """RELEASES with an entry of THIRD that has this library."""
    entries = (host.root / "releases/RELEASES").read_text().partition('{release,"SYSTEM","THIRD"')[0].strip().rstrip(",")
    return f'{entries},\n{{release,"SYSTEM","THIRD","{erts}",[{{pea,"1.0","{library}"}}],unpacked}}].\n'


LIES: dict[str, tuple[str, t.Callable[[Host], str]]] = {
    "a library of root's": ("THIRD/package.json", lambda host: elsewhere(host, host.victim, "pea", "1.0")),
    # The directory lists this system.
    "a library of the host's": ("THIRD/package.json", lambda host: elsewhere(host, host.shared, "host", "1.0")),
    "a library above": ("THIRD/package.json", lambda host: record_of(host, applications={"../../victim/pea": "1.0"})),
    "a place above": ("THIRD/package.json", lambda host: record_of(host, places={"pea": f"{host.shared}/../victim/pea-1.0"}, applications={"pea": "1.0"})),
    "RELEASES: a library above": ("RELEASES", lambda host: entry_of(host, "13.1.5", "lib/../../victim/pea-1.0")),
    "RELEASES: a library of root's": ("RELEASES", lambda host: entry_of(host, "13.1.5", f"{host.victim}/pea-1.0")),
    "RELEASES: below lib, and above": ("RELEASES", lambda host: entry_of(host, "13.1.5", f"{host.root}/lib/../../victim/pea-1.0")),
    "RELEASES: an emulator above": ("RELEASES", lambda host: entry_of(host, "13.1.5/../../victim", "lib/pea-1.0")),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_release_that_is_removed_names_what_is_not_its_own(host: Host, lie: str) -> None:
    name, content_of = LIES[lie]
    host.make("THIRD")
    path, content = host.root / "releases" / name, content_of(host)
    attack(lambda: write_again(path, content))
    assert path.owner() == USER and path.read_text() == content
    assert str(host.root) in (host.shared / ".systems").read_text()
    # Again with what a run before has left, and by the installation of the same package.
    for work in (host.remove, host.remove, lambda release: host.install(release, state="present")):
        with host.unharmed():
            work("THIRD")


def write_again(path: Path, content: str) -> None:
    path.unlink()
    path.write_text(content)


@pytest.mark.parametrize("name", ["releases/THIRD", "lib/kernel-8.5.3", "lib/pea-2.0", "erts-13.1.5", "releases/system.rel"])
def test_a_part_of_a_release_that_is_removed_is_a_link(host: Host, name: str) -> None:
    host.make("THIRD")
    with replaced(host.root / name, lambda path: path.symlink_to(host.victim)), host.unharmed():
        assert (host.root / name).resolve() == host.victim
        host.remove("THIRD")
        host.install("THIRD", state="present")
