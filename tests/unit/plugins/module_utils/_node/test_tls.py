# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a node that speaks TLS. Rules: those for a client are taken; nothing is tried that the node would refuse."""

from __future__ import annotations

import os
import pwd
import ssl
import tempfile
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._node.tls import TlsFiles, context_of, files_of
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
    monkeypatch.setattr(name, lambda address: Distribution(protocol="inet_tls"))


def test_the_pipes_where_no_file_is_for_us(of_tls):
    assert NodeAddress("n@h", cookie="c", pipe_dir="/p").resolved().transport == "pipe"
    assert NodeAddress("n@h", cookie="c", pipe_dir="/p", transport="distribution").resolved().transport == "distribution"
    with pytest.raises(OtpError, match=r"over TLS \(-proto_dist inet_tls\).*set otp_dist_tls"):
        connect(NodeAddress("n@h", cookie="c"))
