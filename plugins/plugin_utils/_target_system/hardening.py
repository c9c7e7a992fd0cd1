# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the units of systemd take from their processes: systemd.exec(5). The guide "Starting at boot" explains each line.

Not what some node needs: memory that is written and run (the JIT), devices, /proc (os_mon), namespaces and families of addresses (ports and drivers).
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._node.sandbox import FILTERS, FILTERS_OF_EPMD

LINES = ("NoNewPrivileges=yes", "UMask=0027", "ProtectControlGroups=yes", *FILTERS)
# EPMD needs a port and nothing else.
OF_EPMD = ("ProtectSystem=strict", "CapabilityBoundingSet=", *FILTERS_OF_EPMD)
READ_ONLY = ("/usr", "/boot", "/efi", "/etc")
HOMES = ("/home", "/root", "/run/user")
TEMPORARY = ("/tmp", "/var/tmp")


def hardening(directories: t.Sequence[str], arguments: t.Iterable[str] = ()) -> list[str]:
    """The lines for a node. directories: those that it writes; arguments: those of its emulator, which may name others."""
    own = [path for path in directories if is_below(path, READ_ONLY)]
    return [*LINES, "ProtectSystem=full", *(f'ReadWritePaths="-{path.replace("%", "%%")}"' for path in own), *hidden([*directories, *arguments])]


def epmd_hardening(root: str) -> list[str]:
    """The lines for EPMD, whose program is below the root directory."""
    return [*LINES, *OF_EPMD, *hidden([root])]


def hidden(paths: t.Sequence[str]) -> list[str]:
    """The lines that hide the directories of users and of temporary files, if none of the paths is there."""
    lines = {"ProtectHome=yes": HOMES, "PrivateTmp=yes": TEMPORARY}
    return [line for line, places in lines.items() if not any(is_below(path, places) for path in paths)]


def is_below(path: str, places: t.Iterable[str]) -> bool:
    return any(f"{os.path.normpath(path)}/".startswith(f"{place}/") for place in places)
