# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user whose processes have the arguments of a node: anybody can give a process any. Root calls the node meanwhile, and looks for its emulator.

Each process is one of that user, and each test asserts first that it is there.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import typing as t
from pathlib import Path

import pytest
from authority import Authority
from intruder import SECRET, USER, attack, run_module, state_of
from waiting import LIMIT, free_port, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._node import listening as _listening
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulators, find_starters, runs_as, second_emulator, users_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be attacked by another user")

INTRUDER = pwd.getpwnam(USER)
COOKIE = "cookieofthesetests"
FUNCTIONS = Path(__file__).parents[2] / "plugins/plugin_utils/_target_system"
# No node of another test has it, by which it is looked for among all processes.
NODE = "oulu@localhost"


class Listener:
    """What listens at the port where root is led. seen: whom it has met."""

    def __init__(self, files: Path) -> None:
        self.seen: list[str] = []
        self._files = files
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._files / "certificate.pem", self._files / "key.pem")
        context.load_verify_locations(self._files / "ca.pem")
        context.verify_mode = ssl.CERT_OPTIONAL
        while True:
            try:
                connection = self._socket.accept()[0]
            except OSError:
                return
            self.seen.append("somebody")
            connection.settimeout(LIMIT)
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                if secured.getpeercert():
                    self.seen.append("with a certificate")


class Place(t.NamedTuple):
    """victim: a directory of root, with files that only root may read; theirs: one of USER."""

    victim: Path
    theirs: Path
    listener: Listener

    @property
    def port(self) -> int:
        return self.listener.port

    @property
    def cookie(self) -> str:
        return str(self.victim / "cookie")

    @contextlib.contextmanager
    def forged(self, *arguments: str, environment: dict[str, str] | None = None) -> t.Iterator[int]:
        """A process of USER with these arguments."""
        command = ["/bin/sh", "-c", "echo; read dummy", "sh", *arguments]
        with started(command, environment) as process:
            assert process.stdout and process.stdout.readline() == b"\n"
            assert {*users_of(process.pid)} == {INTRUDER.pw_uid}
            yield process.pid

    def call(self, **options: t.Any) -> tuple[dict[str, t.Any], set[int]]:
        """What otp_rpc returns to root, and the users as which it has opened what is in the two directories."""
        before = state_of(self.victim)
        reader, writer = os.pipe()

        def watch(event: str, arguments: tuple) -> None:
            if event == "open" and str(arguments[0]).startswith((str(self.victim), str(self.theirs))) and arguments[0] != self.cookie:
                os.write(writer, b"%d\n" % os.geteuid())

        call = {"node": NODE, "module": "erlang", "function": "node", "arguments": [], "read_only": True, **options}
        result = run_module("otp_rpc", watch=watch, **call)
        os.close(writer)
        with os.fdopen(reader) as file:
            users = {int(line) for line in file}
        assert state_of(self.victim) == before
        return result, users


