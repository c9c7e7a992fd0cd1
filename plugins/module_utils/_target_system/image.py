# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that a host should have of one target system, laid out in the directory from which its file system image is made.

Nothing is run there, and nothing in it depends on the host on which it is made: numbers of users are the image's own.
"""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner, ensure_directory, ensure_file
from ansible_collections.erlang.otp.plugins.module_utils._core.run import PATH, run
from ansible_collections.erlang.otp.plugins.module_utils._node.service import ROOT, Service, is_at_boot
from ansible_collections.erlang.otp.plugins.module_utils._target_system.system import System
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import LOCK


class Image(System):
    """A System of an image. wanted: with the image's directory as its destdir."""

    def settle(self) -> dict[str, t.Any]:
        result = super().settle()
        if not self.changes.check_mode:
            with contextlib.suppress(FileNotFoundError):
                # It has a process number in it, which no two images would have in common.
                os.unlink(self.tree.path(LOCK))
        return result

    def stop_node(self) -> None:
        """No node runs in an image."""

    def have_state(self) -> dict[str, t.Any]:
        """No node runs in an image."""
        return {"running": False}

    def have_owner(self) -> Owner:
        """Have the service user in the image's own /etc/passwd; without one there, whoever puts the image together gives the files away."""
        user, group = self.wanted.node.user, self.wanted.group
        passwd, groups = (_numbers(self.here(f"/etc/{name}")) for name in ("passwd", "group"))
        if passwd is None or groups is None:
            self.warnings.append(
                f"{self.wanted.destdir} has no /etc/passwd and /etc/group: the files belong to the user who runs this; in the image,"
                f" {self.tree.root}, {self.wanted.node.home} and {self.wanted.node.log_directory} have to belong to {user}."
            )
            return Owner(-1, -1)
        if user in passwd and group in groups:
            return Owner(passwd[user], groups[group])
        if not self.wanted.manage_user:
            raise OtpError(f"{self.here('/etc/passwd')} has no user {user!r} with group {group!r}, and otp_manage_user is false.")
        for known, name, command in (
            (groups, group, ["groupadd", "--prefix", self.wanted.destdir, "--system", group]),
            (passwd, user, ["useradd", "--prefix", self.wanted.destdir, "--system", "--gid", group, "--home-dir", self.wanted.node.home, user]),
        ):
            if name not in known:
                self.changes.do(f"create {name} in {self.here('/etc')}", _must, [*command[:-1], "--shell", "/bin/false", name] if known is passwd else command)
        if self.changes.check_mode:
            return Owner(-1, -1)
        return self.have_owner()

    def ensure_service(self) -> None:
        """Have the service's files, and the links by which it is started at boot."""
        service = self.wanted.node.service
        if service is None:
            return
        etc = self.here("/etc")
        for file in service.files:
            path = self.here(file.path)
            if file.optional and not os.path.isdir(os.path.dirname(path)):
                continue
            ensure_directory(os.path.dirname(path), mode=0o755, owner=_root(), changes=self.changes)
            ensure_file(path, file.content.encode("utf-8"), mode=file.mode, owner=_root(), sentence=f"write {path}", changes=self.changes)
        if is_at_boot(service, etc) != service.at_boot:
            when = "at boot" if service.at_boot else "no more at boot"
            self.changes.do(f"have {service.name} started {when}", _set_at_boot, service, etc)


def _root() -> Owner:
    return ROOT if os.geteuid() == 0 else Owner(-1, -1)


def _numbers(path: str) -> dict[str, int] | None:
    """The numbers in a file like /etc/passwd, by name; None when there is none."""
    content = read_file(path)
    if content is None:
        return None
    fields = (line.split(":") for line in content.decode("utf-8", "replace").splitlines())
    return {entry[0]: int(entry[2]) for entry in fields if len(entry) > 2 and entry[2].isdigit()}


def _must(command: list[str]) -> None:
    code, said = run(command, timeout=60.0, environment={"PATH": PATH})
    if code != 0:
        raise OtpError(f"{' '.join(command)} failed: {said}")


def _set_at_boot(service: Service, etc: str) -> None:
    """Make or remove the links that ``systemctl enable`` or ``update-rc.d`` would. Raises OtpError."""
    if service.manager == "systemd":
        _link(f"{etc}/systemd/system/multi-user.target.wants/{service.name}.service", service.files[0].path, there=service.at_boot)
        return
    script = os.path.basename(service.files[0].path)
    if not os.path.isdir(f"{etc}/rc2.d"):
        raise OtpError(
            f"{etc} has no rc2.d, so {script} is started at boot by its name: give it the one that the image's rcS looks for,"
            f" such as otp_init_script: /etc/init.d/S80{re.sub(r'^S[0-9]+', '', service.name)}, or set otp_start_at_boot to false."
        )
    for level in range(7):
        name = f"S01{script}" if level in (2, 3, 4, 5) else f"K01{script}"
        _link(f"{etc}/rc{level}.d/{name}", f"../init.d/{script}", there=service.at_boot)


def _link(path: str, target: str, *, there: bool) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    if there:
        ensure_directory(os.path.dirname(path), mode=0o755, owner=_root(), changes=Changes())
        os.symlink(target, path)
