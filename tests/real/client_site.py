# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A master node and clients of it, each as on a host of its own: with processes, mounts and, where there is no disk, a network of its own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import typing as t
from pathlib import Path

import nodes
from handler_site import HasPackages, System
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._client.directory import ClientRequest, ensure_client
from ansible_collections.erlang.otp.plugins.module_utils._client.upgrade import apply_client
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError, Request
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress
from ansible_collections.erlang.otp.plugins.module_utils._node.distribution import Connection
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running, observe
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import as_checks
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree

HERE, DISKLESS = "10.77.0.1", "10.77.0.2"
CLONE_NEWNET = 0x40000000
PROGRAMS = ("beam.smp", "erlexec", "erl_child_setup", "epmd", "inet_gethost", "heart")


@contextlib.contextmanager
def own_network() -> t.Iterator[None]:
    """Run this thread, and what it starts, in an own network: the port of the boot server cannot be chosen."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    try:
        ip("link set lo up")
        ip(f"address add {HERE}/32 dev lo")
        yield
    finally:
        assert libc.setns(before, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        os.close(before)


def ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True)


class Master(System):
    """A master node that is reached by its address."""

    def __init__(self, releases: HasPackages, **options: t.Any) -> None:
        super().__init__(releases, distributed=False, **options)
        nodes.end(self.epmd)
        self.name = f"m@{HERE}"
        self.write_scripts()
        self.epmd = subprocess.Popen(["epmd", "-port", str(self.port)])
        self.clients: list[Client] = []

    def __exit__(self, *_error: t.Any) -> None:
        for client in self.clients:
            client.end()
        super().__exit__()


class Client:
    """A client node. diskless: it has nothing but the programs of ERTS, and the rest from the master's boot server."""

    def __init__(self, master: Master, name: str, *, machine_type: str = "", diskless: bool = False, static: bool = False) -> None:
        self.master = master
        self.name = f"{name}@{DISKLESS if diskless else HERE}"
        self.machine_type = machine_type
        self.diskless = diskless
        self.static = static
        self.tree = ClientTree(master.root, self.name, machine_type)
        self.host = master.directory / "hosts" / name
        for directory in ("pipes", "log", "disk"):
            (self.host / directory).mkdir(parents=True)
        self.process: subprocess.Popen | None = None
        master.clients.append(self)

    # Its directory

    def have(self, *, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
        """What otp_release_client does."""
        changes = Changes(check_mode=check_mode)
        order = {"client": self.name, "machine_type": self.machine_type, "masters": (self.master.name,), "start_script": self.script()}
        given = {**order, "static_emulator": self.static, **options}
        result = ensure_client(ClientRequest(root=self.master.root, **given), changes)
        return {**result, "changed": changes.changed, "actions": changes.actions}

    def script(self) -> str:
        """bin/start."""
        root, home = self.tree.root, self.tree.client_directory
        erts = next(Path(root).glob("erts-*"), Path(root, "erts"))
        lines = ["#!/bin/sh", f"export ROOTDIR={root} EMU=beam PROGNAME=erl RELDIR={home}/releases HOME={self.master.home}"]
        lines += [f"export HEART_COMMAND={home}/bin/start ERL_EPMD_PORT={self.port} TERM=xterm HEART_NO_KILL=TRUE BINDIR={erts}/bin"]
        where = "$RELDIR"
        if not self.static:
            lines += ['read -r ERTS VSN <"${1:-$RELDIR/start_erl.data}" || [ -n "$VSN" ]', "BINDIR=$ROOTDIR/erts-$ERTS/bin"]
            where += "/$VSN"
        boots = f"$BINDIR/erlexec -boot {where}/start -config {where}/sys -heart -mode embedded -name {self.name}"
        if self.diskless:
            lines += [f"exec {boots} -loader inet -hosts {HERE} -id {self.name} -noinput -detached"]
        else:
            lines += [f'exec {root}/bin/run_erl -daemon {self.host}/pipes/ {self.host}/log "exec {boots}"']
        return "\n".join(lines) + "\n"

    @property
    def port(self) -> int:
        return self.master.port

    # Its host

    def start(self) -> Client:
        """Start its host, and wait for the node."""
        self.boot()
        wait_until(lambda: self.observe().status == "started", f"{self.name} has started", running=self.process)
        return self

    def boot(self) -> None:
        """Start its host: nothing of the root directory can be written there."""
        root, start = self.master.root, self.tree.path("bin", "start")
        mounts = f"mount --bind {root} {root} && mount -o remount,bind,ro {root}"
        network: list[str] = []
        if self.diskless:
            self.have_programs()
            mounts = f"mount -t tmpfs none {root} && cp -a {self.host}/disk/. {root}"
            network = ["--net"]
        # Nothing of the node is left when the first process of its host ends.
        command = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", *network]
        ready = f"read -r _ && {mounts} && {start} && exec sleep 1000000"
        self.process = subprocess.Popen([*command, "sh", "-c", ready], stdin=subprocess.PIPE)
        assert self.process.stdin is not None
        if self.diskless:
            self.connect_network()
        self.process.stdin.write(b"\n")
        self.process.stdin.close()

    def have_programs(self) -> None:
        """What a disk-less client has: programs of ERTS, and its start script, under the paths of the master."""
        disk = f"{self.host}/disk"
        (erts,) = Path(self.tree.root).glob("erts-*")
        for path in [*(erts / "bin" / name for name in PROGRAMS), Path(self.tree.path("bin", "start"))]:
            copy = Path(disk, os.path.relpath(path, self.master.root))
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)

    def connect_network(self) -> None:
        """A cable between its host and the master's."""
        assert self.process is not None
        pid = wait_until(lambda: child_of(self.process.pid), "the first process of the host is there", running=self.process)
        here = os.readlink("/proc/thread-self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{pid}/ns/net") != here, "the host has a network of its own", running=self.process)
        ip(f"link add cable type veth peer name cable netns {pid}")
        ip("link set cable up")
        ip(f"route add {DISKLESS}/32 dev cable")
        inside = f"ip link set lo up && ip address add {DISKLESS}/32 dev cable && ip link set cable up && ip route add {HERE}/32 dev cable"
        subprocess.run(["nsenter", "--net", "--target", str(pid), "sh", "-c", inside], check=True)

    def start_with_data(self) -> Client:
        """Start it with a copy of start_erl.data on its host, which has no other."""
        copy = Path(f"{self.host}/disk", os.path.relpath(self.tree.path("releases", "start_erl.data"), self.master.root))
        copy.parent.mkdir(parents=True)
        shutil.copy2(self.tree.path("releases", "start_erl.data"), copy)
        return self.start()

    def end(self) -> None:
        """Its host loses its power."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            if self.diskless:
                # Else it is there until the kernel has taken its host's network down.
                subprocess.run(["ip", "link", "delete", "cable"], capture_output=True, check=False)

    def kill(self) -> None:
        """End its emulator alone; heart starts another one."""
        os.kill(self.emulator, signal.SIGKILL)

    @property
    def emulator(self) -> int:
        """The process of its emulator, as this host numbers it."""
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                    if b"-root" in words and self.name.encode() in words:
                        return int(entry)
        raise ProcessLookupError(self.name)

    # Its node

    @property
    def address(self) -> NodeAddress:
        return NodeAddress(cookie_file=str(self.master.cookie_file), epmd_port=self.port)

    def connect(self) -> Connection:
        return Connection(node=self.name, cookie=nodes.COOKIE, epmd_port=self.port, timeout=20.0)

    def call(self, module: str, function: str, *arguments: t.Any) -> t.Any:
        with self.connect() as node:
            return node.call(module, function, list(arguments))

    def operate(self, function: str, *arguments: t.Any) -> t.Any:
        """What its release_handler itself answers."""
        return self.call("release_handler", function, *arguments)

    def observe(self) -> Running:
        with self.connect() as node:
            return observe(node)

    def statuses(self) -> dict[str, str]:
        """What which_releases says."""
        return {release.version: release.status for release in self.observe().releases}

    def take(
        self, release: str, state: str, *, check_mode: bool = False, package: bool = True, verify: t.Sequence[dict] = (), **more: t.Any
    ) -> dict[str, t.Any]:
        """What otp_release_handler does with its option client; actions are in the result."""
        changes = Changes(check_mode=check_mode)
        given = {"package": self.master.releases.packages[release]} if package and state not in ("absent", "rebooted_old") else {}
        options: dict[str, t.Any] = {
            "address": self.address,
            "package": given,
            "restart_timeout": LIMIT,
            "verify_timeout": LIMIT,
            "verify": as_checks(verify),
            **more,
        }
        request = Request(root=self.master.root, client=self.name, machine_type=self.machine_type, release=release, state=state, **options)
        result = apply_client(request, changes)
        return {**result, "changed": changes.changed, "actions": changes.actions}

    def refused(self, release: str, state: str = "permanent", **more: t.Any) -> HandlerError:
        """The error with which the release does not come to the state."""
        try:
            self.take(release, state, **more)
        except HandlerError as error:
            return error
        raise AssertionError(f"{self.name}: {release} has become {state}")


def child_of(pid: int) -> int | None:
    """The process that the process has started."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found[0]) if found else None
