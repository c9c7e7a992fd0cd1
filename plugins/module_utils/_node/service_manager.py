# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What starts a node at boot, where the inventory leaves it to the host (otp_service_manager: auto): the init that runs there."""

from __future__ import annotations

import os
import shutil
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.run import PATH

# rcS: that of BusyBox, which runs scripts whose name begins with S and two digits.
MANAGERS = ("systemd", "sysv", "rcS", "none")
# At the beginning of our units and scripts.
MANAGED = "# Managed by Ansible (role erlang.otp."


class Found(t.NamedTuple):
    """One of MANAGERS, and what the operator should know about the choice."""

    manager: str
    warning: str = ""


def find_manager(paths: t.Mapping[str, str], destdir: str = "") -> Found:
    """The init of this host, or of the image in destdir, if it can start a node. paths: the unit or script for each of them.

    None for one that this process may not write, and with a warning for a file that is not ours: another one starts the node then.
    """
    manager = _of_image(destdir) if destdir else _of_host()
    if manager == "none":
        return Found(manager)
    path = destdir + paths[manager]
    content = read_file(path)
    if content is None:
        return Found(manager if destdir or os.access(os.path.dirname(path), os.W_OK) else "none")
    if MANAGED.encode() in content:
        return Found(manager)
    return Found(
        "none", f"{path} is not a file of this collection, and is left as it is: set otp_service_manager to {_variable(manager)} to replace it, or to none."
    )


def _variable(manager: str) -> str:
    """The value of otp_service_manager for it."""
    return "sysv" if manager == "rcS" else manager


def _of_host() -> str:
    if os.path.isdir("/run/systemd/system"):
        return "systemd"
    if (read_file("/proc/1/comm") or b"").strip() not in (b"init", b"linuxrc", b"busybox"):
        return "none"
    if any(shutil.which(program, path=PATH) for program in ("update-rc.d", "chkconfig")):
        return "sysv"
    return "rcS" if os.access("/etc/init.d/rcS", os.X_OK) else "none"


def _of_image(destdir: str) -> str:
    signs = (("systemd", "/usr/lib/systemd/systemd"), ("systemd", "/lib/systemd/systemd"), ("sysv", "/etc/rc2.d"), ("rcS", "/etc/init.d/rcS"))
    return next((manager for manager, path in signs if os.path.lexists(destdir + path)), "none")