@contextlib.contextmanager
def started(command: list[str], environment: dict[str, str] | None = None) -> t.Iterator[subprocess.Popen[bytes]]:
    """A process of USER."""
    pipes: dict[str, t.Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    identity: dict[str, t.Any] = {"user": INTRUDER.pw_uid, "group": INTRUDER.pw_gid, "extra_groups": [INTRUDER.pw_gid]}
    with subprocess.Popen(command, cwd="/", env={**os.environ, **(environment or {})}, start_new_session=True, **pipes, **identity) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def place() -> t.Iterator[Place]:
    # Not below pytest's directories, which that user may not enter.
    directory = Path(tempfile.mkdtemp(prefix="otp-hostile-", dir="/var/tmp"))
    directory.chmod(0o755)
    victim, theirs, authority = directory / "victim", directory / "theirs", Authority()
    for path, host in ((victim, "root"), (theirs, "intruder")):
        path.mkdir(mode=0o755)
        for name, text in authority.issue(host).items():
            (path / f"{name}.pem").write_text(text)
            (path / f"{name}.pem").chmod(0o600)
    place = Place(victim, theirs, Listener(theirs))
    (place.victim / "cookie").write_text(COOKIE)
    (place.victim / "cookie").chmod(0o400)
    (place.victim / "sys.config").write_text(f"[{{kernel,[{{erl_epmd_node_listen_port,{place.port}}}]}}].\n%{SECRET}\n")
    (place.victim / "options").write_text(options_of(place.victim))
    for name in ("sys.config", "options"):
        (place.victim / name).chmod(0o600)
    for path in (place.theirs, *place.theirs.iterdir()):
        os.chown(path, INTRUDER.pw_uid, INTRUDER.pw_gid)
    try:
        yield place
    finally:
        place.listener.close()
        shutil.rmtree(directory)


@pytest.fixture(autouse=True)
def _nothing_seen(place: Place) -> None:
    place.listener.seen.clear()


def options_of(directory: Path, **others: Path) -> str:
    """Of -ssl_dist_optfile: a client with the files of the directory, but for those in others."""
    names = {"certfile": "certificate", "keyfile": "key", "cacertfile": "ca"}
    files = ",".join(f'{{{option},"{others.get(name, directory)}/{name}.pem"}}' for option, name in names.items())
    return f"[{{server,[{{verify,verify_peer}}]}},{{client,[{files}]}}].\n"


# How a process says that it listens at a port, and without EPMD.
AT_PORT = ["-root", "/nowhere", "-name", NODE, "-start_epmd", "false", "-erl_epmd_port"]


@pytest.mark.parametrize("what", ["none", "options", "certificate", "key", "ca", "linked"])
def test_files_of_root_for_tls(place: Place, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root would show its certificate to that process, and prove that it has the key."""
    monkeypatch.setattr(_listening, "BOOTED", 0)
    options = place.victim / "options" if what == "options" else place.theirs / "options"
    if what != "options":
        linked = place.theirs / "linked" / "key.pem"
        others = {"none": {}, "linked": {"key": linked.parent}}.get(what, {what: place.victim})
        attack(lambda: options.write_text(options_of(place.theirs, **others)))
        attack(lambda: (linked.parent.mkdir(exist_ok=True), linked.unlink(missing_ok=True), linked.symlink_to(place.victim / "key.pem")))
    with place.forged(*AT_PORT, str(place.port), "-proto_dist", "inet_tls", "-ssl_dist_optfile", str(options)):
        result, users = place.call(cookie=COOKIE)
    assert result["failed"] and users == {INTRUDER.pw_uid}, result
    # With its own files it is believed: a cookie alone says nothing of whose node it is.
    assert ("with a certificate" in place.listener.seen) == (what == "none"), result


def test_a_configuration_of_root(place: Place) -> None:
    epmd_port = free_port()
    with place.forged(*AT_PORT[:-1], "-config", str(place.victim / "sys"), environment={"ERL_EPMD_PORT": str(epmd_port)}):
        result, users = place.call(cookie=COOKIE, epmd_port=epmd_port)
    assert result["failed"] and users == {INTRUDER.pw_uid} and place.listener.seen == []


@contextlib.contextmanager
def node_of_root(port: int, epmd_port: int) -> t.Iterator[None]:
    """A node that needs no EPMD."""
    flags = ["-noinput", "-name", NODE, "-setcookie", COOKIE, "-start_epmd", "false", "-erl_epmd_port", str(port)]
    with subprocess.Popen(["erl", *flags], env={**os.environ, "ERL_EPMD_PORT": str(epmd_port)}, start_new_session=True) as process:
        try:
            wait_until(lambda: is_open(port), "the node listens")
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_node_and_an_epmd_that_pretend_to_be_those_of_root(place: Place, erl: str) -> None:
    """They were there first. The node is called, and nobody comes to them; with the cookie alone it is not known whose node is meant."""
    of_root = {"cookie_file": place.cookie, "epmd_port": place.port}
    environment = {"ERL_EPMD_PORT": str(place.port)}
    with place.forged(*AT_PORT, str(place.port), environment=environment):
        with node_of_root(free_port(), place.port):
            assert place.call(**of_root)[0].get("text") == NODE
            # The node itself has tried to register there.
            place.listener.seen.clear()
            result, _users = place.call(**of_root)
            assert result.get("text") == NODE, result
            result, _users = place.call(cookie=COOKIE, epmd_port=place.port)
            assert result["failed"] and "set the option cookie_file" in result["msg"], result
            assert all(str(uid) in result["msg"] for uid in (0, INTRUDER.pw_uid)) and place.listener.seen == []
        # Without the node it is asked as EPMD, and for no more than that.
        result, _users = place.call(**of_root)
        assert result["failed"] and re.search("is not an epmd|No epmd answers", result["msg"]), result


@pytest.mark.parametrize("program", ["su", "sudo"])
def test_a_program_that_runs_as_root_for_its_user(place: Place, program: str) -> None:
    """su and sudo wait for a password with the arguments that their user has given them."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    asks = {"su": [path, "root", "--"], "sudo": [path, "-S", "--", "/bin/true"]}[program]
    with started([*asks, *AT_PORT, str(place.port)]) as process:
        wait_until(lambda: 0 in users_of(process.pid), f"{program} has the rights of root")
        assert b"-erl_epmd_port" in Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0") and runs_as(process.pid) is None
        result, users = place.call(cookie_file=place.cookie, epmd_port=free_port())
        assert process.poll() is None and result["failed"] and "No epmd answers" in result["msg"], result
        assert users == set()


def in_shell(user: pwd.struct_passwd, shell: str, root: Path, command: str) -> str:
    """What the functions of bin/stop write in the shell of the user."""
    functions = "".join(f'. "$1/{name}.sh"; ' for name in ("is_emulator", "emulators", "stop_node"))
    script = ["-c", f"ROOT=$0 RELDIR=$0/releases; {functions}{command}", str(root), str(FUNCTIONS)]
    identity: dict[str, t.Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    said = subprocess.run([*shell.split(), *script], text=True, capture_output=True, timeout=LIMIT, check=False, cwd="/", **identity)
    return said.stdout + said.stderr


def test_an_emulator_and_a_heart_of_another_user_s_system(place: Place, tmp_path: Path) -> None:
    """They would keep a system from being stopped, and from being started."""
    owner, root = pwd.getpwnam("bin"), place.victim.parent / "system"
    root.mkdir()
    os.chown(root, owner.pw_uid, owner.pw_gid)
    heart, of_node = place.theirs / "heart", {"ROOTDIR": str(root), "RELDIR": f"{root}/releases"}
    shutil.copy(t.cast("str", shutil.which("sleep")), heart)
    with place.forged("-root", str(root), environment=of_node) as pid, started([str(heart), "1000"], of_node) as process:
        wait_until(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "heart\n", "it has become heart")
        assert str(root).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert find_emulators(str(root)) == [] and find_starters(str(root)) == []
        # But an operator is told of it.
        assert f"(process {pid})" in second_emulator(str(root), None)
        _node.stop(str(root), timeout=LIMIT)
        # bin/stop, bin/start and the programs for a box have the same rules, whoever runs them.
        (root / "run").mkdir()
        (root / "run/emulator.pid").write_text(f"{pid}\n")
        for user, shell in ((owner, "sh"), (owner, "busybox sh"), (pwd.getpwnam("root"), "sh")):
            if user.pw_uid == 0:
                # Root takes the owner's word for it.
                assert in_shell(user, shell, root, f"is_emulator {pid} && echo yes") == "yes\n" and find_emulators(str(root)) == [pid]
                (root / "run/emulator.pid").write_text("1\n")
            assert in_shell(user, shell, root, f"emulators; starters; node_processes; is_emulator {pid} || echo no; stop_node 5 && echo done") == "no\ndone\n"
            assert process.poll() is None and Path(f"/proc/{pid}/cmdline").read_bytes()
        # Those of its own user are found, so that is not for another reason.
        os.chown(root, INTRUDER.pw_uid, INTRUDER.pw_gid)
        assert find_emulators(str(root)) == [pid] and [starter.pid for starter in find_starters(str(root))] == [process.pid]
        for user in (INTRUDER, pwd.getpwnam("root")):
            assert in_shell(user, "sh", root, "node_processes").splitlines()[-1] == f"emulator {pid}"
            assert f"heart {process.pid} " in in_shell(user, "sh", root, "starters")
        # With the owner's rights alone they have ended.
        assert in_shell(INTRUDER, "sh", root, "stop_node 60 && echo done") == "done\n" and process.wait(LIMIT) == -signal.SIGKILL
