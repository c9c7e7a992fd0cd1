# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases of a server that counts, their packages and relups, and embedded nodes under heart that run them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import typing as t
from pathlib import Path

import nodes
import pytest
from release_workshop import MINIMAL, Workshop
from waiting import LIMIT, free_port, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._handler.local import apply_local
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError, Request
from ansible_collections.erlang.otp.plugins.module_utils._info.target import describe_target, read_target
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress
from ansible_collections.erlang.otp.plugins.module_utils._node.distribution import Connection
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running, observe, shorten_stop
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import as_checks
from ansible_collections.erlang.otp.plugins.module_utils._target_system.environment import ENVIRONMENT, format_environment
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import release_of
from ansible_collections.erlang.otp.plugins.plugin_utils._target_system.rendering import rendered

# The state has the version in it, so that code_change has something to do.
COUNTER = """\
-module(counter).
-behaviour(gen_server).
-export([start/2, stop/1, start_link/0, init/1, handle_call/3, handle_cast/2, code_change/3, count/0, state/0, version/0, linger/0]).
start(_, _) -> supervisor:start_link({local, counter_sup}, ?MODULE, supervisor).
stop(_) -> ok.
start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, server, []).
init(supervisor) -> {ok, {{one_for_one, 1, 5}, [{?MODULE, {?MODULE, start_link, []}, permanent, 5000, worker, [?MODULE]}]}};
init(server) -> {ok, {"%(version)s", 0}}.
count() -> gen_server:call(?MODULE, count).
state() -> gen_server:call(?MODULE, state).
version() -> "%(version)s".
linger() -> receive leave -> ok end.
handle_call(count, _, {Version, Count}) -> {reply, Count + 1, {Version, Count + 1}};
handle_call(state, _, State) -> {reply, State, State}.
handle_cast(_, State) -> {noreply, State}.
%(code_change)s
"""
CHANGES = 'code_change({down, _}, {_, Count}, _) -> {ok, {"1.0", Count}};\ncode_change(_, {_, Count}, _) -> {ok, {"%s", Count}}.'
CRASHES = 'code_change({down, _}, {_, Count}, _) -> {ok, {"1.0", Count}};\ncode_change(_, _, _) -> exit(cannot_change).'


class Releases:
    """A workshop with packages by the version of their release; each has a relup from and to FIRST, but for BARE."""

    def __init__(self, directory: Path) -> None:
        self.workshop = Workshop(directory, find_otp(None))
        self.packages: dict[str, str] = {}
        self.make("FIRST", "1.0")
        self.make("SECOND", "2.0", relup="[]")
        self.make("RESTARTS", "2.1", relup="[restart_emulator]")
        self.make("CRASHES", "2.2", relup="[]", code_change=CRASHES)
        self.make("BARE", "2.3")

    def make(self, release: str, counter: str, *, relup: str = "", code_change: str = "") -> None:
        """A package. relup: more options of make_relup."""
        directory = self.application(counter, code_change or CHANGES % counter)
        rel = self.workshop.rel(*MINIMAL, f"counter-{counter}", stem=release, name="COUNTER", version=release)
        extra: tuple[tuple[str, str], ...] = ()
        if relup:
            self.make_relup(release, directory, relup)
            extra = ((str(self.workshop.directory / release / "relup"), f"releases/{release}/relup"),)
        output = str(self.workshop.directory / release)
        self.packages[release] = self.workshop.build(rel=rel, sys_config="[].\n", extra_files=extra, output_dir=output)["package"]

    def application(self, version: str, code_change: str) -> Path:
        directory = self.workshop.directory / f"lib/counter-{version}"
        for name in ("ebin", "src"):
            (directory / name).mkdir(parents=True)
        source = directory / "src" / "counter.erl"
        source.write_text(COUNTER % {"version": version, "code_change": code_change})
        subprocess.run(["erlc", "-o", directory / "ebin", source], check=True)
        (directory / "ebin" / "counter.app").write_text(
            f'{{application, counter, [{{description, "Counts"}}, {{vsn, "{version}"}}, {{modules, [counter]}}, {{registered, [counter]}},'
            " {applications, [kernel, stdlib, sasl]}, {mod, {counter, []}}]}.\n"
        )
        way = '[{"1.0", [{update, counter, {advanced, []}}]}]'
        (directory / "ebin" / "counter.appup").write_text(f'{{"{version}", {way}, {way}}}.\n')
        return directory

    def make_relup(self, release: str, application: Path, options: str) -> None:
        directory = self.workshop.directory
        (directory / release).mkdir()
        paths = f'{{path, ["{application}/ebin", "{directory}/lib/counter-1.0/ebin"]}}'
        names = f'"{directory}/{release}", ["{directory}/FIRST"], ["{directory}/FIRST"]'
        expression = f'{{ok, _, _, _}} = systools:make_relup({names}, [silent, {{outdir, "{directory}/{release}"}}, {paths} | {options}]), halt().'
        subprocess.run(["erl", "-noshell", "-eval", expression], check=True, timeout=LIMIT)


