# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a node that speaks TLS. Rules: those for a client are taken; nothing is tried that the node would refuse."""

from __future__ import annotations

import os
import pwd
import select
import socket
import ssl
import tempfile
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node import connect as _connect
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import NoTls
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._node.distribution import Connection
from ansible_collections.erlang.otp.plugins.module_utils._node.run_erl_console import Console
from ansible_collections.erlang.otp.plugins.module_utils._node.tls import TlsFiles, TlsSocket, context_of, files_of
from ansible_collections.erlang.otp.tests.real.authority import Authority

SERVER = '{certfile,"/s.pem"},{keyfile,"/s.key"}'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            f'[{{server,[{SERVER}]}},{{client,[{{certfile,"/c.pem"}},{{keyfile,"/c.key"}},{{cacertfile,"/ca"}},{{password,<<"p">>}}]}}].',
            ("/c.pem", "/c.key", "/ca", "p"),
        ),
        ('[{client,[{certfile,"/c.pem"},secure_renegotiate]}].', ("/c.pem", "/c.pem", "", "")),
        (f"[{{server,[{SERVER}]}},{{client,[{{verify,verify_none}}]}}].", ("", "", "", "", False)),
        (f"[{{server,[{SERVER}]}}].", ("", "", "", "")),
        (f"[{{server,[{SERVER},{{fail_if_no_peer_cert,true}}]}}].", None),
        ("[{client,[{certfile,7}]}].", None),
        ("[{client,[", None),
        ("a. b.", None),
        ("", None),
    ],
)
def test_files(tmp_path, text, found):
    (tmp_path / "ssl_dist.conf").write_text(text)
    assert files_of(str(tmp_path / "ssl_dist.conf")) == (found and TlsFiles(*found))


def test_a_file_that_is_not_there(tmp_path):
    assert files_of(str(tmp_path / "none")) is None
    with pytest.raises(OtpError, match="none cannot be used for TLS"):
        context_of(TlsFiles("", "", str(tmp_path / "none")))
    with pytest.raises(OtpError, match="relative cannot be used for TLS"):
        context_of(TlsFiles("", "", "relative"))


@pytest.fixture
def files(tmp_path):
    """Of a certificate, its key and its CA."""
    return write_files(tmp_path)


def write_files(directory):
    for name, text in Authority().issue("localhost").items():
        (directory / name).write_text(text)
    return TlsFiles(*(str(directory / name) for name in ("certificate", "key", "ca")))


def test_what_checks_the_node(files):
    assert context_of(files).verify_mode == ssl.CERT_REQUIRED
    assert context_of(files._replace(checks=False)).verify_mode == context_of(files._replace(ca="")).verify_mode == ssl.CERT_NONE


@pytest.mark.usefixtures("in_time")
@pytest.mark.parametrize("name", ["certificate", "key", "ca"])
def test_a_pipe_is_not_waited_for(files, name, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OtpError, match="pipe cannot be used for TLS: .* is not a regular file"):
        context_of(files._replace(**{name: str(tmp_path / "pipe")}))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can take on the rights of others")
def test_the_key_of_root_is_not_for_a_process_that_names_it(public):
    """Nor for the file that such a process names."""
    nobody = pwd.getpwnam("nobody").pw_uid
    files = write_files(public)
    (public / "key").chmod(0o600)
    context_of(files)
    with pytest.raises(OtpError, match="key cannot be used for TLS: .*Permission denied"):
        context_of(files._replace(user=nobody))
    (public / "ssl_dist.conf").write_text("[].")
    assert files_of(str(public / "ssl_dist.conf"), nobody)
    (public / "ssl_dist.conf").chmod(0o600)
    assert files_of(str(public / "ssl_dist.conf")) and files_of(str(public / "ssl_dist.conf"), nobody) is None


@pytest.fixture
def public():
    """A directory that all may enter."""
    with tempfile.TemporaryDirectory(prefix="otp-tls-") as path:
        os.chmod(path, 0o755)
        yield Path(path)


@pytest.fixture
def of_tls(monkeypatch):
    from ansible_collections.erlang.otp.plugins.module_utils._formats.distribution_flags import Distribution

    name = "ansible_collections.erlang.otp.plugins.module_utils._node.connect.found_as"
    asked = []

    def found_as(address):
        asked.append(address.node)
        return Distribution(protocol="inet_tls")

    monkeypatch.setattr(name, found_as)
    return asked


