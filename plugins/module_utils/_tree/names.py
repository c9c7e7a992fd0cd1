# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Valid names of nodes, machine types and releases, and the name of a temporary release."""

from __future__ import annotations

import re

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import is_directory_name

# As OTP's net_kernel has it for what is before the @ (erl -sname, -name); what is after it can also be an address.
NODE = re.compile(r"[A-Za-z0-9_-]+@[A-Za-z0-9_.:-]+")
MACHINE_TYPE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
# The names of clients and machine types are names of directories.
# start_erl.data separates the versions of ERTS and release by white space, and release_handler writes it in Latin-1, which start_erl gives to the
# emulator as it is. Quotes and backslashes would have to be escaped in too many places.
VERSION = re.compile(r"[!#-&(-.0-\[\]-_a-~]+")
LONGEST = 255


def is_node_name(name: str) -> bool:
    """Whether a node can have this name, NAME@HOST, and a directory too."""
    return bool(NODE.fullmatch(name)) and len(name) <= LONGEST


def is_machine_type(name: str) -> bool:
    """Whether this is a name for a machine type."""
    return bool(MACHINE_TYPE.fullmatch(name)) and len(name) <= LONGEST


def is_temporary(version: str) -> bool:
    """Whether release_handler made the release for the time between two emulators (macro tmp_vsn of SASL's release_handler.erl)."""
    return version.startswith("__new_emulator__")


def check_version(version: str) -> None:
    """Raise OtpError unless a release can have the version: its files are in the directory of that name below releases."""
    if not is_directory_name(version):
        raise OtpError(f"release {version!r} is not a version, because it cannot be the name of a directory. Give a version, such as 1.0.")


def check_bootable(version: str) -> None:
    """Raise OtpError unless a system can boot the release of this version, by its start_erl.data."""
    if not VERSION.fullmatch(version) or version in (".", "..") or is_temporary(version) or len(version) > LONGEST:
        raise OtpError(
            f"release {version!r} is not a version that a system can boot. Give 1 to {LONGEST} ASCII characters without white space, quotes, '/' and '\\\\',"
            " such as 1.0."
        )


def number_problem(what: str, version: object) -> str | None:
    """A sentence if the version is not a text, such as the number 1.1 that YAML makes of 1.10; else None. what: the option or variable."""
    if isinstance(version, (str, type(None))):
        return None
    return f"{what} is {version}, and not a text: YAML takes 1.10 for the number 1.1. Write the version in quotes, as in '1.10'."
