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
from ansible_collections.erlang.otp.plugins.module_utils._formats.distribution_flags import Distribution
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import NoTls, Unreachable
from ansible_collections.erlang.otp.plugins.module_utils._node.listening import listening, listening_as

if t.TYPE_CHECKING:
    from ansible_collections.erlang.otp.plugins.module_utils._node.tls import TlsFiles

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
# The argument spec of a call, and of what it must return.
CHECK: dict[str, dict[str, t.Any]] = {
    "module": {"type": "str", "required": True},
    "function": {"type": "str", "required": True},
    "arguments": {"type": "list", "elements": "raw", "default": []},
    "expect": {"type": "raw"},
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
        """With the transport that auto selects: distribution for a node with a name, else the pipes; these too for TLS with files that are not for us."""
        if self.transport != "auto":
            return self
        has_way = bool(self.node) and not (self.pipe_dir and (found := found_as(self)).is_tls and tls_of(found) is None)
        return self._replace(transport="distribution" if has_way else "pipe")

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
    if address.transport == "pipe" or address.transport == "auto" and not address.node:
        return _console(address)
    from ansible_collections.erlang.otp.plugins.module_utils._node.distribution import Connection

    if not address.node:
        raise OtpError("The transport distribution needs the name of a node.")
    found = found_as(address)
    tls = tls_of(found) if found.is_tls else None
    has_pipes = address.transport == "auto" and bool(address.pipe_dir)
    if found.is_tls and tls is None and has_pipes:
        return _console(address)
    cookie = address.cookie or read_cookie(cookie_file_of(address))
    if found.is_tls and tls is None:
        raise OtpError(
            f"The node {address.node} is distributed over TLS (-proto_dist {found.protocol}), and there is no certificate to call it with: set otp_dist_tls,"
            f" or {named('pipe_dir')}."
        )
    if not found.is_ready:
        raise Unreachable(f"The node {address.node} has not booted.")
    port = address.port or found.port
    try:
        return Connection(node=address.node, cookie=cookie, host=address.host, port=port, epmd_port=address.epmd_port, tls=tls, timeout=timeout)
    except NoTls:
        # Such as a certificate that has expired: without the pipes no other one could be given to the node.
        if not has_pipes:
            raise
        return _console(address)


def _console(address: NodeAddress):
    from ansible_collections.erlang.otp.plugins.module_utils._node.run_erl_console import Console

    if not address.pipe_dir:
        raise OtpError(f"There is no way to the node: set {named('node')}, or {named('pipe_dir')}.")
    return Console(directory=address.pipe_dir, force=address.force)


def cookie_file_of(address: NodeAddress) -> str:
    """The file that has the cookie; empty if the address itself has it."""
    return "" if address.cookie else address.cookie_file or os.path.expanduser("~/.erlang.cookie")


def found_as(address: NodeAddress) -> Distribution:
    """How the node is distributed, as far as that is known: it runs on this host, or the address does not say where it runs."""
    if remote_host() or address.host and not address.root:
        return Distribution()
    if address.root:
        return listening(address.root)
    file, user = cookie_file_of(address), None
    if file:
        # If there is none, the connection says so.
        with contextlib.suppress(OSError), as_owner(file):
            user = os.stat(file).st_uid
    return listening_as(address.node, user, address.epmd_port)


def tls_of(found: Distribution) -> TlsFiles | None:
    """The files of a node that speaks TLS, if it has them for us as well."""
    # Lazy, for start-up time.
    from ansible_collections.erlang.otp.plugins.module_utils._node.tls import files_of

    return files_of(found.tls_options, found.user) if found.tls_options and found.user is not None else None


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
