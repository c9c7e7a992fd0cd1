# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands around the step to another release: its configuration before, by which way it goes, and which releases stay afterwards."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._config.configure import configure_release
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import Problem, fatal, of_way
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError, Task, describe
from ansible_collections.erlang.otp.plugins.module_utils._tree import history as _history
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import read_release

if t.TYPE_CHECKING:
    from ansible_collections.erlang.otp.plugins.module_utils._handler.running import Work

# An upgrade that fails must find the release before.
LEAST_KEPT = 2


def configure(task: Task, configuration: t.Mapping[str, t.Any] | None = None) -> None:
    """Have sys.config and vm.args of the release as the order, or another configuration, says. Raises OtpError."""
    configuration = configuration or task.order.configuration
    directory = task.tree.path("releases", task.order.release)
    if configuration is None or (task.changes.check_mode and not os.path.isdir(directory)):
        return
    said = configure_release(directory=directory, changes=task.changes, **configuration)
    task.diffs += said["diff"]


def judge_ways(work: Work) -> None:
    """Judge the ways of a package that is not here yet, where they are known, so that one of no use is not brought. Raises HandlerError."""
    ways = (work.order.package.get("release") or {}).get("upgrade_from")
    if ways is not None and read_release(work.tree, work.version) is None:
        work.task.judge(fatal(of_way(work.tree, work.running, work.version, allow_restart=work.order.allow_restart, upgrade_from=ways)))


def get_ready(work: Work) -> None:
    """Say by which way the node would come to the release that lies there. Raises HandlerError when there is none."""
    result = work.task.result
    if work.running.current == work.version:
        result["way"] = "none" if work.running.permanent == work.version else "commit"
        return
    try:
        work.preflight()
        result["way"] = "upgrade"
    except HandlerError as error:
        worst = [problem for problem in result["problems"] if problem["fatal"]]
        if [problem["kind"] for problem in worst] != ["no_way"] or work.running.status_of(work.version) != "old":
            raise
        if not work.order.allow_restart:
            raise HandlerError(f"{error} It is old here, and can be booted instead: allow it with allow_restart.") from error
        from ansible_collections.erlang.otp.plugins.module_utils._handler.back import judge_boot

        worst[0]["fatal"] = False
        judge_boot(work)
        result["way"] = "reboot"


def stay_down(task: Task) -> None:
    """Of a node that is down, do nothing. Raises HandlerError when that is not wanted either."""
    task.result.update(transport="offline", way="none", before=describe(None, task.tree), after=describe(None, task.tree))
    if task.order.down == "fail":
        raise HandlerError("the node is down: start it, or say with down what becomes of it (skip, offline).")


def remove_older(task: Task, remove: t.Callable[[str], object]) -> None:
    """Have no more releases beside the permanent one than are to be kept. remove: what takes the release of a version away.

    The release has come to its state already: what cannot be removed is no failure, but a problem.
    """
    for version in superfluous(task.result["after"]["releases"], task.history, task.order.release, task.order.keep):
        try:
            remove(version)
            task.removed.append(version)
        except (OtpError, OSError) as error:
            task.judge([Problem("not_removed", f"release {version} cannot be removed: {str(error).rstrip('.')}", "Remove it with state absent", fatal=False)])
            return


def superfluous(statuses: t.Mapping[str, str], history: t.Sequence[dict[str, t.Any]], release: str, keep: int) -> list[str]:
    """The versions that are too many. Of the others stays first the one from which the node came, then the newest, as release_handler has them."""
    old = [version for version, status in statuses.items() if status in ("old", "unpacked")]
    before = _history.came_from(history, release)
    return sorted(old, key=lambda version: version != before)[max(keep, LEAST_KEPT) - 1 :] if keep else []
