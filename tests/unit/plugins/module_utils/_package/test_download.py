# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package from a web server.

Rules: its sha256 must be the expected one; whatever the server does is one error; a URL has no user name, and no message has a password or a query. A download
has a largest size, a minimal rate and a deadline; one that is truncated is called so. A redirection leads to http or https, and to nothing less safe.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import signal
import threading

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._package.download import _Watch, download, is_url, redirected

CONTENT = bytes(range(256)) * 3000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Nothing."""


@pytest.fixture
def server(tmp_path):
    (tmp_path / "package.tar.gz").write_bytes(CONTENT)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_comes_from_a_server():
    assert is_url("http://packages/exchange.tar.gz") and is_url("https://packages/exchange.tar.gz")
    assert not is_url("packages/exchange.tar.gz") and not is_url("/http://") and not is_url(None)


def test_a_package_is_fetched(server):
    with download(f"{server}/package.tar.gz", DIGEST) as file:
        assert file.read() == CONTENT


def test_another_package_is_refused(server):
    with pytest.raises(OtpError, match=rf"{server}/package.tar.gz: its sha256 is {DIGEST}, and 0000"):
        download(f"{server}/package.tar.gz", 64 * "0")


def test_what_is_not_there(server):
    with pytest.raises(OtpError, match="cannot get the package from .*404"):
        download(f"{server}/another.tar.gz", DIGEST)


def test_no_server(server):
    with pytest.raises(OtpError, match="cannot get the package from http://127.0.0.1:1/package.tar.gz: "):
        download("http://127.0.0.1:1/package.tar.gz", DIGEST)


def test_a_password_is_in_no_message():
    with pytest.raises(OtpError) as error:
        download("https://user:secret@packages/exchange.tar.gz", DIGEST)
    assert "give one without" in str(error.value) and "secret" not in str(error.value)


def test_a_larger_one_is_refused(server, monkeypatch):
    with pytest.raises(OtpError, match=f"it has {len(CONTENT)} bytes or more, and 1000 are allowed"):
        download(f"{server}/package.tar.gz", DIGEST, max_size=1000)
    # One that does not say how large it is.
    monkeypatch.setattr(Quiet, "send_header", without("Content-Length"))
    with pytest.raises(OtpError, match="bytes or more, and 1000 are allowed"):
        download(f"{server}/package.tar.gz", DIGEST, max_size=1000)


def without(header):
    """A send_header() that leaves this header out."""
    send = http.server.SimpleHTTPRequestHandler.send_header
    return lambda handler, name, value: None if name == header else send(handler, name, value)


def test_a_truncated_one_is_called_so(server, monkeypatch):
    send = http.server.SimpleHTTPRequestHandler.send_header
    monkeypatch.setattr(Quiet, "send_header", lambda handler, name, value: send(handler, name, "900000" if name == "Content-Length" else value))
    with pytest.raises(OtpError, match=f"it is truncated: {len(CONTENT)} of 900000 bytes came"):
        download(f"{server}/package.tar.gz", DIGEST, options={"retries": 0})


@pytest.mark.parametrize(("received", "checks", "message"), [(999 * 30, 1, "it is too slow: 29970 bytes"), (None, 2, "it was not complete after 60 s")])
def test_a_rate_and_a_deadline(received, checks, message):
    with _Watch(30, 60) as watch, pytest.raises(OtpError, match=message):
        for number in range(checks):
            watch.received = received or (number + 1) * 30_000
            signal.raise_signal(signal.SIGALRM)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_query_is_in_no_message(server):
    with pytest.raises(OtpError) as error:
        download(f"{server}/another.tar.gz?token=secret", DIGEST)
    assert f"{server}/another.tar.gz: " in str(error.value) and "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("http://a/b/c", "d", "http://a/b/d"),
        ("http://a/b/c", "https://e/f", "https://e/f"),
        ("https://a/b", "//e/f", "https://e/f"),
        ("http://a/b", "http://e:81/f?g", "http://e:81/f?g"),
    ],
)
def test_where_a_redirection_leads(url, location, target):
    assert redirected(url, location) == target


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://a/b", "http://a/b"),
        ("http://a/b", "file:///etc/passwd"),
        ("http://a/b", "ftp://a/b"),
        ("http://a/b", "FILE:///etc/passwd"),
        ("http://a/b", "data:,x"),
        ("http://a/b", "http://user:secret@c/d"),
    ],
)
def test_a_redirection_that_is_not_followed(url, location):
    with pytest.raises(OtpError, match="which is not followed") as error:
        redirected(url, location)
    assert "secret" not in str(error.value)
