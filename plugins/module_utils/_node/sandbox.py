# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines of hardening for a unit that are system call filters, and hosts on which systemd cannot load one for a user: capabilities(7), CAP_SYS_ADMIN.

In a container without this capability, systemd 257 does not start a unit with User= and such a line ("Failed to keep CAP_SYS_ADMIN").
"""

from __future__ import annotations

import re

from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file

FILTERS = (
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
)
FILTERS_OF_EPMD = (
    "PrivateDevices=yes",
    "MemoryDenyWriteExecute=yes",
    "RestrictNamespaces=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "SystemCallArchitectures=native",
)
CAP_SYS_ADMIN = 1 << 21


def for_this_host(unit: str, *, status: str = "/proc/1/status") -> str:
    """The unit without these lines, if the systemd of this host cannot carry them out."""
    found = re.search(rb"^CapEff:\s*([0-9a-f]+)$", read_file(status) or b"", re.MULTILINE)
    if found is None or int(found[1], 16) & CAP_SYS_ADMIN:
        return unit
    return "".join(line for line in unit.splitlines(keepends=True) if line.strip() not in (*FILTERS, *FILTERS_OF_EPMD))
