# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""otp_notify."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.notify import notify


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({}, []),
        ({"url": "https://chat.example.com/hook/key"}, []),
        ({"url": "http://localhost", "template": __file__}, []),
        ({"url": "ftp://secret"}, ["otp_notify.url must begin with http:// or https:// and a host."]),
        ({"url": "https:///path"}, ["otp_notify.url must begin with http:// or https:// and a host."]),
        (
            {"url": "http://h", "template": "chat.j2"},
            ["otp_notify.template is 'chat.j2': give an absolute path on the controller, such as {{ inventory_dir }}/chat.j2."],
        ),
        ({"url": "http://h", "template": "/nowhere/chat.j2"}, ["otp_notify.template is '/nowhere/chat.j2', which is not a file on the controller."]),
    ],
)
def test_problems(given, problems):
    assert list(notify({"otp_notify": given})) == problems