def test_the_pipes_where_no_file_is_for_us(of_tls):
    assert NodeAddress("n@h", cookie="c", pipe_dir="/p").resolved().transport == "pipe"
    assert NodeAddress("n@h", cookie="c", pipe_dir="/p", transport="distribution").resolved().transport == "distribution"
    with pytest.raises(OtpError, match=r"over TLS \(-proto_dist inet_tls\).*set otp_dist_tls"):
        connect(NodeAddress("n@h", cookie="c"))


def test_the_pipes_where_the_two_sides_do_not_agree(of_tls, monkeypatch):
    """Such as with a certificate that has expired. The node is looked for once."""
    monkeypatch.setattr(_connect, "tls_of", lambda found: TlsFiles("", "", "/ca"))
    monkeypatch.setattr(Connection, "__init__", refuse)
    monkeypatch.setattr(Console, "__init__", lambda self, directory, force: None)
    assert isinstance(connect(NodeAddress("n@h", cookie="c", pipe_dir="/p")), Console) and of_tls == ["n@h"]
    for address in (NodeAddress("n@h", cookie="c"), NodeAddress("n@h", cookie="c", pipe_dir="/p", transport="distribution")):
        with pytest.raises(NoTls):
            connect(address)


def refuse(self, **options):
    raise NoTls("expired")


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_node_that_refuses_our_certificate(files, hours, tmp_path):
    """Since TLS 1.3, it does so when we believe that the handshake is done. It is not asked again. What ends without a word is no refusal."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    server.verify_mode = ssl.CERT_REQUIRED
    for name, text in Authority().issue("localhost", hours=hours).items():
        (tmp_path / f"other-{name}").write_text(text)
    ours = files._replace(certificate=str(tmp_path / "other-certificate"), key=str(tmp_path / "other-key"))
    server.load_verify_locations(files.ca)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        count = threading.Thread(target=serve, args=(listener, server, asked := []))
        count.start()
        with pytest.raises(NoTls, match="does not agree on TLS .*(UNKNOWN_CA|unknown ca)"):
            Connection(node="n@localhost", cookie="c", port=listener.getsockname()[1], tls=ours, timeout=60)
        count.join(60)
        listener.settimeout(0.1)
        with pytest.raises(OSError, match="timed out"):
            listener.accept()
        assert asked == ["refused"]


def serve(listener, server, asked):
    connection, _address = listener.accept()
    connection.settimeout(60)
    with connection.dup() as kept:
        try:
            server.wrap_socket(connection, server_side=True)
        except ssl.SSLError:
            asked.append("refused")
            # Until it is read: data that comes after the end would discard it.
            while kept.recv(1 << 16):
                pass


class Wanting:
    """TLS that wants something each time, and a connection that waits for it."""

    def __init__(self, error):
        self.error, self.asked = error, 0
        self.ours, self.theirs = socket.socketpair()
        self.secured = TlsSocket.__new__(TlsSocket)
        self.secured._tls = self
        self.connection = Connection.__new__(Connection)
        self.connection._socket = self.secured
        self.connection._readable, self.connection._writable = select.poll(), select.poll()
        self.connection._readable.register(self.ours, select.POLLIN)
        self.connection._writable.register(self.ours, select.POLLOUT)
        self.connection._protocol = self

    def to_send(self):
        return b""

    def send(self, data):
        self.asked += 1
        raise self.error

    recv = send


def test_what_it_waits_for_before_it_can_send():
    """The socket has room all the time."""
    wanting = Wanting(ssl.SSLWantReadError())
    with wanting.ours, wanting.theirs, pytest.raises(socket.timeout):
        wanting.connection._send(b"x", time.monotonic() + 0.2)
    assert wanting.asked == 1


def test_what_it_waits_for_before_it_can_receive():
    wanting = Wanting(ssl.SSLWantWriteError())
    with wanting.ours, wanting.theirs, pytest.raises(socket.timeout):
        wanting.theirs.send(b"x")
        wanting.ours.setblocking(False)
        while select.select([], [wanting.ours], [], 0)[1]:
            wanting.ours.send(bytes(1 << 16))
        wanting.connection._exchange(time.monotonic() + 0.2)
    assert wanting.asked == 1
