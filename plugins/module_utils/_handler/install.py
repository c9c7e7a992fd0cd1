# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 3: install_release, and the wait until the node runs the release.

release_handler(3), install_release/1; relup(4), restart_new_emulator and restart_emulator: these may make the node restart after the
answer, before it, or twice.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._handler.check import check_upgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.hot import install_release
from ansible_collections.erlang.otp.plugins.module_utils._handler.node_upgrade import NodeUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.providers import NotResolved
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError
from ansible_collections.erlang.otp.plugins.module_utils._handler.verify import roll_back, verify_or_roll_back
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallError
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Refused
from ansible_collections.erlang.otp.plugins.module_utils._tree.history import REFUSED
from ansible_collections.erlang.otp.plugins.module_utils._tree.relup_step import RelupStep


def install_all(upgrade: NodeUpgrade, releases: t.Sequence[str]) -> None:
    """Install the releases one after the other; those in between are verified as the last one will be. Raises HandlerError, back on the release before."""
    if upgrade.changes.check_mode:
        for before, version in zip((upgrade.running.current, *releases), releases):
            upgrade.changes.actions.append(f"switch the node {upgrade.session.node} from release {before} to {version}, without a restart")
        return
    try:
        for version in releases[:-1]:
            with upgrade.at(version):
                install(upgrade, check_upgrade(upgrade))
                verify_or_roll_back(upgrade)
        install(upgrade, check_upgrade(upgrade))
    except HandlerError as error:
        if upgrade.request.rollback and upgrade.running.current in releases[:-1]:
            reason = roll_back(upgrade, str(error).rstrip("."))
            upgrade.result["rolled_back"] = upgrade.running.current == upgrade.running.permanent
            raise HandlerError(f"{reason}.") from error
        raise


def install(upgrade: NodeUpgrade, step: RelupStep | None) -> None:
    """Install the release, on another emulator if the step says so. step: None when it is not known, in check mode. Raises HandlerError."""
    before, began = upgrade.running, time.monotonic()
    how = "with a restart of the emulator" if step and step.restarts else "without a restart"
    upgrade.changes.note(f"switch the node {upgrade.session.node} from release {before.current} to {upgrade.version}, {how}")
    if upgrade.changes.check_mode:
        upgrade.result["restarted"] = bool(step and step.restarts)
        return
    try:
        if step.restarts:
            upgrade.restart("install_release", twice=len(step.restarts) > 1)
        else:
            install_release(upgrade, upgrade.version)
    except NotResolved as error:
        upgrade.record("install", before=before.current, outcome=REFUSED, reason=str(error))
        raise HandlerError(f"{error} Nothing has changed.") from error
    except (Refused, CallError) as error:
        upgrade.settle_after_error(before, str(error))
        if isinstance(error, Refused) and error.is_harmless:
            upgrade.record("install", before=before.current, outcome=REFUSED, reason=str(error))
            raise HandlerError(f"{error} Nothing has changed.") from error
        raise upgrade.failure("install", before, str(error)) from error
    now = upgrade.running
    if now.current != upgrade.version:
        reason = f"the node restarted on release {now.current}: the new release did not start, or code_change failed (see the node's log)"
        raise upgrade.failure("install", before, reason)
    upgrade.note_restart(before)
    more = {"pid_before": before.pid, "pid_after": now.pid, "restarted": now.incarnation != before.incarnation}
    upgrade.record("install", before=before.current, permanent=now.permanent == upgrade.version, **more, seconds=round(time.monotonic() - began, 3))
