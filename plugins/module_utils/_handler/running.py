# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states of a release on a node that runs: its release_handler is asked, watched, and held to its word.

The files of a release are laid out by us, as of any installation: checked, whole or not at all.
"""

from __future__ import annotations

import contextlib
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock
from ansible_collections.erlang.otp.plugins.module_utils._handler import preflight as _preflight
from ansible_collections.erlang.otp.plugins.module_utils._handler.ready import configure, get_ready, judge_ways, remove_older
from ansible_collections.erlang.otp.plugins.module_utils._handler.register import make_known
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError, Task, describe
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._node import release_handler
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallError
from ansible_collections.erlang.otp.plugins.module_utils._node.reconnecting import NotBack, Session, after_error, wait_for_restart, wait_until_settled
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Refused, Running, call_release_handler, observe, shorten_stop
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import NotVerified, verify
from ansible_collections.erlang.otp.plugins.module_utils._tree.backup import forget_saved, save
from ansible_collections.erlang.otp.plugins.module_utils._tree.bin_directory import refresh_bin
from ansible_collections.erlang.otp.plugins.module_utils._tree.history import FAILED, REFUSED, uncommitted
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import is_temporary
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import program_of
from ansible_collections.erlang.otp.plugins.module_utils._tree.publish import remove_tree
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import read_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.relup_step import RelupStep, find_relup_step
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import LOCK

# After these the node writes RELEASES once more, when it comes up.
RESTARTING = ("install_release", "reboot_old_release")


def settle_running(task: Task) -> None:
    """Take the release to the state that the task's order says. Raises HandlerError, PackageNeeded, OtpError."""
    order = task.order
    address = order.address._replace(transport=order.transport).resolved()
    task.result["transport"] = address.transport
    with Session(address, timeout=order.timeout) as session:
        work = Work(task, session)
        try:
            work.settle()
        finally:
            task.result["after"] = describe(work.running, task.tree) if work.running else None
        if order.keep and work.running.current == work.running.permanent == order.release:
            work.remove_older()


