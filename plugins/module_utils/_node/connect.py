# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to a node, and the cookie that opens it."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host

# In the home directory of the node's user; read by the emulator itself, so that the cookie is no argument.
COOKIE_FILE = ".erlang.cookie"

# How a module is told the way to a node; documented in the fragment erlang.otp._node.
WAY_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "node": {"type": "str"},
    "cookie": {"type": "str", "no_log": True},
    "cookie_file": {"type": "path"},
    "pipe_dir": {"type": "path"},
    "host": {"type": "str"},
    "port": {"type": "int"},
    "epmd_port": {"type": "int"},
}


class Way(t.NamedTuple):
    """How to reach a node: by distribution when it has a name, else through the pipes of run_erl."""

    node: str = ""
    cookie: str = ""
    cookie_file: str = ""  # empty: the cookie, or else that of the user who asks
    transport: str = "auto"  # or distribution, pipe
    pipe_dir: str = ""
    force: bool = False  # the pipes, even when somebody is attached
    host: str = ""
    port: int = 0
    epmd_port: int = 0


def way_of(parameters: dict[str, t.Any], *more: str) -> Way:
    """The way that a module's parameters say, those of WAY_ARGUMENTS and these more."""
    return Way(**{name: parameters[name] for name in (*WAY_ARGUMENTS, *more) if parameters[name]})


def connect(way: Way, *, timeout: float = 5.0):
    """A Connection or a Console: a context manager with call(module, function, arguments, timeout=seconds). Raises CallError, OtpError."""
    if remote_host():
        return remote_host().connect(way, timeout=timeout)
    transport = way.transport if way.transport != "auto" else ("distribution" if way.node else "pipe")
    if transport == "pipe":
        from ansible_collections.erlang.otp.plugins.module_utils._node.run_erl_console import Console

        if not way.pipe_dir:
            raise OtpError("Neither a node nor pipe_dir is given: one of them says where to call.")
        return Console(directory=way.pipe_dir, force=way.force)
    from ansible_collections.erlang.otp.plugins.module_utils._node.distribution import Connection

    if not way.node:
        raise OtpError("The transport distribution needs the name of a node.")
    cookie = way.cookie or read_cookie(way.cookie_file or os.path.expanduser("~/.erlang.cookie"))
    return Connection(node=way.node, cookie=cookie, host=way.host, port=way.port, epmd_port=way.epmd_port, timeout=timeout)


def read_cookie(path: str) -> str:
    """The cookie in the file, by the rules of erl, which takes no file that others can read. Raises OtpError."""
    try:
        with open(path, encoding="latin-1") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(4096)
    except OSError as error:
        raise OtpError(f"The cookie file {path} cannot be read: {error.strerror}. Name another one, or become the user of the node.") from None
    if mode & 0o077:
        raise OtpError(f"The cookie file {path} is open to others than its owner, and erl refuses such a file: chmod 400 {path}")
    cookie = text.strip(" \t\r\n")
    if not cookie or not (cookie.isascii() and cookie.isprintable()) or " " in cookie:
        raise OtpError(f"The cookie file {path} has no cookie: one word of printable ASCII characters.")
    return cookie
