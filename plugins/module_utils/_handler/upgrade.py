# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request that is being carried out: the lock, the history of the releases, the problems found, and the result so far.

docs/design.md: one run at a time works on a system, and a release that failed on a host is refused there until forced.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._config.configure import configure_release
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import Problem, check_history, fatal
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError, Request
from ansible_collections.erlang.otp.plugins.module_utils._install.foretell import sources_of
from ansible_collections.erlang.otp.plugins.module_utils._install.outcome import PackageNeeded
from ansible_collections.erlang.otp.plugins.module_utils._node.log_tail import without_log
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running
from ansible_collections.erlang.otp.plugins.module_utils._tree import history as _history
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import Mark, check_claim, remove_mark, write_mark
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import check_version
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import HANDLER_LOCK, Tree

# An upgrade that fails must find the release before.
LEAST_KEPT = 2


class Upgrade:
    """A request that is being carried out, whether the node runs or not. Raises OtpError when its history cannot be read."""

    def __init__(self, request: Request, changes: Changes) -> None:
        check_version(request.release)
        self.request = request
        self.changes = changes
        self.version = request.release
        self.tree = ClientTree(request.root, request.client, request.machine_type) if request.client else Tree(request.root, request.destdir)
        try:
            self.history = _history.read(self.tree)
        except OSError as error:
            raise OtpError(f"{error.filename} cannot be read: {error.strerror}") from error
        self.diffs: list[dict[str, str]] = []
        # The versions that keep removed.
        self.removed: list[str] = []
        self.result: dict[str, t.Any] = {
            "release": request.release,
            "transport": None,
            "way": None,
            "between": [],
            "before": None,
            "after": None,
            "problems": [],
            "restarted": False,
            "rolled_back": False,
            "old_processes": {},
            "unreachable_seconds": None,
            "history": [],
            "held": False,
        }

    def carry_out(self, apply: t.Callable[[], None]) -> dict[str, t.Any]:
        """Call apply while no other run works on the system. Returns the result. Raises HandlerError with the result so far, OtpError."""
        try:
            with self.lock():
                self.claim()
                self.note_failure()
                if self.request.state != "given_back":
                    apply()
                self.settle_mark()
        except OSError as error:
            text = f"release {self.version} below {self.request.root}: {error.filename}: {error.strerror}"
            raise self._with_result(HandlerError(text)) from error
        except PackageNeeded:
            raise
        except OtpError as error:
            self.result.update({} if isinstance(error, HandlerError) else getattr(error, "result", {}))
            raise self._with_result(error if isinstance(error, HandlerError) else HandlerError(str(error))) from error
        if self.changes.check_mode:
            before, listed = self.result["before"], {entry.version: entry.status for entry in self.tree.releases() or []}
            self.result["after"] = predict(before, self.request.state, self.version, listed) if self.changes.changed else before
            for version in self.removed:
                self.result["after"]["releases"].pop(version, None)
        return self._result_with_diff()

    def claim(self) -> None:
        """Raise HandlerError if the system is another run's. Otherwise renew the mark of this run, or set it where a release is about to be installed."""
        try:
            mark = check_claim(self.tree, self.request.claim)
        except OtpError as error:
            self.result.update(getattr(error, "result", {}))
            raise HandlerError(str(error)) from error
        self.result["held"] = mark is not None
        if mark or self.request.state in ("current", "permanent", "rebooted_old"):
            self.hold(mark)

    def note_failure(self) -> None:
        """Remember the release that another module has found to fail. What its node has logged stays in the log."""
        if self.request.failure:
            failure = self.request.failure
            reason = without_log(failure["reason"])
            self.record(failure.get("action", "start"), release=failure["release"], before=self.version, outcome=_history.FAILED, reason=reason)

    def settle_mark(self) -> None:
        """Set the mark on a system that is ready for a release, and give back one that nothing more is to be done on."""
        is_ready = self.request.state == "ready" and self.result["way"] not in (None, "none")
        if is_ready and not self.result["held"]:
            self.hold()
        elif self.request.hold == 0 or (self.request.state == "ready" and not is_ready):
            self.give_back()

    def hold(self, renewed: Mark | None = None) -> None:
        """Mark the system as this run's, if the request says for how long."""
        if self.request.hold and not self.changes.check_mode:
            write_mark(self.tree, self.request.claim, f"upgrading the system to release {self.version}", self.request.hold, renewed=renewed)
            self.result["held"] = True

    def give_back(self) -> None:
        """Remove the mark, whichever it is: one of another run would have been refused."""
        if self.request.hold is not None and not self.changes.check_mode:
            remove_mark(self.tree)
            self.result["held"] = False

    @contextlib.contextmanager
    def at(self, version: str) -> t.Iterator[None]:
        """Go to another release for a while: one in between."""
        requested, self.version = self.version, version
        try:
            yield
        finally:
            self.version = requested

    def lock(self) -> t.ContextManager:
        """The lock of the system. An installation takes the lock of the tree as well."""
        path = self.tree.path(HANDLER_LOCK)
        if self.changes.check_mode or not os.path.isdir(os.path.dirname(path)):
            return contextlib.nullcontext()
        return lock(path, timeout=self.request.lock_timeout)

    def record(self, action: str, *, release: str = "", **more: t.Any) -> None:
        """Add an entry of history.entry_of() to the history, and to the result."""
        entry = _history.entry_of(action, release or self.version, **more)
        self.history.append(entry)
        self.result["history"].append(entry)
        if not self.changes.check_mode:
            _history.append(self.tree, entry)

    def missing_commit(self, statuses: t.Mapping[str, str]) -> str | None:
        """The release from which the system came to this one, which is permanent, if a run was killed before it added that to the history."""
        return _history.missing_commit(self.history, self.version, [version for version, status in statuses.items() if status == "old"])

    def report(self, problems: t.Iterable[Problem]) -> None:
        """Add the problems to the result. Raises HandlerError when one of them is fatal."""
        # In check mode, a configuration that is to be written is not there yet.
        will_configure = self.changes.check_mode and self.request.configuration is not None
        found = [problem for problem in problems if not (will_configure and problem.kind == "sys_config")]
        self.result["problems"] += [problem._asdict() for problem in found]
        worst = fatal(found)
        if worst:
            raise HandlerError(" ".join(map(str, worst)))

    def check_history(self) -> None:
        """Raise HandlerError for a release that failed on this host, unless it is forced."""
        self.report(check_history(self.version, _history.failure_of(self.history, self.version), force=self.request.force))

    def configure(self, configuration: t.Mapping[str, t.Any]) -> None:
        """Write sys.config and vm.args of the release, as configure_release() does. Raises OtpError."""
        directory = self.tree.path("releases", self.version)
        sources = None
        if self.changes.check_mode and not os.path.isdir(directory):
            # A release that is still in its package has no directory yet.
            sources = sources_of(self.request.package.get("release"))
        if sources is not None or os.path.isdir(directory) or not self.changes.check_mode:
            result = configure_release(directory=directory, sources=sources, changes=self.changes, **configuration)
            self.diffs += result["diff"]
            for cause, dummy, remedy in (warning.rstrip(".").partition(". ") for warning in result["warnings"]):
                self.report([Problem("cookie" if "-setcookie" in cause else "vm_args", cause, remedy, fatal=False)])

    def leave_down(self) -> None:
        """Report a node that is down, and change nothing. Raises HandlerError when the request is to fail then."""
        self.result.update(transport="offline", way="none", before=describe(None, self.tree), after=describe(None, self.tree))
        if self.request.down == "fail" and self.result["before"]["permanent"] is None:
            raise HandlerError(f"no system is installed below {self.request.root}: deploy it first.")
        if self.request.down == "fail":
            raise HandlerError(f"the node is down: start it, or set {named('down')} to skip or offline.")

    def remove_older(self, remove: t.Callable[[str], object]) -> None:
        """Remove the releases that exceed keep. remove: removes the release of a version.

        The requested release is permanent by then: a release that cannot be removed is a problem, and not a failure.
        """
        for version in releases_to_remove(self.result["after"]["releases"], self.history, self.version, self.request.keep):
            try:
                remove(version)
                self.removed.append(version)
            except (OtpError, OSError) as error:
                cause = f"release {version} cannot be removed: {str(error).rstrip('.')}"
                self.report([Problem("not_removed", cause, "Remove it with state absent", fatal=False)])
                return

    def _with_result(self, error: HandlerError) -> HandlerError:
        error.result = self._result_with_diff()
        return error

    def _result_with_diff(self) -> dict[str, t.Any]:
        diff = {key: _text_of(self.result[key]) for key in ("before", "after")}
        return dict(self.result, diff=[diff, *self.diffs] if self.diffs else diff)


