# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release out of a system that runs: release_handler forgets it, and we remove what nobody else uses.

release_handler's own remove_release knows nothing of client nodes and of entries without libraries, and removes a release that
runs when it is not permanent yet.
"""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._install.remove import remove_release
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import observe
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import is_temporary

if t.TYPE_CHECKING:
    from ansible_collections.erlang.otp.plugins.module_utils._handler.running import Work


def remove(work: Work, version: str) -> None:
    """Have the release absent. Raises OtpError for one that runs or boots, and when it cannot be told what others use."""
    running = work.running
    status = running.status_of(version)
    if version in (running.current, running.permanent):
        how = "permanent" if version == running.permanent else "current: it runs, and is not committed yet"
        raise OtpError(f"release {version} is {how}: take the node {work.session.node} to another release first")
    for known in running.releases:
        if not known.libraries and known.version != version and not is_temporary(known.version):
            raise OtpError(
                f"the node {work.session.node} does not know which libraries release {known.version} has: nothing is removed, for they may"
                f" be among its. Stop the node, install that release again from its package, and start the node."
            )
    name = work.order.name if version == work.version else None
    where = {"root": work.tree.root, "destdir": work.tree.destdir, "lock_timeout": work.order.lock_timeout}
    order: dict[str, t.Any] = {**where, "version": version, "name": name, "may_run": True}
    # Whatever speaks against it must do so before release_handler forgets the release.
    remove_release(changes=Changes(check_mode=True), **order)
    if status is not None:
        sentence = f"have the node {work.session.node} forget release {version}"
        work.changes.do(sentence, work.operate, "set_removed", version)
    remove_release(changes=work.changes, **order)
    if work.changes.changed and not work.changes.check_mode:
        work.running = observe(work.session, timeout=work.order.timeout)
        work.task.record("remove", release=version, before=running.current)
