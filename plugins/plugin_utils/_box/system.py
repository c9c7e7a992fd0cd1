# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that a box should have of one target system: what System does on a host, done in the copy and then brought to the box."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner, ensure_directory, ensure_file
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import COOKIE_FILE
from ansible_collections.erlang.otp.plugins.module_utils._node.service import ROOT, Service
from ansible_collections.erlang.otp.plugins.module_utils._target_system.system import System, Wanted
from ansible_collections.erlang.otp.plugins.plugin_utils._box.box import Box

# In the copy all belongs to whoever runs this; on the box to its owner there.
OURS = Owner(-1, -1)


class BoxSystem(System):
    """A System of a box. wanted: with the copy as its destdir and without a service, which the box's own way to start a node stands for."""

    def __init__(self, wanted: Wanted, service: Service | None, changes: Changes, box: Box) -> None:
        super().__init__(wanted, changes)
        self.service = service
        self.box = box

    def have_owner(self) -> Owner:
        """The service user must be there: what makes one differs from box to box, and most have one file system image for all."""
        user = self.wanted.node.user
        if self.box.inspection.user is None:
            raise OtpError(f"there is no user {user!r} on the box: have it in the box's image, or set otp_user to one that is there, such as root.")
        if self.box.inspection.me[0] not in (0, self.box.inspection.user[0]):
            raise OtpError(f"only root and {user} itself can work as user {user}: use become, or log in as one of them.")
        return OURS

    def ensure_service(self) -> None:
        """Have the init script; what starts it at boot is its name, or the box's inittab."""
        if self.service is None:
            return
        if self.service.manager != "sysv":
            raise OtpError("a box without Python has no systemd that could be worked with: set otp_service_manager to sysv or none.")
        (script, *dummy) = self.service.files
        path, content = self.here(script.path), script.content.encode("utf-8")
        ensure_directory(os.path.dirname(path), mode=0o755, owner=OURS, changes=self.changes)
        before = ensure_file(path, content, mode=script.mode, owner=OURS, sentence=f"write {script.path}", changes=self.changes)
        if before is not None:
            self.diff.append({"before_header": script.path, "after_header": script.path, "before": "", "after": script.content})
        if self.service.at_boot and not re.match(r"S\d\d", os.path.basename(script.path)):
            self.warnings.append(
                f"whether the box runs {script.path} when it boots cannot be told from its name: rcS runs what is called S and two digits,"
                f" such as otp_init_script: /etc/init.d/S80{self.service.name}; else a line of its inittab has to."
            )

    def have_state(self) -> dict[str, t.Any]:
        """Have all on the box, and then the node in its state."""
        if not self.changes.check_mode:
            self.box.send_changes()
        return super().have_state()


def add_known_files(box: Box, wanted: Wanted, service: Service | None) -> None:
    """Complete the copy with those files outside of the root directory that the box has already: init script and cookie."""
    files = {file.path: file.content.encode("utf-8") for file in service.files} if service else {}
    if wanted.cookie is not None:
        files[os.path.join(wanted.node.home, COOKIE_FILE)] = wanted.cookie.encode("utf-8", "replace")
    for path, content in files.items():
        entry = box.inspection.entries.get(path)
        owner = ROOT if service and path == service.files[0].path else box.inspection.user
        if entry and (entry.uid, entry.gid) == owner:
            box.mirror.add_content(path, content)
