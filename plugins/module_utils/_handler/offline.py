# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states of a release on a system that is down: RELEASES, start_erl.data and bin as release_handler would have left them.

A release can be unpacked, permanent or absent then; what is current is never written.
"""

from __future__ import annotations

import sys

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._handler import preflight as _preflight
from ansible_collections.erlang.otp.plugins.module_utils._handler.ready import configure, remove_older
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import Task, describe
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._install.remove import remove_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import make_permanent, read_release, register
from ansible_collections.erlang.otp.plugins.module_utils._tree.repair import repair
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import LOCK


def settle_offline(task: Task) -> None:
    """Take the release to the state. Raises HandlerError, PackageNeeded, OtpError."""
    order, tree = task.order, task.tree
    task.result["transport"] = "offline"
    if task.changes.check_mode or not tree.has("releases"):
        repair(tree, task.changes, FileOptions())
    else:
        with lock(tree.path(LOCK), timeout=order.lock_timeout):
            repair(tree, task.changes, tree.file_options())
    task.result["before"] = describe(None, tree)
    permanent = task.result["before"]["permanent"]
    if order.state == "current":
        raise OtpError(f"the system below {tree.root} is down, and a release is current only while it runs: start it, or use state permanent")
    if order.state == "absent":
        _remove(task, order.release)
        action = "remove"
    else:
        action = "unpack" if order.state in ("unpacked", "ready") else "offline"
        if order.state != "unpacked" and permanent != order.release:
            task.judge_history()
        _lay_out(task)
        configure(task)
        if order.state == "ready":
            task.result["way"] = "none" if permanent == order.release else "offline"
            _judge(task)
        elif order.state != "unpacked":
            _make_permanent(task)
    task.result["after"] = describe(None, tree)
    if task.changes.changed and not task.changes.check_mode:
        task.record(action, before=permanent)
    if order.keep and task.result["after"]["permanent"] == order.release:
        remove_older(task, lambda version: _remove(task, version))
        task.result["after"] = describe(None, tree)


def _remove(task: Task, version: str) -> None:
    tree, order = task.tree, task.order
    name = order.name if version == order.release else None
    remove_release(root=tree.root, destdir=tree.destdir, version=version, name=name, changes=task.changes, lock_timeout=order.lock_timeout)


def _lay_out(task: Task) -> None:
    """Have the release in the tree, and in RELEASES."""
    package = dict(task.order.package)
    if package.get("package") or package.get("checksum"):
        said = install_release(root=task.tree.root, destdir=task.tree.destdir, changes=task.changes, lock_timeout=task.order.lock_timeout, **package)
        if said["release"] != task.order.release:
            raise OtpError(f"the package has release {said['release']}, not {task.order.release}")
        return
    if read_release(task.tree, task.order.release) is None:
        raise OtpError(f"{task.tree.path('releases', task.order.release)} has no release {task.order.release}: give its package")
    _in_the_tree(task, None)


def _make_permanent(task: Task) -> None:
    tree, version = task.tree, task.order.release
    release = read_release(tree, version)
    if release is None:
        # In check mode, and the package is elsewhere.
        task.changes.actions.append(f"make release {version} permanent below {tree.directory}")
        return
    known = [entry for entry in tree.releases() or [] if entry.version == version]
    if task.order.state == "rebooted_old" and [entry.status for entry in known] not in (["old"], ["permanent"]):
        raise OtpError(f"release {version} below {tree.directory} is no old release: use state permanent")
    _judge(task)
    _in_the_tree(task, make_permanent)


def _judge(task: Task) -> None:
    """Judge the release where it is not permanent already. Raises HandlerError for a fatal problem."""
    tree, version = task.tree, task.order.release
    release = read_release(tree, version)
    if release is not None and task.result["before"]["permanent"] != version:
        problems = _preflight.of_release(tree, release, like=remote_host().program if remote_host() else sys.executable)
        # The release_handler of a system that is down commits nothing.
        task.judge([*(problem for problem in problems if problem.kind != "sasl"), *_preflight.of_tree(tree)])


def _in_the_tree(task: Task, step) -> None:
    """Have the release in RELEASES, and then do the step with it."""
    tree, writing = task.tree, task.tree.file_options()
    release = read_release(tree, task.order.release)

    def work() -> None:
        entries = register(tree, release, task.changes, writing)
        if step is not None:
            step(tree, release, entries, task.changes, writing)

    if task.changes.check_mode:
        work()
        return
    with lock(tree.path(LOCK), timeout=task.order.lock_timeout):
        work()
