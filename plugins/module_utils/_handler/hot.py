# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""install_release without a restart, there and back; what is kept of the node's environment; and what a boot of a release of mix does beside it:
config providers, consolidated protocols.
"""

from __future__ import annotations

import contextlib

from ansible_collections.erlang.otp.plugins.module_utils._handler.live_environment import kept
from ansible_collections.erlang.otp.plugins.module_utils._handler.node_upgrade import NodeUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.protocols import consolidate_protocols, has_protocols, loosen_protocols
from ansible_collections.erlang.otp.plugins.module_utils._handler.providers import resolved
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallError
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Refused


def install_release(upgrade: NodeUpgrade, version: str) -> None:
    """Install the release of the version, and observe the node. Raises Refused, CallError, and NotResolved, before the node is touched."""
    running, request = upgrade.running, upgrade.request
    before = running.current or ""
    with resolved(upgrade.tree, version, pid=running.pid, timeout=request.restart_timeout), kept(upgrade, version):
        if has_protocols(upgrade.tree, before, version):
            _install_with_protocols(upgrade, before, version)
        else:
            upgrade.call("install_release", version)
    upgrade.observe()


def _install_with_protocols(upgrade: NodeUpgrade, before: str, version: str) -> None:
    node, tree, timeout = upgrade.session, upgrade.tree, upgrade.request.timeout
    loosen_protocols(node, tree, before, version, timeout=timeout)
    try:
        upgrade.call("install_release", version)
    except Refused:
        with contextlib.suppress(CallError):
            consolidate_protocols(node, tree, version, before, timeout=timeout)
        raise
    consolidate_protocols(node, tree, before, version, timeout=timeout)
