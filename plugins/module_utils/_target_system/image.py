# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A target system in the directory from which the file system image of a host is made.

No program of the system runs, and nothing depends on the host that makes the image: the numbers of users are those of the image.
"""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.image_links import refuse_way_out
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner, ensure_directory, ensure_file
from ansible_collections.erlang.otp.plugins.module_utils._node.service import ROOT, Service, is_at_boot, must
from ansible_collections.erlang.otp.plugins.module_utils._target_system.system import System
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import LOCK

# What useradd and groupadd write below /etc, and where links enable a service at boot.
ACCOUNTS = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")
BOOT_DIRECTORIES = ("systemd/system/multi-user.target.wants", *(f"rc{level}.d" for level in range(7)))


class Image(System):
    """A System in the directory of an image, which is destdir of its options."""

    is_image = True

    def apply(self) -> dict[str, t.Any]:
        with self.as_owner():
            result = super().apply()
        if not self.changes.check_mode:
            with contextlib.suppress(FileNotFoundError):
                # It contains the number of a process, so two images would differ.
                os.unlink(self.tree.path(LOCK))
        return result

    def stop_node(self) -> None:
        """No node runs in an image."""

    def ensure_node(self) -> dict[str, t.Any]:
        """No node runs in an image."""
        return {"running": False}

    def ensure_owner(self) -> Owner:
        """The service user in /etc/passwd of the image. Without that file the owner stays open, with a warning. Raises OtpError."""
        user, group = self.options.node.user, self.options.group
        for name in ACCOUNTS:
            # useradd has a copy and a new file beside each.
            for path in (name, f"{name}-", f"{name}+"):
                refuse_way_out(self.options.destdir, f"/etc/{path}")
        passwd, groups = (_numbers(self.options.path(f"/etc/{name}")) for name in ("passwd", "group"))
        if passwd is None or groups is None:
            self.warnings.append(
                f"{self.options.destdir} has no /etc/passwd and /etc/group, so the files belong to the user that runs this:"
                f" give {self.tree.root}, {self.options.node.home} and {self.options.node.log_directory} to {user} in the image."
            )
            return Owner(-1, -1)
        if user in passwd and group in groups:
            return Owner(passwd[user], groups[group])
        etc, home = self.options.path("/etc"), self.options.node.home
        if not self.options.manage_user:
            raise OtpError(f"{etc}/passwd has no user {user!r} with group {group!r}, and otp_manage_user is false: create them, or set otp_manage_user.")
        group_command = ["groupadd", "--prefix", self.options.destdir, "--system", group]
        user_command = ["useradd", "--prefix", self.options.destdir, "--system", "--gid", group, "--home-dir", home, "--shell", "/bin/false", user]
        for known, name, command in ((groups, group, group_command), (passwd, user, user_command)):
            if name not in known:
                self.changes.do(f"create {name} in {etc}", must, command)
        if self.changes.check_mode:
            return Owner(-1, -1)
        return self.ensure_owner()

    def ensure_service(self) -> None:
        """The files of the service, and the links that enable it at boot."""
        service = self.service_of_release()
        if service is None:
            return
        etc = self.options.path("/etc")
        for directory in BOOT_DIRECTORIES:
            refuse_way_out(self.options.destdir, f"/etc/{directory}")
        for file in service.files:
            refuse_way_out(self.options.destdir, file.path)
            path = self.options.path(file.path)
            if file.optional and not os.path.isdir(os.path.dirname(path)):
                continue
            ensure_directory(os.path.dirname(path), mode=0o755, owner=_root(), changes=self.changes)
            ensure_file(path, file.content.encode("utf-8"), mode=file.mode, owner=_root(), sentence=f"write {path}", changes=self.changes)
        if is_at_boot(service, etc) != service.at_boot:
            when = "enable" if service.at_boot else "disable"
            self.changes.do(f"{when} {service.name} at boot", _set_at_boot, service, etc)


def _root() -> Owner:
    return ROOT if os.geteuid() == 0 else Owner(-1, -1)


def _numbers(path: str) -> dict[str, int] | None:
    """The numbers in a file such as /etc/passwd, by name; None if the file does not exist."""
    content = read_file(path)
    if content is None:
        return None
    fields = (line.split(":") for line in content.decode("utf-8", "replace").splitlines())
    return {entry[0]: int(entry[2]) for entry in fields if len(entry) > 2 and entry[2].isdigit()}


def _set_at_boot(service: Service, etc: str) -> None:
    """Make or remove the links as ``systemctl enable`` or ``update-rc.d`` does. Raises OtpError."""
    if service.manager == "systemd":
        _link(f"{etc}/systemd/system/multi-user.target.wants/{service.name}.service", service.files[0].path, exists=service.at_boot)
        return
    script = os.path.basename(service.files[0].path)
    if not os.path.isdir(f"{etc}/rc2.d"):
        raise OtpError(
            f"{etc} has no rc2.d, so only the name of {script} can enable it at boot: choose a name that rcS of the image runs,"
            f" such as otp_init_script=/etc/init.d/S80{re.sub(r'^S[0-9]+', '', service.name)}, or set otp_start_at_boot to false."
        )
    for level in range(7):
        name = f"S01{script}" if level in (2, 3, 4, 5) else f"K01{script}"
        _link(f"{etc}/rc{level}.d/{name}", f"../init.d/{script}", exists=service.at_boot)


def _link(path: str, target: str, *, exists: bool) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    if exists:
        ensure_directory(os.path.dirname(path), mode=0o755, owner=_root(), changes=Changes())
        os.symlink(target, path)
