# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Back to a release that boots: the permanent one while another is only current, or an old one."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._handler import preflight as _preflight
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallError
from ansible_collections.erlang.otp.plugins.module_utils._node.reconnecting import NotBack, after_error
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Refused, call_release_handler, observe, shorten_stop
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import read_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.relup_step import NoRelupStep, find_relup_step

if t.TYPE_CHECKING:
    from ansible_collections.erlang.otp.plugins.module_utils._handler.running import Work


def reboot_old(work: Work) -> None:
    """Have the node boot the release: reboot_old_release for an old one, a plain reboot for the permanent one when another is current."""
    running, version = work.running, work.version
    status = running.status_of(version)
    if status == "permanent" and running.current == version:
        return
    if status not in ("permanent", "old"):
        raise OtpError(f"release {version} is {status or 'not known'} on the node {work.session.node}: only an old release, or the permanent one, is rebooted")
    judge_boot(work)
    sentence = f"reboot the node {work.session.node} from release {running.current} to {version}"
    if work.changes.check_mode:
        work.changes.actions.append(sentence)
        return
    work.changes.do(sentence, _reboot, work, "reboot_old_release" if status == "old" else "")
    if work.running.current != version:
        raise work.failed("reboot", running, f"the node came up on release {work.running.current}")
    work.note_restart(running)
    work.task.record("reboot", before=running.current, pid_before=running.pid, pid_after=work.running.pid)
    work.follow()
    if work.order.verify:
        work.verify_or_go_back()


def judge_boot(work: Work) -> None:
    """Judge a boot of the release, which lies there. Raises HandlerError for a fatal problem."""
    release = read_release(work.tree, work.version)
    problems = [*_preflight.of_heart(work.running)]
    if release is not None:
        problems += _preflight.of_release(work.tree, release, like=work.program())
    work.task.judge(problems)


def go_back(work: Work, reason: str) -> str:
    """Take the node from a release that is only current to the permanent one: by the relup when that needs no restart, else by a reboot.

    Returns the reason with what was done. Raises HandlerError when the node does not get there.
    """
    permanent = work.running.permanent or ""
    try:
        if not find_relup_step(work.tree, work.version, permanent).restarts:
            call_release_handler(work.session, "install_release", [permanent], timeout=work.order.timeout)
            work.running = observe(work.session, timeout=work.order.timeout)
            return f"{reason}; release {permanent} was installed again"
    except NoRelupStep:
        pass
    except (Refused, CallError) as error:
        reason += f"; the way back failed as well ({error})"
        try:
            work.running = after_error(work.session, work.running, root=work.tree.root, timeout=work.order.restart_timeout)
        except NotBack as not_back:
            raise HandlerError(f"release {work.version}: {reason}; {not_back}") from not_back
        if work.running.current == permanent:
            return reason
    lacking = _preflight.fatal(_preflight.of_heart(work.running))
    if lacking:
        return f"{reason}; it still runs, for {lacking[0].cause}"
    _reboot(work, "")
    return f"{reason}; the node was rebooted"


def _reboot(work: Work, function: str) -> None:
    before = work.running
    shorten_stop(work.session, timeout=work.order.timeout)
    try:
        if function:
            work.operate(function, work.version)
        else:
            work.session.call("init", "reboot", [], timeout=work.order.timeout)
    except Refused:
        raise
    except CallError:
        # It may be gone before it answers.
        pass
    work.await_restart(before)