class HasPackages(t.Protocol):
    """What a system's releases come from."""

    packages: dict[str, str]


def make_directory(path: Path) -> None:
    """The umask is that of the process, and another thread of a benchmark may have set it to 0."""
    path.mkdir(exist_ok=True, parents=True)
    path.chmod(0o755)


class System:
    """A system of its own: root directory, start scripts of the role target_system, epmd, and its node.

    first: the release that it begins with; place: its root directory below one of the test's own, which is made within that given. user: who owns
    all of it, and runs the node.
    """

    def __init__(
        self,
        releases: HasPackages,
        *,
        first: str = "FIRST",
        place: str = "root",
        heart: bool = True,
        distributed: bool = True,
        flags: t.Sequence[str] = (),
        within: Path | None = None,
        user: str = "root",
    ) -> None:
        self.releases = releases
        self.user = user
        self.directory = Path(tempfile.mkdtemp(prefix="otp-handler-", dir=within))
        self.root = str(self.directory / place)
        self.home = self.directory / "home"
        make_directory(self.home)
        self.cookie_file = self.home / ".erlang.cookie"
        self.cookie_file.write_text(nodes.COOKIE)
        self.cookie_file.chmod(0o400)
        self.port = free_port()
        self.name = "counter@localhost" if distributed else ""
        self.heart = heart
        self.pipes = self.directory / "pipes" if user == "root" else Path(self.root, "run/pipe")
        self.logs = self.directory / "logs" if user == "root" else Path(self.root, "log")
        make_directory(self.logs)
        self.flags = [*flags]
        self.epmd = subprocess.Popen(["epmd", "-address", "127.0.0.1", "-port", str(self.port)])
        install_release(root=self.root, package=releases.packages[first], changes=Changes(), flush=False)
        self.write_scripts()
        if user != "root":
            self.pipes.mkdir(mode=0o700)
            subprocess.run(["chown", "-R", f"{user}:", self.root, self.home], check=True)
            self.directory.chmod(0o755)

    def __enter__(self) -> System:
        return self

    def __exit__(self, *_error) -> None:
        self.cut()
        self.epmd.kill()
        self.epmd.wait()
        shutil.rmtree(self.directory)

    def cut(self) -> None:
        """End the node at once, as a power cut does: without its start script, heart has nothing to start again."""
        start, away = Path(self.root, "bin/start"), Path(self.root, "bin/start.away")
        with contextlib.suppress(FileNotFoundError):
            start.rename(away)
        # On a busy machine heart takes its time to find out: it must not find the start script again.
        wait_until(self._ended, f"emulator, heart and run_erl of {self.root} have ended")
        with contextlib.suppress(FileNotFoundError):
            away.rename(start)

    def _ended(self) -> bool:
        """Whether nothing of the node is left; its emulator is killed."""
        if pid := find_emulator(self.root):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not pid and not keepers(self.root)

    @property
    def node(self) -> _node.Node:
        environment = {"ERL_EPMD_PORT": str(self.port)}
        return _node.Node(self.root, self.user, str(self.home), str(self.logs), self.name, environment=environment)

    def write_scripts(self) -> None:
        values = {
            "otp_root": self.root,
            "otp_pipe_dir": str(self.pipes),
            "otp_log_dir": str(self.logs),
            "otp_user": self.user,
            "otp_home": str(self.home),
            "otp_heart": self.heart,
            "otp_heart_beat_timeout": 60,
            "otp_environment": {},
            "otp_epmd": True,
            "otp_epmd_port": str(self.port),
            "otp_epmd_address": "",
            "otp_service_manager": "none",
            "otp_console": "run_erl",
            "otp_open_files": 0,
            "otp_log_generations": 5,
            "otp_log_max_size": 100000,
            "otp_node_name": self.name,
            "otp_long_names": "." in self.name,
            "otp_dist_ports": "",
            "otp_boot_server": False,
            "otp_boot_variables": {},
            "otp_erl_flags": self.flags,
            "otp_code_mode": "",
        }
        make_directory(Path(self.root, "run"))
        Path(self.root, ENVIRONMENT).write_text(format_environment(self.node.environment))
        for name in ("start", "start_erl", "stop"):
            script = Path(self.root, "bin", name)
            script.write_text(rendered(name, values))
            script.chmod(0o755)

    def start(self) -> System:
        """Start the node and wait for it."""
        _node.start(self.node)
        if self.name:
            _node.wait_until_answering(self.node, timeout=LIMIT)
        else:
            wait_until(lambda: "Eshell" in (self.logs / "erlang.log.1").read_text(), "the shell has come up")
        return self

    @property
    def address(self) -> NodeAddress:
        if not self.name:
            return NodeAddress(pipe_dir=str(self.pipes))
        return NodeAddress(node=self.name, cookie_file=str(self.cookie_file), epmd_port=self.port)

    def connect(self) -> Connection:
        return Connection(node=self.name, cookie=nodes.COOKIE, epmd_port=self.port, timeout=60.0)

    def call(self, module: str, function: str, *arguments: t.Any) -> t.Any:
        with self.connect() as node:
            return node.call(module, function, list(arguments))

    def observe(self) -> Running:
        with self.connect() as node:
            return observe(node)

    def statuses(self) -> dict[str, str]:
        """What which_releases says."""
        return {release.version: release.status for release in self.observe().releases}

    @property
    def pid(self) -> int:
        pid = find_emulator(self.root)
        assert pid is not None
        return pid

    def take(
        self,
        release: str,
        state: str,
        *,
        check_mode: bool = False,
        package: bool = True,
        package_of: str = "",
        is_read: bool = False,
        verify: t.Sequence[dict] = (),
        **more: t.Any,
    ) -> dict[str, t.Any]:
        """What otp_release_handler does; actions are in the result. is_read: whether the package was read on the controller before."""
        changes = Changes(check_mode=check_mode)
        given: dict[str, t.Any] = {}
        if package and state in ("unpacked", "ready", "current", "permanent"):
            given = {"package": self.releases.packages[package_of or release]}
            given.update({"release": release_of(given["package"])} if is_read else {})
        options: dict[str, t.Any] = {
            "address": self.address,
            # Most tests are of release_handler and of relups.
            "method": "hot",
            "package": given,
            "restart_timeout": LIMIT,
            "log_dir": str(self.logs),
            "verify_timeout": LIMIT,
            "verify": as_checks(verify),
            **more,
        }
        result = apply_local(Request(root=self.root, release=release, state=state, **options), changes)
        return {**result, "changed": changes.changed, "actions": changes.actions}

    def install(self, release: str) -> t.Any:
        """What install_release answers. A restart begins at once: user is not waited for."""
        with self.connect() as node:
            shorten_stop(node, timeout=LIMIT)
            return node.call("release_handler", "install_release", [release])

    def count(self) -> int:
        return self.call("counter", "count")

    def operate(self, function: str, *arguments: str) -> t.Any:
        """What release_handler itself answers."""
        return self.call("release_handler", function, *arguments)


