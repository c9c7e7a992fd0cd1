# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node of this host: start, stop, wait for it and ask it. The chapters are "Embedded Systems" and init:stop/0 of erts.

The cookie is read from the home directory of the node's user. It is in no command line.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import signal
import socket
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import can_switch, identity_of, kill, working_as
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._core.run import run
from ansible_collections.erlang.otp.plugins.module_utils._core.steps import step
from ansible_collections.erlang.otp.plugins.module_utils._node import service as _service
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import COOKIE_FILE, NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._node.epmd import MAX_ANSWER, PORT, request
from ansible_collections.erlang.otp.plugins.module_utils._node.listening import distribution_of_process
from ansible_collections.erlang.otp.plugins.module_utils._node.log_tail import STARTS, last_words
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running, observe
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import Starter, find_emulator, find_emulators, find_starters, names_of


class Node(t.NamedTuple):
    """What is needed to start a node and to call it."""

    root: str
    user: str
    home: str
    log_directory: str
    name: str = ""  # empty: not distributed
    environment: t.Mapping[str, str] = {}
    service: _service.Service | None = None  # what runs it; None: bin/start, and heart
    pipe_directory: str = ""  # for a node that cannot be called otherwise

    @property
    def cookie_file(self) -> str:
        return os.path.join(self.home, COOKIE_FILE)


class NoAnswer(OtpError):
    """The node was asked and did not answer."""


# Seconds without an emulator after a start. After that no other one starts.
GONE = 4.0
# So many emulators one after the other: heart restarts one that ends at once.
CRASH_LOOP = 3
# Seconds. bin/start waits up to five for the emulator that it replaces, and heart up to ten for a crash dump.
DECIDED = 20.0
# Seconds after which a node without a name counts as started if its emulator still runs.
SETTLED = 3.0


def start(node: Node) -> None:
    """Start the node by its service, or run bin/start as its user with a clean environment. Raises OtpError with its output if it fails."""
    if remote_host():
        return remote_host().start()
    if node.service:
        return _service.start(node.service)
    program = os.path.join(node.root, "bin", "start")
    code, output = run_as_user(node, [program], timeout=60)
    if code != 0:
        raise OtpError(f"{program} ended with code {code}: {output or 'no output'}")


def find_settled(root: str) -> int | None:
    """The process of the emulator; None if none runs and nothing is about to start one. Raises OtpError if that stays open."""
    deadline = time.monotonic() + DECIDED
    while True:
        pid = find_emulator(root)
        starters = [] if pid else find_starters(root)
        # Again, because a starter may just have become the emulator.
        pid = pid or (None if starters else find_emulator(root))
        if pid or not starters:
            return pid
        if time.monotonic() > deadline:
            what = f"{starters[0].program} (process {starters[0].pid}) may start one"
            raise OtpError(f"no emulator runs the system below {root}, and {what}: wait for it, or stop the node.")
        time.sleep(0.1)


def has_no_epmd(node: Node, pid: int) -> bool:
    """Whether nothing listens where the emulator is registered, or was: EPMD has ended, and the node cannot be found. False if it needs none."""
    if not node.name or remote_host():
        return False
    found = distribution_of_process(pid)
    if found.port or not (found.starts_epmd or found.has_epmd and node.service and _service.epmd_unit(node.service)):
        return False
    with contextlib.closing(socket.socket()) as connection:
        connection.settimeout(5.0)
        if connection.connect_ex(("127.0.0.1", int(node.environment.get("ERL_EPMD_PORT") or PORT))) == errno.ECONNREFUSED:
            return True
        with contextlib.suppress(OSError):
            # EPMD logs a connection without a question.
            connection.sendall(request(node.name.partition("@")[0]))
            connection.recv(MAX_ANSWER)
        return False


def start_epmd(node: Node) -> None:
    """Start EPMD, with which the node then registers by itself. Raises OtpError."""
    if node.service and _service.epmd_unit(node.service):
        return _service.must(["systemctl", "start", *_service.epmd_unit(node.service)])
    program = os.path.join(node.root, "bin", "epmd")
    code, output = run_as_user(node, [program, "-daemon"], timeout=10)
    if code != 0:
        raise OtpError(f"{program} ended with code {code}: {output or 'no output'}")


def halt(node: Node) -> None:
    """Stop the node, its service first. Raises OtpError."""
    if node.service:
        _service.stop(node.service)
    stop(node.root)


def stop(root: str, *, timeout: float = 60.0) -> None:
    """Stop the node as ``init:stop()`` does. Return when neither an emulator nor heart nor run_erl is left, so that nothing starts it again.

    An emulator that heart starts meanwhile is killed, and its heart first. Raises OtpError after timeout seconds.
    """
    if remote_host():
        return remote_host().stop(timeout)
    deadline = time.monotonic() + timeout
    first: set[int] | None = None
    signalled = quiet = 0.0
    # Twice: a process may start another one and end while this reads the list.
    while quiet < 2:
        # In this order: a script becomes an emulator.
        starters, emulators = find_starters(root), find_emulators(root)
        first = set(emulators) if first is None else first
        now = time.monotonic()
        quiet = 0 if starters or emulators else quiet + 1
        if not quiet and now >= deadline:
            what = [f"the emulator of {root}, process {pid}" for pid in emulators] or [f"{each.program} of {root}, process {each.pid}" for each in starters]
            raise OtpError(f"{what[0]}, has not ended within {timeout:g} s. See why in its log, or end it by kill -9.")
        _end_starters(starters, first & set(emulators), emulators)
        # A SIGTERM while the emulator boots is lost: again every second.
        is_due = now - signalled >= 1.0
        signalled = now if is_due else signalled
        for pid in emulators:
            if pid not in first or is_due:
                _kill(pid, signal.SIGTERM if pid in first else signal.SIGKILL)
        time.sleep(0.05)


