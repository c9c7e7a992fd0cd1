# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Distribution over TLS: the user's guide of ssl, "Using TLS for Erlang Distribution". We are a client with the files that the node itself has as one."""

from __future__ import annotations

import socket
import ssl
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.certificates import blocks_of, load
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallTimeout, NoTls, OtherWay
from ansible_collections.erlang.otp.plugins.module_utils._node.named_files import read_named
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, as_text, decode, parse


class TlsFiles(t.NamedTuple):
    """What a client presents, and by which it knows the node. Empty: nothing."""

    certificate: str
    key: str
    ca: str
    password: str = ""
    checks: bool = True  # whether the node is checked, by the CA
    user: int | None = None  # whose files they are; None: the operator's


def files_of(path: str, user: int | None = None) -> TlsFiles | None:
    """Those that the file of -ssl_dist_optfile has for a client; None if it cannot be read, or if the node wants a certificate and the file has none.

    user: who runs the node, with whose rights the files are read.
    """
    try:
        (options,) = parse(decode(read_named(path, user), filename=path), filename=path)
        sections = {name: dict(pairs(section)) for name, section in pairs(options)}
        server, client = sections.get("server", {}), sections.get("client", {})
        certificate, key, ca, password = (text_of(client.get(name, "")) for name in ("certfile", "keyfile", "cacertfile", "password"))
    except (OSError, OtpError, ValueError, TypeError):
        return None
    if server.get("fail_if_no_peer_cert") == Atom("true") and not certificate:
        return None
    return TlsFiles(certificate, key or certificate, ca, password, client.get("verify") != Atom("verify_none"), user)


def pairs(options: t.Iterable[t.Any]) -> t.Iterator[tuple[str, t.Any]]:
    for option in options:
        if isinstance(option, tuple) and len(option) == 2 and isinstance(option[0], Atom):
            yield option[0].name, option[1]


def text_of(value: t.Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else as_text(value)


def context_of(files: TlsFiles) -> ssl.SSLContext:
    """That of a client. Names are not compared: the handshake of the distribution shows the name of the node. Raises NoTls."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # As a node without such a file does.
    context.verify_mode = ssl.CERT_REQUIRED if files.ca and files.checks else ssl.CERT_NONE
    path = files.ca
    try:
        if context.verify_mode == ssl.CERT_REQUIRED:
            context.load_verify_locations(cadata=blocks_of(read_named(path, files.user).decode("utf-8", "replace")))
        if files.certificate:
            path = files.certificate
            certificate = read_named(path, files.user)
            path = files.key
            # A function, because OpenSSL asks at the terminal otherwise.
            load(context, certificate, read_named(path, files.user), lambda: files.password)
    except (OSError, OtpError, ValueError) as error:
        raise NoTls(f"{path} cannot be used for TLS: {str(error).rstrip('.')}.") from None
    return context


class TlsSocket:
    """A connected socket with TLS, which does not block: BlockingIOError where a socket raises it, OtherWay. Raises NoTls, CallTimeout."""

    def __init__(self, connection: socket.socket, files: TlsFiles, where: str, *, timeout: float) -> None:
        self._where = where
        connection.settimeout(timeout)
        try:
            self._tls = context_of(files).wrap_socket(connection)
        except socket.timeout:
            raise CallTimeout(f"{where} has not answered in time.") from None
        except OSError as error:
            raise self._refused(error) from None

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._tls, name)

    def send(self, data: t.Any) -> int:
        try:
            return self._tls.send(data)
        except ssl.SSLWantWriteError:
            raise BlockingIOError from None
        except ssl.SSLWantReadError:
            raise OtherWay from None

    def recv(self, size: int) -> bytes:
        try:
            return self._tls.recv(size)
        except ssl.SSLWantReadError:
            raise BlockingIOError from None
        except ssl.SSLWantWriteError:
            raise OtherWay from None
        except ssl.SSLEOFError:
            return b""
        except ssl.SSLError as error:
            # Since TLS 1.3, a node that does not accept our certificate says so here.
            raise self._refused(error) from None

    def _refused(self, error: OSError) -> NoTls:
        reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
        return NoTls(f"{self._where} does not agree on TLS ({reason}): compare the certificates of both sides.")