OK = Atom("ok")
IS_SECOND = {"module": "counter", "function": "version", "expect": '"2.0"'}
NEVER = {"module": "counter", "function": "version", "expect": '"9.9"'}


def keepers(root: str) -> list[int]:
    """The processes of heart and run_erl of the system: those of its clients are on hosts of their own, with mounts of their own."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            program = os.readlink(f"/proc/{pid}/exe").partition(" (deleted)")[0]
            is_here = os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
            if is_here and os.path.basename(program) in ("heart", "run_erl") and program.startswith(os.path.realpath(root) + "/"):
                found.append(int(pid))
    return found


def refused(system: System, release: str, state: str = "permanent", **more: t.Any) -> HandlerError:
    """The error with which the release does not come to the state."""
    with pytest.raises(HandlerError) as caught:
        system.take(release, state, **more)
    return caught.value


def kinds(error: HandlerError) -> list[str]:
    """Of the problems that ended the run."""
    return [problem["kind"] for problem in error.result["problems"] if problem["fatal"]]


def disagreements(system: System) -> list[str]:
    """What otp_release_info says of the files."""
    return describe_target(read_target(system.root))["disagreements"]


def on_a_new_emulator(system: System, release: str) -> None:
    """Have the relup of the release say what that of another ERTS says: first the new emulator, then the rest in it."""
    system.take(release, "unpacked")
    relup = Path(system.root, "releases", release, "relup")
    text = relup.read_text()
    relup.write_text(re.sub(r'\[\{"FIRST",\[\],\s*\[', '[{"FIRST",[],[restart_new_emulator,', text, count=1))
    assert relup.read_text() != text


def with_another_erts(system: System, release: str, version: str = "13.9") -> None:
    """Lay the release out as one of another ERTS, which is a copy of ours, and which the node does not know yet."""
    install_release(root=system.root, package=system.releases.packages[release], changes=Changes(), flush=False)
    (erts,) = Path(system.root).glob("erts-*")
    shutil.copytree(erts, erts.with_name(f"erts-{version}"), symlinks=True)
    rel = Path(system.root, "releases", release, f"{release}.rel")
    rel.write_text(rel.read_text().replace(erts.name.partition("-")[2], version))


def wait_until_down_for_good(system: System) -> None:
    """The emulator ends, and so does what would start another one."""
    wait_until(lambda: not find_emulator(system.root) and not keepers(system.root), "emulator, heart and run_erl have ended")
    assert find_emulator(system.root) is None


def files_of(root: str) -> dict[str, bytes]:
    """All regular files below the root, but for logs."""
    found = {}
    for path, _names, files in os.walk(root):
        for name in files:
            full = os.path.join(path, name)
            if "/log/" not in full and not name.startswith("."):
                found[os.path.relpath(full, root)] = Path(full).read_bytes()
    return found
