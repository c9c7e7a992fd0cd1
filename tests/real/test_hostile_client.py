# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service user who attacks root on the master of clients and on their hosts (docs/docsite/rst/guide_security.rst).

Each attack is made by a process of that user, and each test asserts first that it is there. Rules: what belongs to root stays as it is, and no secret of
root comes into the tree, into a result, or to another host. Without the attack, the run succeeds.
"""

from __future__ import annotations

import base64
import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import typing as t
import zlib
from pathlib import Path

import pytest
import yaml
from intruder import SECRET, USER, attack, state_of
from upgrade_site import Site, bring_exchange
from waiting import LIMIT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be attacked by another user")

NODE = "line1@localhost"


class Target(t.NamedTuple):
    """The system of a master, and a client of it. victim: a directory of root, with a file ``secret`` that only root may read."""

    site: Site
    victim: Path

    @property
    def root(self) -> Path:
        return Path(self.site.root("north"))

    @property
    def client(self) -> Path:
        return self.root / "clients" / NODE

    @property
    def home(self) -> Path:
        return self.site.directory / "home-of-client"

    def play(self, *, code: int | None = None, **variables: t.Any) -> str:
        """What the playbook for clients says, as it comes out if no code is given. Root's files are what they were."""
        return self.guarded(lambda: subprocess.run(
            self.site.command("clients", **variables), capture_output=True, text=True, timeout=LIMIT, check=False,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1"},
        ), code)  # fmt: skip

    def module(self, name: str, *, code: int | None = None, **options: t.Any) -> str:
        """What a module says as root, with its result."""
        program = str(Path(sys.executable).parent / "ansible")
        command = [program, "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", "all", "-m", f"erlang.otp.{name}"]
        return self.guarded(lambda: subprocess.run(
            [*command, "-a", json.dumps(options)], capture_output=True, text=True, timeout=LIMIT, check=False, env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        ), code)  # fmt: skip

    def guarded(self, run: t.Callable[[], subprocess.CompletedProcess], code: int | None) -> str:
        before = state_of(self.victim)
        done = run()
        said = done.stdout + done.stderr
        assert state_of(self.victim) == before, said
        assert SECRET not in said and "Traceback" not in said, said
        found = subprocess.run(["grep", "-rIl", "-D", "skip", SECRET, self.root, self.home], capture_output=True, text=True, check=False, timeout=LIMIT)
        assert found.stdout == "", said
        assert code in (None, done.returncode), said
        return said

    def replace(self, path: Path, kind: str) -> None:
        """USER puts something else in the place of a file or directory: a link to root's, or a pipe."""

        def act() -> None:
            if os.path.lexists(path):
                path.rename(f"{path}.was")
            if kind == "pipe":
                os.mkfifo(path)
            else:
                path.symlink_to(self.victim if kind == "directory" else self.victim / "secret")

        attack(act)
        assert path.lstat().st_uid == pwd.getpwnam(USER).pw_uid
        assert path.is_fifo() if kind == "pipe" else str(path.resolve()).startswith(str(self.victim))

    def restore(self, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        if os.path.lexists(f"{path}.was"):
            Path(f"{path}.was").rename(path)


@pytest.fixture(scope="module")
def target() -> t.Iterator[Target]:
    # Not below pytest's directories, which the service user may not enter.
    directory = Path(tempfile.mkdtemp(prefix="otp-hostile-", dir="/var/tmp"))
    directory.chmod(0o755)
    site = Site(directory, ("north",))
    bring_exchange(directory / "exchange-source")
    (directory / "victim/bin").mkdir(parents=True)
    (directory / "victim/secret").touch(mode=0o600)
    (directory / "victim/secret").write_text(SECRET)
    shutil.copy2(directory / "victim/secret", directory / "victim/bin/beam.smp")
    target = Target(site, directory / "victim")
    target.home.mkdir()
    shutil.chown(target.home, USER, USER)
    try:
        # No node runs: what is tested is what root does with files.
        site.write_inventory("FIRST", otp_user=USER, otp_group=USER, otp_state="present")
        site.play("deploy")
        inventory = yaml.safe_load(site.inventory.read_text())
        groups = inventory["all"]["children"]
        line = {"otp_root": str(target.root), "otp_node_name": NODE, "otp_master": "north", "otp_client_home": str(target.home), "otp_service_manager": "none"}
        groups["otp_clients"] = {"vars": {**groups["otp"]["vars"], "otp_manage_user": False}, "hosts": {"line1": line}}
        site.inventory.write_text(yaml.safe_dump(inventory))
        target.play(code=0)
        assert (target.home / ".erlang.cookie").owner() == USER and (target.client / "bin/environment").owner() == USER
        yield target
    finally:
        shutil.rmtree(directory)


PLACES = [
    ("clients", "directory"),
    (f"clients/{NODE}", "directory"),
    (f"clients/{NODE}/bin", "directory"),
    (f"clients/{NODE}/releases", "directory"),
    (f"clients/{NODE}/releases/FIRST", "directory"),
    *((f"clients/{NODE}/bin/{name}", kind) for name in ("start", "stop", "environment") for kind in ("link", "pipe")),
    *((f"clients/{NODE}/releases/{name}", kind) for name in ("RELEASES", "FIRST/sys.config") for kind in ("link", "pipe")),
    ("../home-of-client/.erlang.cookie", "link"),
    ("../home-of-client/.erlang.cookie", "pipe"),
]


@pytest.mark.one_of(3)
@pytest.mark.parametrize(("name", "kind"), PLACES)
def test_a_part_of_the_client_is_something_else(target: Target, name: str, kind: str) -> None:
    path = target.root / name
    target.replace(path, kind)
    try:
        # What is written is new.
        target.play(otp_environment={"LINE": f"{name}-{kind}"}, otp_cookie=f"cookie-{kind}")
        if path in (target.client, target.client.parent):
            target.module("otp_release_client", root=str(target.root), client=NODE, state="absent")
    finally:
        target.restore(path)


@pytest.mark.parametrize("variables", [{"otp_client_home": ""}, {"otp_client_run_dir": "", "otp_state": "started"}], ids=["home", "run"])
def test_a_directory_of_the_client_is_a_link_to_one_of_root(target: Target, variables: dict[str, str]) -> None:
    path = target.home / "of-client"
    target.replace(path, "directory")
    try:
        target.play(code=2, **{name: value or str(path) for name, value in variables.items()})
    finally:
        target.restore(path)


def test_afterwards_the_client_is_as_it_should_be(target: Target) -> None:
    target.play(code=0, otp_environment={"LINE": "last"})
    assert (target.client / "bin/environment").read_text().endswith("LINE=last\n") and (target.home / ".erlang.cookie").read_text() == target.site.cookie


@pytest.mark.parametrize("kind", ["directory", "link", "pipe", "set-uid"])
def test_the_emulator_that_goes_to_another_host(target: Target, kind: str) -> None:
    program = next(target.root.glob("erts-*/bin/beam.smp"))
    path = program.parent.parent if kind == "directory" else program
    if kind == "set-uid":
        attack(lambda: program.chmod(0o4755))
        assert program.stat().st_mode & stat.S_ISUID and program.owner() == USER
    else:
        target.replace(path, kind)
    try:
        said = target.module("otp_client_files_info", paths=[str(program)], code=0 if kind == "set-uid" else 2)
    finally:
        if kind == "set-uid":
            program.chmod(0o755)
        else:
            target.restore(path)
    if kind == "set-uid":
        (file,) = json.loads(said[said.index("{") :])["files"]
        assert file["mode"] == "0755" and zlib.decompress(base64.b64decode(file["compressed"])) == program.read_bytes()


def test_the_directory_of_the_client_on_its_own_host_is_removed(target: Target) -> None:
    path = target.root / "clients"
    attack(lambda: (target.root / "to-root").symlink_to(target.victim))
    assert (target.root / "to-root").resolve() == target.victim
    target.module("otp_client_files", absent=[f"{target.root}/to-root/bin"], code=2)
    target.module("otp_client_files", absent=[f"{target.root}/to-root"], code=0)
    assert path.is_dir()


@pytest.mark.one_of(2)
@pytest.mark.parametrize("name", ["releases", "releases/FIRST", "releases/FIRST/sys.config", "releases/FIRST/sys.config.src", "releases/FIRST/vm.args.src"])
def test_a_configuration(target: Target, name: str) -> None:
    path = target.root / name
    is_directory = path.is_dir()
    target.replace(path, "directory" if is_directory else "link")
    try:
        options = {"root": str(target.root), "release": "FIRST", "variables": {"EXCHANGE_PORT": 1}}
        target.module("otp_release_config", **options)
    finally:
        target.restore(path)


@pytest.mark.parametrize("name", ["run/pipe", "run/pipe/erlang.pipe.1.w", "run/pipe/erlang.pipe.1.r"])
def test_a_call_through_pipes(target: Target, name: str) -> None:
    path = target.root / name
    target.replace(path, "directory" if path.name == "pipe" else "link")
    try:
        target.module("otp_rpc", pipe_dir=f"{target.root}/run/pipe", module="erlang", function="node", timeout=1, code=2)
    finally:
        target.restore(path)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_cookie_file_of_a_call(target: Target, kind: str) -> None:
    path = target.home / ".erlang.cookie"
    target.replace(path, kind)
    try:
        target.module("otp_rpc", node="line1@localhost", cookie_file=str(path), module="erlang", function="node", timeout=1, code=2)
    finally:
        target.restore(path)
