# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a node of this host can be reached: by the arguments of its emulator (proc(5)), in which erlexec has all of vm.args and of the environment."""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._formats.distribution_flags import Distribution, distribution_of, kernel_parameters
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator, started_at, user_of

# The native code that ssl loads by on_load functions: crypto(3), asn1.
NATIVE = (b"/crypto.so", b"/asn1rt_nif.so")
# Seconds after which an emulator without them has them in another way.
BOOTED = 10


def listening(root: str) -> Distribution:
    """That of the system below root; one without a port if it does not run."""
    pid = find_emulator(root)
    return Distribution() if pid is None else distribution_of_process(pid)


def distribution_of_process(pid: int) -> Distribution:
    """That of the emulator."""
    found = distribution_of(_arguments(pid), _kernel_parameters)
    return found._replace(is_ready=_has_loaded_tls(pid)) if found.is_tls else found


def listening_as(node: str, user: int | None) -> Distribution:
    """That of the emulator of this host, and of its network, that has the name of the node; one without a port if there is none.

    user: who may run it besides root, because anybody can give a process such arguments; None: anybody.
    """
    for pid in sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        arguments = _arguments(pid)
        if "-root" not in arguments or not is_name_of(node, distribution_of(arguments).name):
            continue
        if (user is None or user_of(pid) in (0, user)) and _has_our_network(pid):
            return distribution_of_process(pid)
    return Distribution()


def is_name_of(node: str, given: str) -> bool:
    """Whether an emulator of this host with this -name or -sname is the node NAME@HOST, or NAME alone."""
    name, at, host = node.partition("@")
    given_name, given_at, given_host = given.partition("@")
    if not given_at:
        given_host = os.uname().nodename
        host, given_host = host.partition(".")[0], given_host.partition(".")[0]
    return name == given_name != "" and (not at or host == given_host)


def _arguments(pid: int) -> t.Sequence[str]:
    try:
        return os.fsdecode(read_file(f"/proc/{pid}/cmdline") or b"").split("\0")
    except OSError:
        # It has ended meanwhile, or is not for us.
        return ()


def _has_loaded_tls(pid: int) -> bool:
    """Whether the emulator has what TLS needs. It listens before it has run the on_load functions of all modules, and then reports each handshake as an error.

    Native code may be a part of the emulator: then its age counts.
    """
    try:
        maps = read_file(f"/proc/{pid}/maps") or b""
    except (OSError, OtpError):
        return True
    return all(library in maps for library in NATIVE) or time.time_ns() - started_at(pid) > BOOTED * 10**9


def _kernel_parameters(paths: t.Iterable[str]) -> dict[str, t.Any]:
    """Those of kernel in the files of -config that this user may read."""
    found: dict[str, t.Any] = {}
    for path in paths:
        path = path if path.endswith(".config") else f"{path}.config"
        with contextlib.suppress(OSError, OtpError), as_owner(path):
            found.update(kernel_parameters(read_file(path) or b""))
    return found


def _has_our_network(pid: int) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")
    except OSError:
        return True
