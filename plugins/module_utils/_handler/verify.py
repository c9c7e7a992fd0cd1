# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 4: the calls that decide whether a release is committed, and the rollback when they fail.

OTP system documentation, "Creating and Upgrading a Target System": what is installed and not permanent is gone after the next boot.
"""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.module_utils._handler.content import what_differs
from ansible_collections.erlang.otp.plugins.module_utils._handler.hot import install_release
from ansible_collections.erlang.otp.plugins.module_utils._handler.node_upgrade import NodeUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import Problem, check_heart, fatal
from ansible_collections.erlang.otp.plugins.module_utils._handler.providers import NotResolved
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError
from ansible_collections.erlang.otp.plugins.module_utils._handler.trial import restart_on_permanent
from ansible_collections.erlang.otp.plugins.module_utils._handler.way import way_back
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallError
from ansible_collections.erlang.otp.plugins.module_utils._node.reconnecting import NotBack, wait_until_settled
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Refused
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import NotVerified, verify
from ansible_collections.erlang.otp.plugins.module_utils._tree.history import FAILED, uncommitted, uncommitted_way


def verify_or_roll_back(upgrade: NodeUpgrade) -> None:
    """Compare what the node runs with the release, and make the calls of the request. Raises HandlerError when it is not as it should be.

    A release that is not permanent is rolled back then. One that is permanent has been compared before.
    """
    before, request = upgrade.running, upgrade.request
    is_committed = before.permanent == upgrade.version
    try:
        if not is_committed:
            difference = what_differs(upgrade.session, upgrade.tree, upgrade.version, before.permanent, timeout=request.timeout)
            if difference.sentence:
                raise NotVerified(difference.sentence)
            if difference.kept:
                upgrade.report([Problem("old_code_kept", difference.kept, "A restart of the node loads that of the package", fatal=False)])
        verify(upgrade.session, request.verify, timeout=request.verify_timeout)
    except (NotVerified, CallError) as error:
        reason = str(error).rstrip(".")
    else:
        upgrade.observe()
        if upgrade.running.current == upgrade.version:
            return
        reason = "the node restarted without it"
    try:
        upgrade.running = wait_until_settled(upgrade.session, before, root=upgrade.tree.root, timeout=request.restart_timeout)
    except NotBack as error:
        upgrade.record("verify", before=before.current, outcome=FAILED, reason=f"{reason}; {error}")
        raise HandlerError(f"release {upgrade.version}: {reason}; {error}") from error
    if upgrade.running.current == upgrade.version and request.rollback and not is_committed:
        reason = roll_back(upgrade, reason)
    elif upgrade.running.incarnation != before.incarnation:
        reason += f"; the emulator ended (process {before.pid})"
    raise upgrade.failure("verify", before, reason)


def roll_back(upgrade: NodeUpgrade, reason: str) -> str:
    """Take the node from a release that is only current to the permanent one: by relups when that needs no restart and method allows it, else by a reboot.

    Returns the reason with what was done. Raises HandlerError when the node does not get there.
    """
    permanent = upgrade.running.permanent or ""
    is_hot = upgrade.request.method != "restart" and upgrade.running.has_handler
    try:
        way = way_back(upgrade) if is_hot else []
        for version in way:
            install_release(upgrade, version)
        if way:
            return f"{reason}; release {permanent} was installed again"
    except NotResolved as error:
        reason += f"; {str(error).rstrip('.')}"
    except (Refused, CallError) as error:
        reason += f"; the rollback by relup failed as well ({error})"
        upgrade.settle_after_error(upgrade.running, f"{reason}.")
        if upgrade.running.current == permanent:
            return reason
    missing = fatal(check_heart(upgrade.running))
    if missing:
        return f"{reason}; it still runs, because {missing[0].cause}"
    restart_on_permanent(upgrade, reason)
    return f"{reason}; the node was rebooted"


def notice_fall_back(upgrade: NodeUpgrade) -> None:
    """Record the failure of a release that was installed, not committed, and no longer runs: its emulator ended, and the node booted without it."""
    entry, running = uncommitted(upgrade.history), upgrade.running
    if entry is None or running.current == entry["release"] or running.current not in uncommitted_way(upgrade.history):
        return
    reason = (
        f"it was installed at {entry['time']} and not committed; the emulator ended (process {entry.get('pid_after')}), and the node is back"
        f" on release {running.current} (process {running.pid})"
    )
    upgrade.record("fall_back", release=entry["release"], before=entry["release"], outcome=FAILED, reason=reason)
    if entry["release"] == upgrade.version:
        upgrade.result["rolled_back"] = True