def releases_to_remove(statuses: t.Mapping[str, str], history: t.Sequence[dict[str, t.Any]], release: str, keep: int) -> list[str]:
    """The versions that exceed keep. The releases through which the node came stay, as a rollback needs them; then the newest, in release_handler's order."""
    old = [version for version, status in statuses.items() if status in ("old", "unpacked")]
    way = {*_history.came_through(history, release)}.intersection(old)
    return sorted(old, key=lambda version: version not in way)[max(keep - 1, len(way), LEAST_KEPT - 1) :] if keep else []


def describe(running: Running | None, tree: Tree) -> dict[str, t.Any]:
    """The system as plain data: which release runs, which boots next, which process the node is, and the status of each release."""
    if running is not None:
        statuses = {known.version: known.status for known in running.releases}
        return {"running": running.current, "permanent": running.permanent, "pid": running.pid, "releases": statuses}
    start = tree.start_erl_data()
    statuses = {entry.version: entry.status for entry in tree.releases() or []}
    return {"running": None, "permanent": start.release_version if start else None, "pid": None, "releases": statuses}


def predict(before: dict[str, t.Any], state: str, version: str, listed: t.Mapping[str, str]) -> dict[str, t.Any]:
    """What describe() returns once the release is in the state. The process of a node that restarts is not known before.

    listed: the status of each release in RELEASES, which a node reads when it boots.
    """
    releases = dict(before["releases"])
    is_up = before["running"] is not None
    if state == "absent":
        releases.pop(version, None)
        return dict(before, releases=releases)
    if state in ("unpacked", "ready"):
        releases.setdefault(version, "unpacked")
        return dict(before, releases=releases)
    status = "current" if state == "current" and releases.get(version) != "permanent" else "permanent"
    for other, known in releases.items():
        if other != version and known in ("current", status):
            # A reboot forgets which release was current.
            releases[other] = listed.get(other, "unpacked") if state == "rebooted_old" and known == "current" else "old"
    releases[version] = status
    return dict(
        before,
        running=version if is_up else None,
        permanent=version if status == "permanent" else before["permanent"],
        pid=None if state == "rebooted_old" else before["pid"],
        releases=releases,
    )


def _text_of(state: dict[str, t.Any] | None) -> str:
    if state is None:
        return ""
    lines = [f"{version}: {status}\n" for version, status in sorted(state["releases"].items())]
    return "".join([f"running: {state['running']}\n", f"permanent: {state['permanent']}\n", *lines])
