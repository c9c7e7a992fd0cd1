# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request on a node that runs: calls to its release_handler, and the node before, during and after a restart.

SASL's reference, release_handler(3). release_handler overwrites RELEASES and start_erl.data in place and flushes neither
(docs/design.md, copies named *.saved), and it answers install_release before it restarts the emulator, if at all.
"""

from __future__ import annotations

import contextlib
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import digest_of
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._handler.install_options import check_options, install_options
from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import Problem, kept_beside
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError, Request
from ansible_collections.erlang.otp.plugins.module_utils._handler.upgrade import Upgrade
from ansible_collections.erlang.otp.plugins.module_utils._node import release_handler
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallError
from ansible_collections.erlang.otp.plugins.module_utils._node.reconnecting import NotBack, Session, after_error, wait_for_restart
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Refused, Running
from ansible_collections.erlang.otp.plugins.module_utils._node.without_sasl import with_files
from ansible_collections.erlang.otp.plugins.module_utils._tree.backup import forget_saved, save
from ansible_collections.erlang.otp.plugins.module_utils._tree.bin_directory import refresh_bin
from ansible_collections.erlang.otp.plugins.module_utils._tree.extra_files import Kept, follow_extra
from ansible_collections.erlang.otp.plugins.module_utils._tree.history import FAILED
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import program_of
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import make_permanent, read_release, register
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import LOCK

# After these the node writes RELEASES once more, when it comes up.
RESTARTING = ("install_release", "reboot_old_release")


class NodeUpgrade(Upgrade):
    """What every step of an upgrade needs. ``running`` is the node when it was observed last."""

    def __init__(self, request: Request, changes: Changes) -> None:
        super().__init__(request, changes)
        address = request.address._replace(transport=request.transport, root="" if request.client else request.root)
        self.transport = address.resolved().transport
        self.session = Session(address, timeout=request.timeout, log_directory=request.log_dir or self.tree.path("log"), is_remote=bool(request.client))
        self._running: Running = None  # type: ignore[assignment]
        # Of the start program of heart, before anything was installed.
        self.start_problems: list[Problem] = []
        # In check mode, the tree still has the release that would be replaced.
        self.is_replaced = False

    def has_other_package(self) -> bool:
        """Whether the release in the tree is not known to be that of the request's package, which is on another host."""
        checksum = self.request.package.get("checksum")
        record = getattr(self.tree, "shared", self.tree).record(self.version) or {}
        return bool(checksum) and digest_of(checksum) not in (record.get("sha256"), record.get("full"))

    def remove(self, version: str) -> None:
        """Remove the release of the version."""
        raise NotImplementedError

    @property
    def running(self) -> Running:
        return self._running

    @running.setter
    def running(self, running: Running) -> None:
        self._running = with_files(running, self.tree)

    def observe(self) -> None:
        """Ask the node for its present state. Raises CallError."""
        self.running = release_handler.observe(self.session, timeout=self.request.timeout)

    def read_again(self) -> None:
        """Have release_handler read RELEASES. Raises CallError."""
        release_handler.read_again(self.session, timeout=self.request.timeout)

    def call(self, function: str, *arguments):
        """Call a function of release_handler; see call_release_handler()."""
        timeout = self.request.upgrade_timeout if function == "install_release" else self.request.timeout
        options: list[t.Any] = []
        if function == "install_release":
            options = install_options(self.request.install_options)
        elif function == "check_install_release" and not self.changes.check_mode:
            options = check_options(self.request.install_options)
        return release_handler.call_release_handler(self.session, function, [*arguments, *([options] if options else [])], timeout=timeout)

    def call_with_copies(self, function: str, *arguments):
        """Call a function that overwrites RELEASES or start_erl.data in place: copies are beside them until both are on the disk."""
        save(self.tree, self.tree.file_options())
        try:
            answer = self.call(function, *arguments)
        except Refused as refusal:
            if refusal.is_harmless:
                forget_saved(self.tree)
            raise
        if function not in RESTARTING:
            forget_saved(self.tree)
        return answer

    def make_permanent(self) -> None:
        """Make the release that runs the one that boots: by release_handler, or in the files that no release_handler has in memory."""
        if not self.running.lacks_sasl:
            self.call_with_copies("make_permanent", self.version)
            return
        release, options = read_release(self.tree, self.version), self.tree.file_options()
        kept: list[Kept] = []
        with lock(self.tree.path(LOCK), timeout=self.request.lock_timeout):
            entries = register(self.tree, release, Changes(), options, kept=kept)
            make_permanent(self.tree, release, entries, Changes(), options, may_run=True, kept=kept)
        self.report(map(kept_beside, kept))

    def flush(self) -> None:
        """Flush what release_handler has written in place, before anything relies on it."""
        forget_saved(self.tree)

    def refresh_bin(self) -> None:
        """Update bin and the extra files to the release, which is permanent now."""
        release = read_release(self.tree, self.version)
        if release is not None and self.tree.has(f"erts-{release.erts_version}"):
            with lock(self.tree.path(LOCK), timeout=self.request.lock_timeout):
                options = self.tree.file_options()
                refresh_bin(self.tree, self.version, release.erts_version, self.changes, options)
                kept = follow_extra(self.tree, self.version, self.changes, options)
            self.report(map(kept_beside, kept))

    def program(self) -> str:
        """A program that is made for the machine on which the node runs."""
        return program_of(self.running.pid)

    def note_old_processes(self) -> None:
        """Add to the result the processes that run old code: release_handler may end them when it commits."""
        self.result["old_processes"] = release_handler.processes_in_old_code(self.session, timeout=self.request.timeout)

    def note_restart(self, before: Running) -> None:
        """Add to the result whether the emulator was restarted."""
        self.result["restarted"] = self.result["restarted"] or self.running.incarnation != before.incarnation

    def restart(self, function: str = "", *, twice: bool = False) -> None:
        """Restart the node by a function of release_handler with the release, or on the permanent one by init:reboot/0. Raises Refused, HandlerError.

        twice: restart_new_emulator and restart_emulator are both in the relup (relup(4)).
        """
        before = self.running
        release_handler.shorten_stop(self.session, timeout=self.request.timeout)
        # The node may end before it answers.
        with contextlib.suppress(CallError):
            if function:
                self.call_with_copies(function, self.version)
            else:
                self.session.call("init", "reboot", [], timeout=self.request.timeout)
        self.await_restart(before, twice=twice)

    def await_restart(self, before: Running, *, twice: bool) -> None:
        """Wait until the node runs on another emulator. Raises HandlerError when it does not come back."""
        began = time.monotonic()
        try:
            self.running = wait_for_restart(self.session, before, root=self.tree.root, timeout=self.request.restart_timeout)
            if twice:
                # The second restart begins when the first one is over.
                self.running = after_error(self.session, self.running, root=self.tree.root, timeout=self.request.restart_timeout)
        except NotBack as error:
            self.record("install", before=before.current, outcome=FAILED, reason=str(error))
            raise HandlerError(str(error)) from error
        forget_saved(self.tree)
        self.result["unreachable_seconds"] = round(time.monotonic() - began, 3)

    def settle_after_error(self, before: Running, reason: str) -> None:
        """Observe the node after an error, once it no longer restarts. Raises HandlerError when it does not come back."""
        began = time.monotonic()
        try:
            self.running = after_error(self.session, before, root=self.tree.root, timeout=self.request.restart_timeout)
            if self.running.incarnation != before.incarnation:
                self.result["unreachable_seconds"] = round((self.result["unreachable_seconds"] or 0) + time.monotonic() - began, 3)
        except NotBack as error:
            self.record("install", before=before.current, outcome=FAILED, reason=f"{reason} {error}")
            raise HandlerError(f"release {self.version}: {reason} Then {error}") from error

    def failure(self, action: str, before: Running, reason: str) -> HandlerError:
        """Record that the release failed. Returns the error to raise, with what runs now."""
        self.note_restart(before)
        self.result["rolled_back"] = self.running.current != self.version
        self.record(action, before=before.current, outcome=FAILED, reason=reason, pid_before=before.pid, pid_after=self.running.pid)
        is_restarted = self.running.incarnation != before.incarnation
        # A rollback may follow.
        current = f"Then it ran release {self.running.current}" + (f", restarted as process {self.running.pid}" if is_restarted else "")
        return HandlerError(f"release {self.version}: {reason.rstrip('.')}. {current}. Set {named('force')} to try release {self.version} again.")
