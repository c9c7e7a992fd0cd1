# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 5: make_permanent, and what it leaves to others: bin, which release_handler never touches, and temporary releases.

release_handler(3), make_permanent/1; OTP system documentation, "Creating and Upgrading a Target System".
"""

from __future__ import annotations

import contextlib

from ansible_collections.erlang.otp.plugins.module_utils._handler.node_upgrade import NodeUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import check_configuration
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError
from ansible_collections.erlang.otp.plugins.module_utils._handler.verify import verify_or_roll_back
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallError
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Refused
from ansible_collections.erlang.otp.plugins.module_utils._tree.history import REFUSED
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import is_temporary
from ansible_collections.erlang.otp.plugins.module_utils._tree.publish import remove_tree


def predict_commit(upgrade: NodeUpgrade) -> None:
    """In check mode: what commit() would do."""
    if upgrade.request.state == "permanent" and upgrade.running.permanent != upgrade.version:
        upgrade.changes.actions.append(_sentence(upgrade))
        if upgrade.running.current == upgrade.version:
            upgrade.note_old_processes()


def commit(upgrade: NodeUpgrade) -> None:
    """Make the release that runs permanent, tidy up, and verify it once more. Raises HandlerError."""
    before = upgrade.running
    if before.permanent != upgrade.version:
        upgrade.note_old_processes()
        upgrade.report(check_configuration(upgrade.tree, upgrade.version))
        try:
            upgrade.changes.do(_sentence(upgrade), upgrade.make_permanent)
        except (Refused, CallError) as error:
            upgrade.settle_after_error(before, str(error))
            if isinstance(error, Refused) and error.is_harmless:
                upgrade.record("commit", before=before.permanent, outcome=REFUSED, reason=str(error))
                raise HandlerError(f"{error} Release {upgrade.version} runs, and is not committed.") from error
            raise upgrade.failure("commit", before, str(error)) from error
        upgrade.observe()
        upgrade.flush()
        upgrade.record("commit", before=before.permanent)
    elif missed := upgrade.missing_commit({known.version: known.status for known in before.releases}):
        upgrade.record("commit", before=missed)
    tidy(upgrade)
    if before.permanent != upgrade.version and upgrade.request.verify:
        verify_or_roll_back(upgrade)


def tidy(upgrade: NodeUpgrade) -> None:
    """Update bin to the permanent release, and remove the temporary releases of a change of emulators."""
    upgrade.refresh_bin()
    for known in upgrade.running.releases:
        if upgrade.running.has_handler and is_temporary(known.version) and known.status != "current":
            upgrade.changes.do(f"remove the temporary release {known.version} from the node", _forget, upgrade, known.version)


def _sentence(upgrade: NodeUpgrade) -> str:
    return f"make release {upgrade.version} permanent on the node {upgrade.session.node}"


def _forget(upgrade: NodeUpgrade, version: str) -> None:
    upgrade.call_with_copies("set_removed", version)
    with contextlib.suppress(FileNotFoundError):
        remove_tree(upgrade.tree.path("releases", version))
