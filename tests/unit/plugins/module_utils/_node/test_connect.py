# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The address of a node, and its cookie.

Rules: the text of an address does not show the cookie; erl's rules for the rights and the content of a cookie file; no cookie in an
error; auto stands for distribution with a name, else for the pipes.
"""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import Unreachable
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect, read_cookie
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.fed_pipes import make_fed_pipe


def test_cookie(tmp_path):
    path = tmp_path / "cookie"
    path.write_text("ABC\n")
    path.chmod(0o400)
    assert read_cookie(str(path)) == "ABC"


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        ("SECRET", 0o440, "chmod 400"),
        ("SECRET", 0o604, "chmod 400"),
        ("", 0o400, "does not contain a cookie"),
        ("SECRET SECRET", 0o400, "does not contain a cookie"),
        ("SÉCRET", 0o400, "does not contain a cookie"),
    ],
)
def test_cookies_that_erl_refuses(tmp_path, content, mode, words):
    path = tmp_path / "cookie"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(OtpError, match=words) as raised:
        read_cookie(str(path))
    assert "SECRET" not in str(raised.value)


def test_cookie_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(OtpError, match=f"{tmp_path}/.erlang.cookie cannot be read: No such file"):
        connect(NodeAddress(node="n"))


@pytest.mark.parametrize("address", [NodeAddress(), NodeAddress(transport="distribution", pipe_dir="/"), NodeAddress(transport="pipe", node="n")])
def test_addresses_that_name_no_node(address):
    with pytest.raises(OtpError):
        connect(address)


def test_no_way_to_the_node():
    with pytest.raises(OtpError, match=r"There is no way to the node: set otp_node_name \(option node\), or otp_pipe_dir"):
        connect(NodeAddress())
    # That way is gone, as far as there is a node.
    with pytest.raises(Unreachable):
        connect(NodeAddress(node="nobody@localhost", cookie="c", epmd_port=1))


def test_the_text_of_an_address_does_not_show_the_cookie():
    address = NodeAddress(node="n@h", cookie="SECRET", cookie_file="/c")
    assert "n@h" in repr(address) and not any("SECRET" in text for text in (repr(address), str(address), f"{address}", repr((address,))))


def test_what_auto_stands_for():
    assert NodeAddress(node="n", pipe_dir="/p").resolved().transport == "distribution"
    assert NodeAddress(pipe_dir="/p").resolved().transport == "pipe"
    assert NodeAddress(node="n", pipe_dir="/p", transport="pipe").resolved().transport == "pipe"


@pytest.mark.usefixtures("in_time")
def test_a_pipe_in_the_place_of_the_cookie_is_not_waited_for(tmp_path):
    make_fed_pipe(tmp_path / "cookie")
    with pytest.raises(OtpError, match="cookie is not a regular file"):
        read_cookie(str(tmp_path / "cookie"))