class Work:
    """An order carried out on a running node. ``running`` is the node when it was last looked at."""

    def __init__(self, task: Task, session: Session) -> None:
        self.task = task
        self.order = task.order
        self.tree = task.tree
        self.changes = task.changes
        self.session = session
        self.running: Running = None  # type: ignore[assignment]
        self.start_problems: list[_preflight.Problem] = []

    @property
    def version(self) -> str:
        return self.order.release

    def settle(self) -> None:
        """Do what the order says."""
        self.running = observe(self.session, timeout=self.order.timeout)
        self.task.result["before"] = describe(self.running, self.tree)
        self.notice_fall_back()
        self.task.judge(_preflight.of_node(self.tree, self.running))
        # An installation adds a bin/start where there is none, which knows nothing of this node's flags.
        self.start_problems = _preflight.fatal(_preflight.of_start_program(self.tree, self.running))
        if self.order.state == "absent":
            self.remove(self.version)
        elif self.order.state == "rebooted_old":
            from ansible_collections.erlang.otp.plugins.module_utils._handler.back import reboot_old

            reboot_old(self)
        else:
            self.advance()

    def advance(self) -> None:
        """To unpacked, current, permanent: as far as is wanted, from where it is."""
        runs = self.running.current == self.version
        if not runs and self.order.state != "unpacked":
            self.task.judge_history()
        if self.order.state == "ready" and not runs:
            judge_ways(self)
        if self.running.status_of(self.version) is None or self.order.package.get("package"):
            self.unpack()
        if self.order.configuration is not None:
            self.configure(self.order.configuration)
        if self.order.state == "ready":
            get_ready(self)
        if self.order.state in ("unpacked", "ready"):
            return
        if not runs:
            self.install()
        if self.changes.check_mode:
            self.predict_commit()
            return
        if self.order.verify:
            self.verify_or_go_back()
        if self.order.state == "permanent":
            self.commit()

    # unpacked

    def configure(self, configuration: t.Mapping[str, t.Any]) -> None:
        """sys.config and vm.args of the release, as for configure_release()."""
        configure(self.task, configuration)

    def unpack(self) -> None:
        """Have the release's files in the tree, and have the node know it."""
        package = dict(self.order.package)
        has_package = package.get("package") or package.get("checksum")
        if has_package:
            said = install_release(root=self.tree.root, destdir=self.tree.destdir, changes=self.changes, lock_timeout=self.order.lock_timeout, **package)
            if said["release"] != self.version:
                raise OtpError(f"the package has release {said['release']}, not {self.version}")
        release = read_release(self.tree, self.version)
        if self.running.status_of(self.version) is not None:
            return
        if release is None and not (self.changes.check_mode and has_package):
            raise OtpError(f"{self.tree.path('releases', self.version)} has no release {self.version}: give its package")
        sentence = f"have the node {self.session.node} know release {self.version}"
        if self.changes.do(sentence, make_known, self, release) is not None:
            self.running = observe(self.session, timeout=self.order.timeout)
            self.task.record("unpack", before=self.running.current)

    # current

    def preflight(self) -> RelupStep | None:
        """Judge the way to the release; the passage in the relup. Raises HandlerError for a fatal problem."""
        problems = [*_preflight.of_tree(self.tree)]
        release = read_release(self.tree, self.version)
        if release is None:
            # In check mode, and the package is elsewhere: no more is known than its ways, if these are.
            ways = (self.order.package.get("release") or {}).get("upgrade_from")
            if ways is not None:
                problems += _preflight.of_way(self.tree, self.running, self.version, allow_restart=self.order.allow_restart, upgrade_from=ways)
            self.task.judge(problems)
            return None if ways is None else find_relup_step(self.tree, self.running.current or "", self.version, upgrade_from=ways)
        problems += _preflight.of_release(self.tree, release, like=self.program())
        problems += _preflight.of_way(self.tree, self.running, self.version, allow_restart=self.order.allow_restart)
        if self.running.status_of(self.version) is not None and not _preflight.fatal(problems):
            problems += self.ask_release_handler()
        self.task.judge(problems)
        passage = find_relup_step(self.tree, self.running.current or "", self.version)
        if passage.restarts:
            self.task.judge(self.start_problems)
        return passage

    def ask_release_handler(self) -> list[_preflight.Problem]:
        """What check_install_release says, which changes nothing.

        It looks for processes in old code only when the wanted release has a relup, and so not before a downgrade.
        """
        passage = find_relup_step(self.tree, self.running.current or "", self.version)
        if passage.soft and not passage.restarts:
            old = release_handler.processes_in_old_code(self.session, timeout=self.order.timeout)
            problems = [*_preflight.of_old_code({module: old[module] for module in old if module in passage.soft})]
            if problems:
                return problems
        try:
            call_release_handler(self.session, "check_install_release", [self.version], timeout=self.order.timeout)
            return []
        except Refused as refused:
            return [_preflight.Problem(refused.kind or "refused", str(refused).rstrip("."), "Install the release again from its package")]

    def install(self) -> None:
        """install_release, and wait until the node runs the release, on another emulator if need be."""
        passage = self.preflight()
        before, went = self.running, time.monotonic()
        how = "restarting the emulator" if passage and passage.restarts else "while it runs"
        sentence = f"take the node {self.session.node} from release {before.current} to {self.version}, {how}"
        if self.changes.check_mode:
            self.changes.actions.append(sentence)
            self.task.result["restarted"] = bool(passage and passage.restarts)
            return
        self.changes.actions.append(sentence)
        try:
            self.run_install(before, passage)
        except HandlerError:
            raise
        except (Refused, CallError) as error:
            self.running = self.after_error(before, str(error))
            if isinstance(error, Refused) and error.is_harmless:
                self.task.record("install", before=before.current, outcome=REFUSED, reason=str(error))
                raise HandlerError(f"{error} Nothing has changed.") from error
            raise self.failed("install", before, str(error)) from error
        if self.running.current != self.version:
            words = f"the node came up again on release {self.running.current}: the new one did not start, or code_change failed (see the node's log)"
            raise self.failed("install", before, words)
        restarted = self.running.incarnation != before.incarnation
        self.note_restart(before)
        more = {"pid_before": before.pid, "pid_after": self.running.pid, "restarted": restarted, "seconds": round(time.monotonic() - went, 3)}
        self.task.record("install", before=before.current, permanent=self.running.permanent == self.version, **more)

    def run_install(self, before: Running, passage: RelupStep) -> None:
        """The call itself, and what follows it. Raises Refused, CallError, HandlerError."""
        if not passage.restarts:
            call_release_handler(self.session, "install_release", [self.version], timeout=self.order.timeout)
            self.running = observe(self.session, timeout=self.order.timeout)
            return
        shorten_stop(self.session, timeout=self.order.timeout)
        try:
            self.operate("install_release", self.version)
        except Refused:
            raise
        except CallError:
            # The answer may be lost in the restart.
            pass
        self.await_restart(before, twice=len(passage.restarts) > 1)

    def await_restart(self, before: Running, *, twice: bool = False) -> None:
        """Wait for the node on another emulator. Raises HandlerError when it does not come."""
        began = time.monotonic()
        try:
            self.running = wait_for_restart(self.session, before, root=self.tree.root, timeout=self.order.restart_timeout)
            if twice:
                # The second restart begins when the first one is over.
                self.running = after_error(self.session, self.running, root=self.tree.root, timeout=self.order.restart_timeout)
        except NotBack as error:
            self.task.record("install", before=before.current, outcome=FAILED, reason=str(error))
            raise HandlerError(str(error)) from error
        forget_saved(self.tree)
        self.task.result["unreachable_seconds"] = round(time.monotonic() - began, 3)

    def after_error(self, before: Running, reason: str) -> Running:
        """The node after an error, when it is settled again. Raises HandlerError when it does not come back."""
        try:
            return after_error(self.session, before, root=self.tree.root, timeout=self.order.restart_timeout)
        except NotBack as error:
            self.task.record("install", before=before.current, outcome=FAILED, reason=f"{reason} {error}")
            raise HandlerError(f"{reason} Then {error}") from error

    def failed(self, action: str, before: Running, reason: str) -> HandlerError:
        """Remember that the release failed; the error that says so, and what runs now."""
        self.note_restart(before)
        went_back = self.running.current != self.version
        self.task.result["rolled_back"] = went_back
        self.task.record(action, before=before.current, outcome=FAILED, reason=reason, pid_before=before.pid, pid_after=self.running.pid)
        is_restarted = self.running.incarnation != before.incarnation
        where = f"The node runs release {self.running.current}" + (f", started again as process {self.running.pid}" if is_restarted else "")
        return HandlerError(f"release {self.version}: {reason.rstrip('.')}. {where}. Release {self.version} is refused here until force.")

    def note_restart(self, before: Running) -> None:
        """Say in the result whether there has been a restart."""
        self.task.result["restarted"] = self.task.result["restarted"] or self.running.incarnation != before.incarnation

    def notice_fall_back(self) -> None:
        """A release that was installed and not committed, and does not run any more, has failed: the node ended and came back without it."""
        entry = uncommitted(self.task.history)
        if entry is None or self.running.current == entry["release"] or self.running.current != entry["from"]:
            return
        reason = (
            f"it was installed at {entry['time']} and not committed; the emulator ended (process {entry.get('pid_after')}), and the node is back"
            f" on release {self.running.current} (process {self.running.pid})"
        )
        self.task.record("fall_back", release=entry["release"], before=entry["release"], outcome=FAILED, reason=reason)
        if entry["release"] == self.version:
            self.task.result["rolled_back"] = True

    def verify_or_go_back(self) -> None:
        """Make the calls that the release must stand before its commit. Raises HandlerError when it does not; the node is taken back then."""
        before = self.running
        is_committed = before.permanent == self.version
        try:
            verify(self.session, self.order.verify, timeout=self.order.verify_timeout)
        except NotVerified as error:
            reason = str(error)
        else:
            self.running = observe(self.session, timeout=self.order.timeout)
            if self.running.current == self.version:
                return
            reason = "the node has ended and come back without it"
        try:
            self.running = wait_until_settled(self.session, before, root=self.tree.root, timeout=self.order.restart_timeout)
        except NotBack as error:
            self.task.record("verify", before=before.current, outcome=FAILED, reason=f"{reason}; {error}")
            raise HandlerError(f"release {self.version}: {reason}; {error}") from error
        if self.running.current == self.version and self.order.rollback and not is_committed:
            from ansible_collections.erlang.otp.plugins.module_utils._handler.back import go_back

            reason = go_back(self, reason)
        elif self.running.incarnation != before.incarnation:
            reason += f"; the emulator ended (process {before.pid})"
        raise self.failed("verify", before, reason)

    # permanent

    def predict_commit(self) -> None:
        """In check mode: what a commit would do."""
        if self.order.state == "permanent" and self.running.permanent != self.version:
            self.changes.actions.append(f"make release {self.version} permanent on the node {self.session.node}")
            if self.running.current == self.version:
                self.task.result["old_processes"] = release_handler.processes_in_old_code(self.session, timeout=self.order.timeout)

    def commit(self) -> None:
        """make_permanent, with bin brought up to it; then the release must stand its calls once more."""
        before = self.running
        if before.permanent != self.version:
            self.task.result["old_processes"] = release_handler.processes_in_old_code(self.session, timeout=self.order.timeout)
            problems = _preflight.of_configuration(self.tree, self.version)
            self.task.judge(problems)
            sentence = f"make release {self.version} permanent on the node {self.session.node}"
            try:
                self.changes.do(sentence, self.operate, "make_permanent", self.version)
            except (Refused, CallError) as error:
                self.running = self.after_error(before, str(error))
                if isinstance(error, Refused) and error.is_harmless:
                    self.task.record("commit", before=before.permanent, outcome=REFUSED, reason=str(error))
                    raise HandlerError(f"{error} Release {self.version} runs, and is not committed.") from error
                raise self.failed("commit", before, str(error)) from error
            self.running = observe(self.session, timeout=self.order.timeout)
            self.flush()
            self.task.record("commit", before=before.permanent)
        self.follow()
        if before.permanent != self.version and self.order.verify:
            self.verify_or_go_back()

    def program(self) -> str:
        """A program that is made for the machine on which the node runs."""
        return program_of(self.running.pid)

    def follow(self) -> None:
        """Have bin, which release_handler never touches, be the permanent release's; and nothing left of a change of emulators."""
        self.refresh_bin()
        for known in self.running.releases:
            if is_temporary(known.version) and known.status != "current":
                self.changes.do(f"have the node forget the temporary release {known.version}", self.forget, known.version)

    def refresh_bin(self) -> None:
        """Have bin be that of the release, which is permanent now."""
        release = read_release(self.tree, self.version)
        if release is not None and self.tree.has(f"erts-{release.erts_version}"):
            with self.tree_lock():
                refresh_bin(self.tree, self.version, release.erts_version, self.changes, self.tree.file_options())

    def remove(self, version: str) -> None:
        """Have the release absent."""
        from ansible_collections.erlang.otp.plugins.module_utils._handler.remove import remove

        remove(self, version)

    def remove_older(self) -> None:
        """Have only as many releases as are to be kept."""
        remove_older(self.task, self.remove)
        self.task.result["after"] = describe(self.running, self.tree)

    def forget(self, version: str) -> None:
        """set_removed, and what release_handler made for the temporary release."""
        self.operate("set_removed", version)
        with contextlib.suppress(FileNotFoundError):
            remove_tree(self.tree.path("releases", version))

    def operate(self, function: str, *arguments):
        """Have release_handler do what makes it overwrite RELEASES in place: with a copy beside until that is on the disk."""
        save(self.tree, self.tree.file_options())
        try:
            said = call_release_handler(self.session, function, list(arguments), timeout=self.order.timeout)
        except Refused as refusal:
            if refusal.is_harmless:
                forget_saved(self.tree)
            raise
        if function not in RESTARTING:
            forget_saved(self.tree)
        return said

    def tree_lock(self):
        """Nobody else installs meanwhile."""
        return lock(self.tree.path(LOCK), timeout=self.order.lock_timeout)

    def flush(self) -> None:
        """release_handler writes in place and flushes nothing: have it on the disk before anybody relies on it."""
        forget_saved(self.tree)
