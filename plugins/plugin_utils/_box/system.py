# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A target system on a box: the steps of System, done in the copy and then brought to the box."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner, ensure_directory, ensure_file
from ansible_collections.erlang.otp.plugins.module_utils._node.service import ROOT
from ansible_collections.erlang.otp.plugins.module_utils._target_system.environment import ENVIRONMENT, format_environment
from ansible_collections.erlang.otp.plugins.module_utils._target_system.options import SystemOptions
from ansible_collections.erlang.otp.plugins.module_utils._target_system.system import System
from ansible_collections.erlang.otp.plugins.module_utils._tree.own_script import CONTROL
from ansible_collections.erlang.otp.plugins.plugin_utils._box.box import Box

# The files of the copy belong to the user of the controller; the box gets their owners with the delivery.
AS_IT_IS = Owner(-1, -1)


class BoxSystem(System):
    """A System on a box. The node has no service here: BoxHost starts it by the init script or bin/start."""

    def __init__(self, options: SystemOptions, changes: Changes, box: Box) -> None:
        super().__init__(options._replace(node=options.node._replace(service=None), destdir=box.destdir), changes)
        self.service = options.node.service
        self.box = box
        self._add_known_files()

    def _add_known_files(self) -> None:
        """Complete the copy with the init script, the cookie and the environment, if the box has them with this content and their owner."""
        files: list[tuple[str, bytes, tuple[int, int] | None]] = []
        if self.service:
            files += [(file.path, file.content.encode("utf-8"), ROOT) for file in self.service.files]
        if self.options.cookie is not None:
            files.append((self.options.node.cookie_file, self.options.cookie.encode("utf-8", "replace"), self.box.inspection.user))
        secret = format_environment({**self.options.node.environment, **self.options.environment_secrets})
        files.append((ENVIRONMENT, secret.encode("utf-8"), self.box.inspection.user))
        # Its name is that of the release.
        script = b"".join(file.content.encode("utf-8") for file in self.options.files if file.path == CONTROL)
        files += [(path, script, self.box.inspection.user) for path in self.box.inspection.entries if path.startswith("bin/")]
        for path, content, owner in files:
            entry = self.box.inspection.entries.get(path)
            if entry and (entry.uid, entry.gid) == owner:
                self.box.mirror.add_content(path, content)

    def ensure_owner(self) -> Owner:
        """Check that the service user exists. It is not created: boxes differ in how, and most have a read-only image."""
        user = self.options.node.user
        if self.box.inspection.user is None:
            raise OtpError(f"the box has no user {user!r}: add the user to the image of the box, or set otp_user to one that it has, such as root.")
        if self.box.inspection.me[0] not in (0, self.box.inspection.user[0]):
            raise OtpError(f"the login user can neither become root nor is it {user}: use become, or log in as root or {user}.")
        return AS_IT_IS

    def link_target(self, directory: str) -> str:
        """The directory in the copy: there, no link leads to a directory of the controller."""
        return self.box.destdir + directory

    def ensure_service(self) -> None:
        """The init script. Its name, or the inittab of the box, enables it at boot."""
        if self.service is None:
            return
        if self.service.manager != "sysv":
            raise OtpError("systemd on a host without Python (otp_box) is not supported: set otp_service_manager to sysv or none.")
        (script, *dummy) = self.service.files
        path, content = self.options.path(script.path), script.content.encode("utf-8")
        ensure_directory(os.path.dirname(path), mode=0o755, owner=AS_IT_IS, changes=self.changes)
        before = ensure_file(path, content, mode=script.mode, owner=AS_IT_IS, sentence=f"write {script.path}", changes=self.changes)
        if before is not None:
            self.diff.append({"before_header": script.path, "after_header": script.path, "before": "", "after": script.content})
        if self.service.at_boot and not re.match(r"S\d\d", os.path.basename(script.path)):
            self.warnings.append(
                f"the box may not run {script.path} at boot: rcS runs scripts whose name begins with S and two digits."
                f" Set otp_init_script to such a name, for example /etc/init.d/S80{self.service.name}, or add the script to the inittab of the box."
            )

    def ensure_node(self) -> dict[str, t.Any]:
        """Bring the changes to the box, and then the node to its state."""
        if not self.changes.check_mode:
            self.box.send_changes()
        return super().ensure_node()
