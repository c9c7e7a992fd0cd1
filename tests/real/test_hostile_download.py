# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server that misbehaves, on this machine: the download ends with one clear error, and nothing is installed; and what get_url has works.

Each case of the table is a path of the server; what the server did is asserted as well.
"""

from __future__ import annotations

import base64
import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import threading
import time
import typing as t
from pathlib import Path

import pytest
from test_deploy_http import HOSTS, Site

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum, release_members, write_package

PASSWORD = "not in the output 4711"
LOGIN = "Basic " + base64.b64encode(f"deploy:{PASSWORD}".encode()).decode()
LIMIT = 1 << 20
FILLING = os.urandom(1 << 16)


class Server(http.server.ThreadingHTTPServer):
    """Answers in the way that the path names. sent: bytes of content, by path; asked: paths and headers."""

    daemon_threads = True

    def __init__(self, package: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = package.read_bytes()
        self.sent: dict[str, int] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.other = ""
        self.scheme = "http"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/{path}"

    def handle_error(self, *dummy: t.Any) -> None:
        """A client that has had enough is what these tests expect."""

    def paths(self) -> list[str]:
        return [path for path, _headers in self.asked]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *dummy: t.Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        path = self.path.rpartition("/")[2]
        self.server.asked.append((self.path, dict(self.headers)))
        getattr(self, f"do_{path}")()

    def write(self, content: bytes) -> None:
        self.wfile.write(content)
        path = self.path.rpartition("/")[2]
        self.server.sent[path] = self.server.sent.get(path, 0) + len(content)

    def answer(self, status: int, **headers: t.Any) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def do_good(self) -> None:
        self.answer(200, Content_Length=len(self.server.content))
        self.write(self.server.content)

    def do_endless(self) -> None:
        self.answer(200)
        while True:
            self.write(bytes(1 << 16))

    def do_large(self) -> None:
        self.answer(200, Content_Length=3 << 30)
        while True:
            self.write(bytes(1 << 16))

    def do_slow(self) -> None:
        self.answer(200, Content_Length=len(self.server.content))
        for byte in self.server.content:
            self.write(bytes([byte]))
            time.sleep(0.1)

    def do_slow_header(self) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Name: value\r\n" * 1000:
            self.write(bytes([byte]))
            time.sleep(0.1)

    def do_silent(self) -> None:
        time.sleep(60)

    def do_short(self) -> None:
        self.answer(200, Content_Length=len(self.server.content))
        self.write(self.server.content[:1000])

    def do_short_chunk(self) -> None:
        self.protocol_version = "HTTP/1.1"
        self.answer(200, Transfer_Encoding="chunked")
        self.write(b"3e8\r\n" + self.server.content[:500])
        self.close_connection = True

    def do_wrong_length(self) -> None:
        self.answer(200, Content_Length=1000)
        self.write(self.server.content)

    def do_negative_length(self) -> None:
        self.answer(200, Content_Length=-1)
        self.write(self.server.content[:1000])

    def do_busy_once(self) -> None:
        if self.server.paths().count("/busy_once") == 1:
            self.answer(503)
        else:
            self.do_good()

    def do_to_file(self) -> None:
        self.answer(302, Location="file:///etc/passwd")

    def do_to_ftp(self) -> None:
        self.answer(302, Location="ftp://127.0.0.1/package.tar.gz")

    def do_to_http(self) -> None:
        self.answer(301, Location=f"http://127.0.0.1:{self.server.server_port}/good")

    def do_to_itself(self) -> None:
        self.answer(307, Location="to_itself")

    def do_to_good(self) -> None:
        self.answer(303, Location="/good")

    def do_to_other(self) -> None:
        self.answer(302, Location=self.server.other)

    def do_login(self) -> None:
        if self.headers.get("Authorization") == LOGIN:
            self.do_good()
        else:
            self.answer(401, WWW_Authenticate='Basic realm="packages"', Content_Length=0)

    def do_token(self) -> None:
        if self.headers.get("X-Token") == PASSWORD:
            self.do_good()
        else:
            self.answer(403)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return Path(write_package(tmp_path / "package.tar.gz", {**release_members(), "lib/pea-1.0/priv/filling": FILLING}))


@pytest.fixture
def server(package: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(package) as server:
        yield server
        server.shutdown()


@pytest.fixture
def secure(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Server]:
    """One with a certificate that no authority of the host has signed."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    name = ["-subj", "/CN=packages", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *name, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    with Server(package) as server:
        server.scheme = "https"
        server.socket = context.wrap_socket(server.socket, server_side=True)
        yield server
        server.shutdown()