def _end_starters(starters: list[Starter], stopping: set[int], emulators: list[int]) -> None:
    """End what would start another emulator. stopping: emulators that end their heart themselves."""
    for starter in starters:
        if starter.program == "run_erl":
            # It misses this signal while it writes its log.
            if not emulators:
                _kill(starter.pid, signal.SIGCHLD)
        elif starter.emulator not in stopping:
            _kill(starter.pid, signal.SIGKILL)


def _kill(pid: int, number: int) -> None:
    try:
        kill(pid, number)
    except ProcessLookupError:
        pass
    except PermissionError:
        raise OtpError(f"not allowed to stop the emulator, process {pid}: use become to work as root or as the node's user.") from None


def wait_until_answering(node: Node, *, timeout: float, stops: bool = True) -> tuple[int, Running | None]:
    """Return the emulator's process and the node's answer when it has booted.

    A node that is not distributed cannot be asked: its answer is None, and it counts as started when its emulator has lived for
    a few seconds. Raises OtpError with the last words of log and crash dump when heart starts it over and over (stops: the node is then
    stopped), when it has ended, and after timeout seconds.
    """
    began = time.monotonic()
    step("wait until the node answers")
    seen: dict[int, float] = {}
    last_seen = began
    reason = ""
    while True:
        pid = find_emulator(node.root)
        now = time.monotonic()
        if pid is not None:
            last_seen = now
            seen.setdefault(pid, now)
            if not node.name and not remote_host():
                if now - seen[pid] >= SETTLED:
                    return pid, None
            else:
                try:
                    answer = ask(node)
                    if answer.status == "started":
                        return pid, answer
                    reason = f"init reports {answer.status}"
                except NoAnswer as no_answer:
                    reason = str(no_answer)
        lasted = now - began
        if len(seen) >= CRASH_LOOP:
            if stops:
                halt(node)
            times = f"{CRASH_LOOP - 1} times within {lasted:.1f} s"
            raise failure(node, lasted, len(seen), f"does not stay up: its emulator ended {times}. It is stopped now")
        if now - last_seen > GONE:
            raise failure(node, lasted, max(1, len(seen)), "has ended right after its start")
        if lasted > timeout:
            runs = f"runs as process {pid} and has not answered" if pid else "is not up"
            raise failure(node, lasted, max(1, len(seen)), f"{runs} within {timeout:g} s ({reason or 'no emulator'})")
        time.sleep(0.1)


def failure(node: Node, seconds: float, starts: int, what: str) -> OtpError:
    """An error that says what happened to the node within the last seconds, with the last words of its log and crash dump."""
    words = last_words(node.log_directory, since=time.time() - seconds - 1.0, starts=min(starts, STARTS))
    return OtpError(f"the node {node.name or 'below ' + node.root} {what}. {words}")


def address_of(node: Node, cookie: str = "") -> NodeAddress:
    """How to reach a distributed node. cookie: in place of the one in its file."""
    port = node.environment.get("ERL_EPMD_PORT", "")
    address = NodeAddress(node.name, cookie=cookie, cookie_file=node.cookie_file, pipe_dir=node.pipe_directory, root=node.root)
    return address._replace(epmd_port=int(port) if port.isdigit() else 0)


def ask(node: Node, *, cookie: str = "", timeout: float = 5.0) -> Running:
    """The state of a distributed node. Without sasl its one release is the one that init booted. cookie: as of address_of(). Raises NoAnswer."""
    try:
        with connect(address_of(node, cookie), timeout=timeout) as connection:
            # init reports started even if an application could not start and the emulator is about to end. The application
            # controller does not answer then.
            connection.call("application", "which_applications", [4000], timeout=timeout)
            running = observe(connection, timeout=timeout)
    except OtpError as error:
        raise NoAnswer(str(error)) from None
    if running.root.encode("utf-8", "surrogateescape") not in names_of(node.root):
        raise NoAnswer(f"another node has the name {node.name}: it runs the system below {running.root}. Give one of the two another name, or stop it.")
    return running


def run_as_user(node: Node, command: list[str], *, timeout: float) -> tuple[int, str]:
    """Run the command as the node's user, in /, with the node's environment only. Returns its exit code and output. Raises OtpError."""
    try:
        user = pwd.getpwnam(node.user)
    except KeyError:
        raise OtpError(f"the user {node.user!r} does not exist on this host. Create it first.") from None

    if os.getuid() not in (0, user.pw_uid):
        raise OtpError(f"only root and {node.user} itself can work as user {node.user}: use become.")
    environment = {"HOME": node.home, "TERM": "xterm", "USER": user.pw_name, **node.environment}
    with working_as(identity_of(user.pw_uid, user.pw_gid)) if can_switch() else contextlib.nullcontext():
        return run(command, timeout=timeout, environment=environment)
