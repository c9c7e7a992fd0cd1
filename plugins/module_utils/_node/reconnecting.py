# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to a node that restarts in between, and waiting until it is up again: install_release/1 of release_handler(3), init:restart/0, heart(3)."""

from __future__ import annotations

import contextlib
import signal
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import kill
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._core.steps import step
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallError, CallTimeout, ConnectionLost, Raised, Unreachable
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._node.log_tail import last_words
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running, observe
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import is_temporary
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator, find_starters

PAUSE = 0.05
# Seconds after an error of install_release within which a restart begins.
RESTART_BEGINS = 3.0
# Seconds without an emulator and without what starts one. A list of processes may lack one that has just begun.
DOWN = 2.0


class NotBack(OtpError):
    """The node did not reach the expected state in time."""


class Session:
    """Calls to a node, with a new connection when the last one has ended. Used like a Connection.

    is_remote: its emulator runs on another host; only the node's answers are known. log_directory: that of run_erl, for errors.
    """

    def __init__(self, address: NodeAddress, *, timeout: float, log_directory: str, is_remote: bool = False) -> None:
        self._address = address
        self.log_directory = log_directory
        self.is_remote = is_remote
        self._timeout = timeout
        self._connection: t.Any = None
        self.node = address.node or address.pipe_dir

    def call(self, module: str, function: str, arguments: list, *, timeout: float):
        """As Connection.call."""
        if self._connection is None:
            self._connection = connect(self._address, timeout=min(timeout, self._timeout))
            self.node = self._connection.node or self._address.pipe_dir
        try:
            return self._connection.call(module, function, arguments, timeout=timeout)
        except (ConnectionLost, Unreachable, CallTimeout):
            self.close()
            raise

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *dummy) -> None:
        self.close()


def is_settled(now: Running) -> bool:
    """Whether the node has booted, and is not between two emulators."""
    return now.status == "started" and (now.has_handler or now.lacks_sasl) and not is_temporary(now.current or "")


def wait_for_restart(session: Session, before: Running, *, root: str, timeout: float, same_process: bool = False, give_up: bool = False) -> Running:
    """The node when it is up again after a restart. Raises NotBack.

    same_process: its emulator may have kept its process. give_up: as soon as nothing that would start an emulator is left.
    """
    return _wait(
        session,
        lambda now: is_settled(now) and now.incarnation != before.incarnation,
        root=root,
        before=before,
        timeout=timeout,
        may_ask=lambda pid: pid is not None and (same_process or pid != before.pid),
        give_up=give_up,
    )


def wait_until_settled(session: Session, before: Running, *, root: str, timeout: float) -> Running:
    """The node when it answers and is settled. Raises NotBack."""
    return _wait(session, is_settled, root=root, before=before, timeout=timeout, may_ask=lambda pid: pid is not None)


def after_error(session: Session, before: Running, *, root: str, timeout: float) -> Running:
    """The node after an error that may or may not make it restart. release_handler answers first and restarts the node then."""
    deadline = time.monotonic() + RESTART_BEGINS
    while time.monotonic() < deadline:
        try:
            now = observe(session, timeout=RESTART_BEGINS)
            if now.incarnation != before.incarnation or not is_settled(now):
                break
        except CallError:
            break
        time.sleep(PAUSE)
    else:
        return now
    return wait_until_settled(session, before, root=root, timeout=timeout)


def _wait(session: Session, is_reached, *, root: str, before: Running, timeout: float, may_ask, give_up: bool = False) -> Running:
    deadline = time.monotonic() + timeout
    alive = time.monotonic()
    began = time.time()
    reason = "the emulator has not ended"
    step("wait for the restart")
    while True:
        pid = None if session.is_remote else find_emulator(root)
        if pid != before.pid and not remote_host() and not session.is_remote:
            reap_emulator(before.pid)
        if session.is_remote or may_ask(pid):
            try:
                found = observe(session, timeout=max(0.1, deadline - time.monotonic()))
                if is_reached(found):
                    return found
                reason = f"init reports {found.status}, release {found.current} runs"
            except Raised as error:
                reason = str(error)
            except OtpError as error:
                session.close()
                reason = str(error)
        elif pid is None:
            session.close()
            reason = "no emulator runs"
        now = time.monotonic()
        if not give_up or pid is not None or not is_down(root):
            alive = now
        if now > deadline or now - alive > DOWN:
            if session.is_remote:
                raise NotBack(f"the node {before.node} has not come back within {timeout:g} s ({reason.rstrip('.')}): see its log on its host.")
            state = f"its emulator is process {pid}" if pid else "it is down: bin/start would start the permanent release"
            words = last_words(session.log_directory, since=began)
            raise NotBack(
                f"the node {before.node} has not come back within {min(timeout, now - deadline + timeout):.0f} s ({reason.rstrip('.')}); {state}. {words}"
            )
        time.sleep(PAUSE)


def is_down(root: str) -> bool:
    """Whether no emulator runs, and nothing is about to start one."""
    # In this order: a starter may become the emulator.
    return not find_starters(root) and find_emulator(root) is None


def reap_emulator(pid: int) -> None:
    """Make run_erl reap its emulator that has ended. Otherwise heart takes it for alive, for five seconds.

    run_erl misses SIGCHLD while it writes its log; a second one is harmless.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            state, parent = file.read().rpartition(")")[2].split()[:2]
        with open(f"/proc/{parent}/comm", encoding="ascii", errors="replace") as file:
            name = file.read().strip()
        if state == "Z" and name == "run_erl":
            kill(int(parent), signal.SIGCHLD)