def install(server: Server, path: str, tmp_path: Path, **options: t.Any) -> dict[str, t.Any]:
    digest = checksum(str(tmp_path / "package.tar.gz"))
    options = {"timeout": 5, "retries": 0, **options}
    return install_release(
        root=str(tmp_path / "root"), package=server.url(path), checksum=digest, url_options=options, max_size=LIMIT, changes=Changes(), flush=False
    )


REFUSED = {
    "endless": r"it has \d+ bytes or more, and 1048576 are allowed",
    "large": "it has 3221225472 bytes or more, and 1048576 are allowed",
    "slow": r"it is too slow: \d+ bytes came in 5 s",
    "slow_header": "it is too slow: 0 bytes came in 5 s",
    "silent": "it is too slow: 0 bytes came in 5 s|timed out",
    "short": r"it is truncated: 1000 of \d+ bytes came",
    "short_chunk": r"it is truncated: the connection ended after \d+ bytes",
    "wrong_length": "its sha256 is .* it is damaged, or another package",
    "negative_length": "its sha256 is .* it is damaged, or another package",
    "to_file": "it redirects to file://, which is not followed",
    "to_ftp": "it redirects to ftp://, which is not followed",
    "to_itself": "it redirects more than 10 times",
    "login": "HTTP Error 401",
    "token": "HTTP Error 403",
}


