# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a node of this host can be reached: by the arguments of its emulator (proc(5)), in which erlexec has all of vm.args and of the environment.

Anybody can give a process such arguments: what they say counts for as much as who runs it.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_root
from ansible_collections.erlang.otp.plugins.module_utils._formats.distribution_flags import Distribution, distribution_of, kernel_parameters
from ansible_collections.erlang.otp.plugins.module_utils._node.named_files import read_named
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator, find_emulators, is_noted, runs_as, started_at

# The native code that ssl loads by on_load functions: crypto(3), asn1.
NATIVE = (b"/crypto.so", b"/asn1rt_nif.so")
# Seconds after which an emulator without them has them in another way.
BOOTED = 10
# Bytes of arguments, and files of -config: more than any emulator has.
MAX_ARGUMENTS = 1 << 18
MAX_CONFIGS = 16


def listening(root: str) -> Distribution:
    """That of the system below root; one without a port if it does not run.

    It is run by root or by the owner of the root directory, or who can write there has noted it.
    """
    pid = find_emulator(root)
    if pid is not None and not _is_of_tree(pid, root):
        pid = next((other for other in find_emulators(root) if _is_of_tree(other, root)), None)
    return Distribution() if pid is None else distribution_of_process(pid)


def distribution_of_process(pid: int) -> Distribution:
    """That of the emulator."""
    user = runs_as(pid)
    found = distribution_of(_arguments(pid), lambda paths: _kernel_parameters(paths, user))._replace(user=user)
    return found._replace(is_ready=_has_loaded_tls(pid)) if found.is_tls else found


def listening_as(node: str, user: int | None, epmd_port: int = 0) -> Distribution:
    """That of the emulator of this host, and of its network, that has the name of the node; one without a port if there is none.

    user: who may run it besides root; None: anybody, if no other user runs one that is to be reached in another way. epmd_port: of its EPMD, if that is
    known: nodes with another one may have the same name. Raises OtpError.
    """
    found: dict[int, Distribution] = {}
    for pid in sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        arguments = _arguments(pid)
        runs = runs_as(pid) if "-root" in arguments else None
        if runs is None or runs in found or user is not None and runs not in (0, user):
            continue
        if is_name_of(node, distribution_of(arguments).name) and _has_our_network(pid) and (not epmd_port or _has_epmd(pid, epmd_port)):
            found[runs] = distribution_of_process(pid)
    if user in found:
        return found[user]
    if len({each._replace(user=None, is_ready=True) for each in found.values()}) > 1:
        raise OtpError(f"processes of the users {', '.join(map(str, found))} have the name {node}: set the option cookie_file, or port.")
    return next(iter(found.values()), Distribution())


def _is_of_tree(pid: int, root: str) -> bool:
    user = runs_as(pid)
    return user is not None and (user in (0, os.stat(root).st_uid) or is_noted(root, pid))


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
        return os.fsdecode(read_file(f"/proc/{pid}/cmdline", limit=MAX_ARGUMENTS) or b"").split("\0")
    except (OSError, OtpError):
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


def _kernel_parameters(paths: t.Sequence[str], user: int | None) -> dict[str, t.Any]:
    """Those of kernel in the files of -config that this user may read."""
    found: dict[str, t.Any] = {}
    for path in paths[:MAX_CONFIGS] if user is not None else ():
        with contextlib.suppress(OSError, OtpError):
            found.update(kernel_parameters(read_named(path if path.endswith(".config") else f"{path}.config", user)))
    return found


def _has_epmd(pid: int, port: int) -> bool:
    """Whether its EPMD is the one at the port (erl(1), ERL_EPMD_PORT), as far as that can be seen."""
    try:
        with as_root():
            variables = (read_file(f"/proc/{pid}/environ", limit=MAX_ARGUMENTS) or b"").split(b"\0")
    except (OSError, OtpError):
        return True
    given = next((variable.partition(b"=")[2] for variable in variables if variable.startswith(b"ERL_EPMD_PORT=")), b"4369")
    return given == str(port).encode()


def _has_our_network(pid: int) -> bool:
    try:
        with as_root():
            return os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")
    except OSError:
        return True
