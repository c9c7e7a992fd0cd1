# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Back by a reboot: the node boots an old release, or the permanent one while another is current.

release_handler(3), reboot_old_release/1; for the permanent release, init:reboot/0.
"""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._handler.check import check_boot
from ansible_collections.erlang.otp.plugins.module_utils._handler.commit import tidy
from ansible_collections.erlang.otp.plugins.module_utils._handler.node_upgrade import NodeUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.verify import verify_or_roll_back


def reboot_old(upgrade: NodeUpgrade) -> None:
    """Restart the node on the release, unless it is permanent and runs. Raises HandlerError, OtpError."""
    before, version, node = upgrade.running, upgrade.version, upgrade.session.node
    status = before.status_of(version)
    if status == "permanent" and before.current == version:
        return
    if status not in ("permanent", "old"):
        raise OtpError(f"release {version} is {status or 'not known'} on the node {node}: only an old release, or the permanent one, can be rebooted")
    check_boot(upgrade)
    upgrade.changes.note(f"reboot the node {node} from release {before.current} to {version}")
    if upgrade.changes.check_mode:
        return
    if status == "old" and before.lacks_sasl:
        upgrade.make_permanent()
    upgrade.restart("reboot_old_release" if status == "old" and not before.lacks_sasl else "")
    if upgrade.running.current != version:
        raise upgrade.failure("reboot", before, f"the node booted release {upgrade.running.current}")
    upgrade.note_restart(before)
    upgrade.record("reboot", before=before.current, pid_before=before.pid, pid_after=upgrade.running.pid)
    tidy(upgrade)
    if upgrade.request.verify:
        verify_or_roll_back(upgrade)
