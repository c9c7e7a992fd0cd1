# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release to a state on a node: which way that goes, and what all ways share.

With a node that runs, its release_handler does it (``_handler/running``); with one that does not, the files are changed as
release_handler would change them (``_handler/offline``).
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock
from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import Problem, fatal
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import Check
from ansible_collections.erlang.otp.plugins.module_utils._tree import history as _history
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import check_version
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

LOCK = ".handler.lock"
# heart has its node up again within this time, or there is none to expect.
BETWEEN = 1.5


class Order(t.NamedTuple):
    """What is wanted. release: a version; address: how to reach the node; package: package, checksum and release as of install_release()."""

    root: str
    release: str
    state: str  # unpacked, ready, current, permanent, absent, rebooted_old
    name: str | None = None
    address: NodeAddress = NodeAddress()
    transport: str = "auto"  # or distribution, pipe, offline
    package: t.Mapping[str, t.Any] = {}
    # As of configure_release(): sys_config, vm_args, variables, secrets.
    configuration: t.Mapping[str, t.Any] | None = None
    down: str = "offline"  # or fail, skip
    keep: int = 0
    allow_restart: bool = False
    force: bool = False
    rollback: bool = True
    verify: tuple[Check, ...] = ()
    verify_timeout: float = 30.0
    timeout: float = 60.0
    restart_timeout: float = 60.0
    lock_timeout: float = 60.0
    destdir: str = ""  # where the files of a system elsewhere are copied to
    # Of a client node: its name, its machine type, and the node of its master here; "" for the first of its masters.
    client: str = ""
    machine_type: str = ""
    master: str = ""


class HandlerError(OtpError):
    """The release did not come to the state; ``result`` is what had been found out by then."""

    result: dict[str, t.Any] = {}

    def with_result(self, task: Task) -> HandlerError:
        self.result = task.result_of()
        return self


class Task:
    """An order being carried out: tree, changes, history, and the result so far."""

    def __init__(self, order: Order, changes: Changes) -> None:
        check_version(order.release)
        self.order = order
        self.changes = changes
        self.tree = ClientTree(order.root, order.client, order.machine_type) if order.client else Tree(order.root, order.destdir)
        try:
            self.history = _history.read(self.tree)
        except OSError as error:
            raise OtpError(f"{error.filename} cannot be read: {error.strerror}") from error
        self.diffs: list[dict[str, str]] = []
        # Versions that were too many.
        self.removed: list[str] = []
        self.result: dict[str, t.Any] = {
            "release": order.release,
            "transport": None,
            "way": None,
            "before": None,
            "after": None,
            "problems": [],
            "restarted": False,
            "rolled_back": False,
            "old_processes": {},
            "unreachable_seconds": None,
            "history": [],
        }

    def record(self, action: str, *, release: str = "", **more: t.Any) -> None:
        """Add what has happened to the history, and to the result."""
        entry = _history.entry_of(action, release or self.order.release, **more)
        self.history.append(entry)
        self.result["history"].append(entry)
        if not self.changes.check_mode:
            _history.append(self.tree, entry)

    def judge(self, problems: t.Iterable[Problem]) -> None:
        """Note the problems. Raises HandlerError when one of them is fatal."""
        # In check mode, a configuration that is to be written is not there yet.
        is_coming = self.changes.check_mode and self.order.configuration is not None
        found = [problem for problem in problems if not (is_coming and problem.kind == "sys_config")]
        self.result["problems"] += [problem._asdict() for problem in found]
        worst = fatal(found)
        if worst:
            raise HandlerError(" ".join(map(str, worst)))

    def judge_history(self) -> None:
        """Refuse a release that has failed here. Raises HandlerError."""
        from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import of_history

        failure = _history.failure_of(self.history, self.order.release)
        self.judge(of_history(self.order.release, failure, force=self.order.force))

    def result_of(self) -> dict[str, t.Any]:
        """The result, with texts for a diff."""
        before, after = (self.result[key] for key in ("before", "after"))
        diff = {"before": _text_of(before), "after": _text_of(after)}
        return dict(self.result, diff=[diff, *self.diffs] if self.diffs else diff)


def describe(running: Running | None, tree: Tree) -> dict[str, t.Any]:
    """The system as plain data: which release runs, which boots next, which process it is, and the status of each release."""
    start = tree.start_erl_data()
    if running is None:
        statuses = {entry.version: entry.status for entry in tree.releases() or []}
        return {"running": None, "permanent": start.release_version if start else None, "pid": None, "releases": statuses}
    statuses = {known.version: known.status for known in running.releases}
    return {"running": running.current, "permanent": running.permanent, "pid": running.pid, "releases": statuses}


def predict(before: dict[str, t.Any], state: str, version: str, listed: t.Mapping[str, str]) -> dict[str, t.Any]:
    """What describe() will say when the release has come to the state. The process of a node that restarts is not known before.

    listed: the status of each release in RELEASES, which a node that boots goes by.
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
            # What is current is forgotten by a reboot.
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


def settle(order: Order, changes: Changes) -> dict[str, t.Any]:
    """Take the release to the state and return what happened.

    Raises PackageNeeded, before anything is touched, when the host lacks the release and no package is given; HandlerError with
    ``result`` when it does not come to the state.
    """
    task = Task(order, changes)
    try:
        with _alone(task):
            if order.client:
                from ansible_collections.erlang.otp.plugins.module_utils._client.upgrade import settle_client

                settle_client(task)
            elif _runs(order, task.tree):
                from ansible_collections.erlang.otp.plugins.module_utils._handler.running import settle_running

                settle_running(task)
            elif order.down != "offline" and order.transport != "offline":
                from ansible_collections.erlang.otp.plugins.module_utils._handler.ready import stay_down

                stay_down(task)
            else:
                from ansible_collections.erlang.otp.plugins.module_utils._handler.offline import settle_offline

                settle_offline(task)
    except OSError as error:
        raise HandlerError(f"release {order.release} below {order.root}: {error.filename}: {error.strerror}").with_result(task) from error
    except HandlerError as error:
        error.with_result(task)
        raise
    if changes.check_mode:
        before, listed = task.result["before"], {entry.version: entry.status for entry in task.tree.releases() or []}
        task.result["after"] = predict(before, order.state, order.release, listed) if changes.changed else before
        for version in task.removed:
            task.result["after"]["releases"].pop(version, None)
    return task.result_of()


def _alone(task: Task):
    """One at a time. Installing takes the lock of the tree besides."""
    if task.changes.check_mode or not os.path.isdir(os.path.dirname(task.tree.path(LOCK))):
        return contextlib.nullcontext()
    return lock(task.tree.path(LOCK), timeout=task.order.lock_timeout)


def _runs(order: Order, tree: Tree) -> bool:
    """Whether release_handler is to do it. Raises OtpError when nothing says how to reach it, or it should be down and is not."""
    reachable = bool(order.address.node or order.address.pipe_dir)
    pid = find_emulator(tree.root)
    if order.transport == "offline":
        if pid is not None:
            raise OtpError(
                f"the system below {tree.root} runs (process {pid}): transport offline is for a node that is down. Stop it, or use another transport."
            )
        return False
    if order.transport != "auto":
        return True
    deadline = time.monotonic() + BETWEEN
    while pid is None and reachable and time.monotonic() < deadline:
        # heart may be about to start it.
        time.sleep(0.1)
        pid = find_emulator(tree.root)
    if pid is not None and not reachable:
        raise OtpError(f"the system below {tree.root} runs (process {pid}), and nothing says how to reach it: set node, or pipe_dir.")
    return pid is not None
