# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a node that speaks TLS. Rules: those for a client are taken; nothing is tried that the node would refuse."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._node.tls import TlsFiles, context_of, files_of

SERVER = '{certfile,"/s.pem"},{keyfile,"/s.key"}'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            f'[{{server,[{SERVER}]}},{{client,[{{certfile,"/c.pem"}},{{keyfile,"/c.key"}},{{cacertfile,"/ca"}},{{password,<<"p">>}}]}}].',
            ("/c.pem", "/c.key", "/ca", "p"),
        ),
        ('[{client,[{certfile,"/c.pem"},secure_renegotiate]}].', ("/c.pem", "/c.pem", "", "")),
        (f"[{{server,[{SERVER}]}},{{client,[{{verify,verify_none}}]}}].", ("", "", "", "")),
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
