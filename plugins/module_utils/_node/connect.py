# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The address of a node, and its cookie: the chapters "Distributed Erlang" and "Embedded Systems", and erl(1) for .erlang.cookie."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import open_file
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._node.listening import listening, listening_as

# In the home directory of the node's user. The emulator reads it, so that the cookie is in no command line.
COOKIE_FILE = ".erlang.cookie"

# The options of a module that address a node, documented in the fragment erlang.otp._node.
ADDRESS_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "node": {"type": "str"},
    "cookie": {"type": "str", "no_log": True},
    "cookie_file": {"type": "path"},
    "pipe_dir": {"type": "path"},
    "host": {"type": "str"},
    "port": {"type": "int"},
    "epmd_port": {"type": "int"},
}


class NodeAddress(t.NamedTuple):
    """How to reach a node: by distribution when it has a name, else through the pipes of run_erl."""

    node: str = ""
    cookie: str = ""
    cookie_file: str = ""  # empty: the cookie, or else the file of the user who runs the module
    transport: str = "auto"  # or distribution, pipe
    pipe_dir: str = ""
    force: bool = False  # the pipes, even if a terminal is attached
    host: str = ""
    port: int = 0
    epmd_port: int = 0
    root: str = ""  # the root directory of its system, if that is on this host

    def resolved(self) -> NodeAddress:
        """With the transport that auto selects: distribution for a node with a name, else the pipes."""
        return self._replace(transport="distribution" if self.node else "pipe") if self.transport == "auto" else self

    def __repr__(self) -> str:
        """Without the cookie: what is printed may be logged."""
        return f"NodeAddress({self.node or self.pipe_dir!r})"


def address_of(parameters: dict[str, t.Any], *more: str) -> NodeAddress:
    """The address in a module's parameters: ADDRESS_ARGUMENTS, and those named in ``more``."""
    return NodeAddress(**{name: parameters[name] for name in (*ADDRESS_ARGUMENTS, *more) if parameters[name]})


def connect(address: NodeAddress, *, timeout: float = 5.0):
    """A Connection or a Console: a context manager with call(module, function, arguments, timeout=seconds). Raises CallError, OtpError."""
    if remote_host():
        return remote_host().connect(address, timeout=timeout)
    if address.resolved().transport == "pipe":
        from ansible_collections.erlang.otp.plugins.module_utils._node.run_erl_console import Console

        if not address.pipe_dir:
            raise OtpError(f"There is no way to the node: set {named('node')}, or {named('pipe_dir')}.")
        return Console(directory=address.pipe_dir, force=address.force)
    from ansible_collections.erlang.otp.plugins.module_utils._node.distribution import Connection

    if not address.node:
        raise OtpError("The transport distribution needs the name of a node.")
    cookie_file = "" if address.cookie else address.cookie_file or os.path.expanduser("~/.erlang.cookie")
    cookie = address.cookie or read_cookie(cookie_file)
    port = address.port or _port_of(address, cookie_file)
    return Connection(node=address.node, cookie=cookie, host=address.host, port=port, epmd_port=address.epmd_port, timeout=timeout)


def _port_of(address: NodeAddress, cookie_file: str) -> int:
    """The port at which a node of this host listens, if it was started with one that is not EPMD's to know; else 0."""
    if address.root:
        return listening(address.root).port
    if address.host:
        return 0
    with as_owner(cookie_file) if cookie_file else contextlib.nullcontext():
        user = os.stat(cookie_file).st_uid if cookie_file else None
    return listening_as(address.node, user).port


def read_cookie(path: str) -> str:
    """The cookie in the file. As erl does, it refuses a file that others can read. Raises OtpError."""
    try:
        with as_owner(path), open_file(path) as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(4096).decode("latin-1")
    except OSError as error:
        raise OtpError(f"The cookie file {path} cannot be read: {error.strerror}. Name another one, or become the user of the node.") from None
    if mode & 0o077:
        raise OtpError(f"The cookie file {path} can be read by others than its owner, and erl refuses such a file. Run: chmod 400 {path}")
    cookie = text.strip(" \t\r\n")
    if not cookie or not (cookie.isascii() and cookie.isprintable()) or " " in cookie:
        raise OtpError(f"The cookie file {path} does not contain a cookie: one word of printable ASCII characters.")
    return cookie
