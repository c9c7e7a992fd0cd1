# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a certificate, its key and a CA fit together, found as two nodes would find it: by a TLS handshake, in memory. No file has the key for that."""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import typing as t


def misfit(certificate: str, key: str, ca: str, host: str = "") -> str:
    """What is wrong with these texts (PEM), in words; empty for what two nodes can connect with. The certificate may have its chain behind it.

    Each of two nodes with these files checks the certificate of the other one, if ca is not empty; and that it is for the host, if there is one.
    """
    if not hasattr(os, "memfd_create"):
        # A controller without Linux. The host finds out.
        return ""
    texts = certificate.encode("utf-8"), key.encode("utf-8")
    try:
        server, client = (context_of(protocol, *texts) for protocol in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT))
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return "the key is not that of the certificate"
        return f"the certificate or the key is not PEM, or the key has a password ({error.reason or 'unreadable'})"
    except ValueError:
        return "the key has a password"
    except OSError:
        # Nothing can be in memory there. The node finds out.
        return ""
    for context in (server, client) if ca else ():
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(cadata=blocks_of(ca))
        except (ssl.SSLError, ValueError) as error:
            return f"the CA is not PEM ({getattr(error, 'reason', '') or 'unreadable'})"
    try:
        return handshake(server, client, host if ca else "")
    except (ValueError, TypeError):
        return f"no certificate can be for the host {host!r:.80}"


def blocks_of(text: str) -> str:
    """The certificates in a text of PEM. What is between them may be in any language."""
    found = re.findall(r"-----BEGIN ([A-Z0-9 ]*CERTIFICATE)-----([A-Za-z0-9+/=\s]*)-----END \1-----", text, re.ASCII)
    return "".join(f"-----BEGIN {name}-----{block}-----END {name}-----\n" for name, block in found)


def context_of(protocol: t.Any, certificate: bytes, key: bytes) -> ssl.SSLContext:
    """A context with the certificate and the key. Raises ssl.SSLError, ValueError for a key with a password, OSError."""
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    load(context, certificate, key, no_password)
    return context


def load(context: ssl.SSLContext, certificate: bytes, key: bytes, password: t.Callable[[], str]) -> None:
    """Load the certificate and the key. OpenSSL reads them from files, so these are in memory. Raises ssl.SSLError, OSError, and what password does."""
    with contextlib.ExitStack() as files:
        paths = []
        for text in (certificate, key):
            file = files.enter_context(open(os.memfd_create("tls"), "wb", buffering=0))
            file.write(text)
            paths.append(f"/proc/self/fd/{file.fileno()}")
        # Otherwise OpenSSL asks for a password at the terminal.
        context.load_cert_chain(paths[0], paths[1], password=password)


def no_password() -> str:
    raise ValueError


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> str:
    """The reason why the two do not connect; empty if they do."""
    client.check_hostname = bool(host)
    ends = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [client.wrap_bio(ends[0], ends[1], server_hostname=host or None), server.wrap_bio(ends[1], ends[0], server_side=True)]
    whose = ("the server's", "the client's")
    done = [False, False]
    for dummy in range(8):
        for number, side in enumerate(sides):
            try:
                side.do_handshake()
                done[number] = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError as error:
                return f"the certificate is not accepted as {whose[number]} ({error.verify_message})"
            except ssl.SSLError as error:
                return f"two nodes with them do not connect ({error.reason or 'no reason is known'})"
    return "" if all(done) else "two nodes with them do not connect"
