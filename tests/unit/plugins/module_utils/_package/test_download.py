# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package from a web server.

Rules: its sha256 must be the expected one; whatever the server does is one error; a URL has no user name, and no message has a password.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._package.download import download, is_url

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
