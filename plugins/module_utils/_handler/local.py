# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release of a node of this host: through its release_handler when the node runs, otherwise by its files.

docs/design.md: release_handler has RELEASES in its memory, so that files are only changed while no emulator runs the system.
"""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._handler.offline import apply_offline
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import Request
from ansible_collections.erlang.otp.plugins.module_utils._handler.running import RunningUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._node.lifecycle import find_settled


def apply_local(request: Request, changes: Changes) -> dict[str, t.Any]:
    """Take the release to the requested state and return what happened.

    Raises PackageNeeded, before anything is touched, when the host lacks the release and no package is given; HandlerError with
    ``result`` when the release cannot be brought to the state.
    """
    upgrade = RunningUpgrade(request, changes)

    def apply() -> None:
        if _runs(request, upgrade.tree.root):
            upgrade.apply()
        elif request.down != "offline" and request.transport != "offline":
            upgrade.leave_down()
        else:
            apply_offline(upgrade)

    return upgrade.carry_out(apply)


def _runs(request: Request, root: str) -> bool:
    """Whether the node runs. Raises OtpError when nothing says how to reach it, and when it must be down but runs."""
    is_reachable = bool(request.address.node or request.address.pipe_dir)
    pid = find_settled(root)
    if request.transport == "offline":
        if pid is not None:
            raise OtpError(f"the system below {root} runs (process {pid}), and transport offline is for a stopped node: stop it, or use another transport.")
        return False
    if request.transport != "auto":
        return True
    if pid is not None and not is_reachable:
        raise OtpError(f"the system below {root} runs (process {pid}), and nothing says how to reach it: set {named('node')}, or {named('pipe_dir')}.")
    return pid is not None