@pytest.mark.parametrize("path", REFUSED)
def test_a_server_that_misbehaves(server: Server, path: str, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(OtpError, match=REFUSED[path]) as error:
        install(server, path, tmp_path)
    assert server.paths()[0] == f"/{path}" and server.url(path) in str(error.value)
    assert not (tmp_path / "root").exists()
    # Sockets have buffers; a busy machine has its time.
    assert server.sent.get(path, 0) < LIMIT + (32 << 20) and time.monotonic() - began < 60


def test_a_download_has_a_deadline(server: Server, tmp_path: Path) -> None:
    with pytest.raises(OtpError, match=r"it was not complete after 1 s \(deadline in url_options\)|it is too slow"):
        install(server, "slow", tmp_path, deadline=1, timeout=30)


def test_what_may_pass_is_tried_again(server: Server, tmp_path: Path) -> None:
    with pytest.raises(OtpError, match="HTTP Error 503"):
        install(server, "busy_once", tmp_path)
    server.asked.clear()
    assert install(server, "busy_once", tmp_path, retries=1)["status"] == "permanent"
    assert server.paths() == ["/busy_once", "/busy_once"]


def test_what_does_not_pass_is_not_tried_again(server: Server, tmp_path: Path) -> None:
    for path in ("token", "wrong_length", "to_file", "large"):
        with pytest.raises(OtpError):
            install(server, path, tmp_path, retries=5)
    assert len(server.asked) == 4


def test_a_redirection_on_the_server(server: Server, tmp_path: Path) -> None:
    assert install(server, "to_good", tmp_path)["status"] == "permanent"
    assert server.paths() == ["/to_good", "/good"]


def test_credentials_go_to_the_server_of_the_url_only(server: Server, package: Path, tmp_path: Path) -> None:
    with Server(package) as other:
        server.other = other.url("good")
        options = {"url_username": "deploy", "url_password": PASSWORD, "force_basic_auth": True, "headers": {"X-Token": PASSWORD}}
        assert install(server, "to_other", tmp_path, **options)["status"] == "permanent"
        ((_path, first),), ((_path, second),) = server.asked, other.asked
        other.shutdown()
    assert first["Authorization"] == LOGIN and PASSWORD in first.values()
    assert "Authorization" not in second and PASSWORD not in second.values()


def test_credentials_and_headers(server: Server, tmp_path: Path) -> None:
    assert install(server, "login", tmp_path, url_username="deploy", url_password=PASSWORD)["status"] == "permanent"
    assert server.paths() == ["/login", "/login"]
    shutil.rmtree(tmp_path / "root")
    assert install(server, "token", tmp_path, headers={"X-Token": PASSWORD})["status"] == "permanent"


def test_a_proxy_of_the_environment(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", server.url(""))
    root, digest = str(tmp_path / "root"), checksum(str(tmp_path / "package.tar.gz"))
    call: dict[str, t.Any] = {"root": root, "package": "http://packages.invalid/good", "checksum": digest, "changes": Changes(), "flush": False}
    with pytest.raises(OtpError, match="cannot get the package from http://packages.invalid/good"):
        install_release(**call, url_options={"use_proxy": False, "retries": 0})
    assert install_release(**call)["status"] == "permanent" and server.paths() == ["http://packages.invalid/good"]


def test_a_certificate_that_does_not_verify(secure: Server, tmp_path: Path) -> None:
    with pytest.raises(OtpError, match="the certificate of the server does not verify .*self.signed certificate.* ca_path in url_options"):
        install(secure, "good", tmp_path, retries=3)
    assert not secure.asked
    with pytest.raises(OtpError, match="it redirects to http://, which is not followed"):
        install(secure, "to_http", tmp_path, ca_path=str(tmp_path / "certificate.pem"))
    assert not (tmp_path / "root").exists()
    assert install(secure, "good", tmp_path, ca_path=str(tmp_path / "certificate.pem"))["status"] == "permanent"
    shutil.rmtree(tmp_path / "root")
    assert install(secure, "good", tmp_path, validate_certs=False)["status"] == "permanent"


def test_a_certificate_of_the_host(secure: Server, tmp_path: Path) -> None:
    """The server has no answer for others."""
    certificate = str(tmp_path / "certificate.pem")
    context = t.cast("ssl.SSLSocket", secure.socket).context
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    with pytest.raises(OtpError, match="cannot get the package from https://.* Nothing has been installed"):
        install(secure, "good", tmp_path, ca_path=certificate)
    assert not secure.asked and not (tmp_path / "root").exists()
    own = {"client_cert": certificate, "client_key": str(tmp_path / "key.pem")}
    assert install(secure, "good", tmp_path, ca_path=certificate, **own)["status"] == "permanent"


def test_hosts_fetch_with_credentials_that_show_nowhere(server: Server, tmp_path: Path) -> None:
    """By the playbook, through standard input and as files; a run that changes nothing asks the server for nothing."""
    (tmp_path / "site").mkdir()
    site = Site(tmp_path / "site")
    options = {"url_username": "deploy", "url_password": PASSWORD, "headers": {"X-Token": PASSWORD}}
    variables = {"otp_package": server.url("login"), "otp_package_checksum": checksum(str(tmp_path / "package.tar.gz")), "otp_package_url_options": options}
    said, changed = site.deploy("-vvv", **variables)
    assert changed == dict.fromkeys(HOSTS, 1) and server.paths() == ["/login"] * 4
    # What was given with -e is shown as it was given.
    assert PASSWORD not in re.sub(re.escape(json.dumps(variables)), "", said)
    server.asked.clear()
    assert site.deploy(**variables)[1] == dict.fromkeys(HOSTS, 0) and not server.asked
