# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A box without Python, and the copy of its system on the controller: inspected, changed in the copy, brought back to the box.

See "Clients and boxes" in docs/design.md. What the code of module_utils asks of the host meanwhile is in ``_box/host``.
"""

from __future__ import annotations

import contextlib
import secrets
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._box.delivery import check_room, prepare_delivery
from ansible_collections.erlang.otp.plugins.plugin_utils._box.inspection import Inspection, parse_inspection
from ansible_collections.erlang.otp.plugins.plugin_utils._box.lock import new_token, take_lock
from ansible_collections.erlang.otp.plugins.plugin_utils._box.mirror import Mirror
from ansible_collections.erlang.otp.plugins.plugin_utils._box.shell import Shell


class BoxTarget(t.NamedTuple):
    """The system on a box. user: of the node, "" for the login user; outside: files and directories that matter and are not below root."""

    root: str
    pipe_dir: str
    user: str = ""
    init_script: str = ""
    outside: tuple[str, ...] = ()
    writes: bool = True
    lock_timeout: float = 60.0


class Box:
    """The connection to a box, and the copy of its system below destdir."""

    def __init__(self, action: ActionBase, target: BoxTarget, destdir: str) -> None:
        self.target = target
        self.destdir = destdir
        self.shell = Shell(action, target.root)
        self.mirror = Mirror(destdir, target.root, target.outside)
        self.inspection = Inspection()
        self.warnings: list[str] = []
        # The file in the directory of the pipes that notes which process holds the pipe open: one for each run.
        self.pipe_holder = f".holder-{secrets.token_hex(4)}"
        self.uses_pipe = self.has_sent = self.has_failed = False

    @property
    def owner(self) -> str:
        """UID:GID of the system: the node's user, or else the owner of the root directory, or else the login user."""
        root = self.inspection.entries.get(self.target.root)
        uid, gid = (self.target.user and self.inspection.user) or ((root.uid, root.gid) if root else self.inspection.me)
        return f"{uid}:{gid}"

    def begin(self) -> None:
        """Inspect the box and fill the copy; first take the lock if the run writes. Raises OtpError if another run has the lock."""
        if not self.target.writes:
            return self.refresh()
        self.shell.token = new_token()
        self._fill(take_lock(self._inspect, lock=f"{self.target.root}/.box.lock", timeout=self.target.lock_timeout, warnings=self.warnings))

    def refresh(self, **variables: str) -> None:
        """Inspect the box again, and make the copy as the box is now."""
        self._fill(self._inspect(**variables))

    def _inspect(self, **variables: str) -> Inspection:
        defaults = {"TAKE": "", "BREAK": "", "SUMS": "", "NODE_USER": self.target.user, "FILES": "\n".join((self.target.root, *self.mirror.outside))}
        found = parse_inspection(self.shell.run("inspect", {**defaults, **variables}))
        if found.missing:
            raise OtpError(f"the box has no {', '.join(found.missing)}: nothing can be installed there. Build these programs into its BusyBox.")
        if not found.complete and not found.locked:
            raise OtpError(f"the login user cannot make {self.target.root} on the box: use become, or make the directory.")
        return found

    def _fill(self, inspection: Inspection) -> None:
        self.inspection = inspection
        self.mirror.fill(inspection)

    def add_package(self, package: str) -> None:
        """Complete the copy with the files of the package that the box has, so that these are not sent."""
        if any(path.startswith(("lib/", "erts-")) for path in self.inspection.entries):
            self.refresh(SUMS="yes")
            self.mirror.add_package(package)

    def send_changes(self) -> bool:
        """Make the box as the copy is. Return whether there was a difference. Raises OtpError, before anything is sent, if the disk is too small."""
        owners = {path: self.owner for path in self.mirror.outside if path != self.target.init_script}
        delivery = prepare_delivery(self.mirror, self.owner, owners)
        if delivery is None:
            return False
        check_room(delivery, self.inspection.free, self.target.root)
        self.shell.run("receive", {"LISTS": delivery.lists}, data=delivery.stream)
        self.mirror.mark_sent()
        self.has_sent = True
        return True

    def finish(self, *, done: bool = True) -> None:
        """Release the lock and the pipe. Not done: files that arrived and are not in place yet stay for the next run."""
        with contextlib.suppress(OtpError):
            variables = {"PIPE_DIR": self.target.pipe_dir, "HOLDER": self.pipe_holder, "DONE": "yes" if done else ""}
            self.shell.run("finish", variables)
