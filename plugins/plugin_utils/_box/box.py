# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A box without Python, and the copy of its system on the controller: inspected, changed in the copy, brought back to the box.

See "Clients and boxes" in docs/design.md. What the code of module_utils asks of the host meanwhile is in ``_box/host``.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._box.delivery import check_room, prepare_delivery
from ansible_collections.erlang.otp.plugins.plugin_utils._box.inspection import Inspection, parse_inspection
from ansible_collections.erlang.otp.plugins.plugin_utils._box.limits import MAX_FILE
from ansible_collections.erlang.otp.plugins.plugin_utils._box.lock import new_token, take_lock
from ansible_collections.erlang.otp.plugins.plugin_utils._box.mirror import Mirror
from ansible_collections.erlang.otp.plugins.plugin_utils._box.shell import Shell


class BoxTarget(t.NamedTuple):
    """The system on a box. user: of the node, "" for the login user; outside: files and directories that matter and are not below root.

    own: the operator's files below root.
    """

    root: str
    pipe_dir: str
    user: str = ""
    init_script: str = ""
    outside: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    writes: bool = True
    lock_timeout: float = 60.0


class Box:
    """The connection to a box, and the copy of its system below destdir."""

    def __init__(self, action: ActionBase, target: BoxTarget, destdir: str) -> None:
        self.target = target
        self.destdir = destdir
        # The ends of logs: not part of the copy.
        self.logs = destdir + "/.logs"
        self.shell = Shell(action, target.root, target.user)
        self.mirror = Mirror(destdir, target.root, target.outside)
        self.inspection = Inspection()
        self.warnings: list[str] = []
        # The file in the directory of the pipes that notes which process holds the pipe open: one for each run.
        self.pipe_holder = f".holder-{secrets.token_hex(4)}"
        self.uses_pipe = self.has_sent = self.has_failed = False

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
        shared = {"TAKE": variables.get("TAKE", ""), "FILES": "\n".join((self.target.root, *self.mirror.outside))}
        own = {"BREAK": "", "SUMS": "", "NODE_USER": self.target.user, "LIMIT": str(MAX_FILE), "OWN": "\n".join(self.target.own)}
        found = parse_inspection(self.shell.run("inspect", {**own, **shared, **variables}, as_root=shared))
        if found.missing:
            raise OtpError(f"the box has no {', '.join(found.missing)}: nothing can be installed there. Build these programs into its BusyBox.")
        if not found.complete and not found.locked:
            raise OtpError(
                f"the box cannot be inspected: its login user cannot make {self.target.root} (use become, or make the directory), or root may not run"
                f" programs as {self.target.user or 'the owner of that directory'} there."
            )
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
        """Make the box as the copy is, if the run writes. Return whether there was a difference.

        Raises OtpError, before anything is sent, if the disk is too small.
        """
        delivery = prepare_delivery(self.mirror, self._host_owners()) if self.target.writes else None
        if delivery is None:
            return False
        check_room(delivery, self.inspection.free, self.target.root)
        self.shell.run("receive", {"LISTS": delivery.lists}, as_root={"HOST_STEPS": delivery.host_steps}, data=delivery.stream)
        self.mirror.mark_sent()
        self.has_sent = True
        return True

    def _host_owners(self) -> dict[str, str]:
        """The paths outside of the system that root makes, with their owner: the init script, and what is in directories that only root can change.

        A new directory will be the user's, and so is what is made in it.
        """
        script = self.target.init_script
        of_root = {script, os.path.dirname(script)} if script else set()
        new = [path for path in self.mirror.outside if path not in self.inspection.entries and path not in of_root]
        guarded = {path for path in self.inspection.guarded if not any(path.startswith(f"{other}/") for other in new)}
        return {path: "root" if path in of_root else "user" for path in self.mirror.outside if path in guarded | of_root}

    def finish(self, *, done: bool = True) -> None:
        """Release the lock and the pipe. Not done: files that arrived and are not in place yet stay for the next run."""
        with contextlib.suppress(OtpError):
            variables = {"PIPE_DIR": self.target.pipe_dir, "HOLDER": self.pipe_holder, "DONE": "yes" if done else ""}
            self.shell.run("finish", variables)
