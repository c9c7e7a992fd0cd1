# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release out of a system that runs: release_handler forgets it, and we remove the files that nothing else uses.

release_handler(3), set_removed/1. Its own remove_release does not know client nodes or entries without libraries, and removes a
release that runs when it is not permanent yet.
"""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._handler.node_upgrade import NodeUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.upgrade import Upgrade
from ansible_collections.erlang.otp.plugins.module_utils._install.remove import remove_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.history import has_removal
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import is_temporary


def remove(upgrade: NodeUpgrade, version: str) -> None:
    """Remove the release. Raises OtpError for one that runs or boots, and when the libraries of another release are not known."""
    node = upgrade.session.node
    check_not_in_use(upgrade, version)
    for known in upgrade.running.releases:
        if not known.libraries and known.version != version and not is_temporary(known.version):
            raise OtpError(
                f"the node {node} does not know which libraries release {known.version} has, so no release can be removed safely."
                f" Stop the node, install that release again from its package, and start the node."
            )
    # All checks come before release_handler forgets the release.
    remove_files(upgrade, version, Changes(check_mode=True), may_run=True)
    forget(upgrade, version)
    remove_files(upgrade, version, upgrade.changes, may_run=True)
    record_removal(upgrade, version)


def remove_files(upgrade: Upgrade, version: str, changes: Changes, *, may_run: bool = False) -> None:
    """Call remove_release() for the system. The requested name is a guard for the requested release only."""
    tree, request = upgrade.tree, upgrade.request
    name = request.name if version == request.release else None
    remove_release(root=tree.root, destdir=tree.destdir, version=version, name=name, changes=changes, lock_timeout=request.lock_timeout, may_run=may_run)


def check_not_in_use(upgrade: NodeUpgrade, version: str) -> None:
    """Raise OtpError for the release that runs, and for the one that boots next."""
    running = upgrade.running
    if version in (running.current, running.permanent):
        how = "permanent" if version == running.permanent else "current: it runs, and is not committed yet"
        raise OtpError(f"release {version} is {how}: take the node {upgrade.session.node} to another release first")


def forget(upgrade: NodeUpgrade, version: str) -> None:
    """Make release_handler forget the release, if it knows it."""
    if not upgrade.running.lacks_sasl and upgrade.running.status_of(version) is not None:
        upgrade.changes.do(f"remove release {version} from the node {upgrade.session.node}", upgrade.call_with_copies, "set_removed", version)


def record_removal(upgrade: NodeUpgrade, version: str) -> None:
    """Add the removal to the history, or that of a run that was killed before it added it."""
    if not upgrade.changes.check_mode and (upgrade.changes.changed or not has_removal(upgrade.history, version)):
        before = upgrade.running.current
        upgrade.observe()
        upgrade.record("remove", release=version, before=before)
