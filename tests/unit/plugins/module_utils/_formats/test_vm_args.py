# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: -setcookie goes with all of its values, however they are quoted, and nothing else goes. tests/real/test_hostile_secrets.py starts a node."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._formats.vm_args import without_cookie


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ""),
        ("# -setcookie x\n+K true # -setcookie x\n-name a@b\n", "# -setcookie x\n+K true # -setcookie x\n-name a@b\n"),
        ("-env X '-setcookie y'\n-setcookies z", "-env X '-setcookie y'\n-setcookies z"),
        ("+K true\n-setcookie x\n-name a@b\n", "+K true\n-name a@b\n"),
        ("-setcookie x", ""),
        ("-setcookie\n  x\n+P 1\n", "+P 1\n"),
        ("-setcookie a@b x\n+P 1 -setcookie y -heart\n", "+P 1 -heart\n"),
        ('-setcookie \'x y\' "z\\" -u" +P 1\n', "+P 1\n"),
        ("'-setcookie' x\n\"-set\"cookie y\n\\-setcookie z\n-heart", "-heart"),
        ("-setcookie # a comment\nx # another\n+P 1", "+P 1"),
        ("-setcookie x # a comment\n", " # a comment\n"),
        ("-name é@b -setcookie ü\n", "-name é@b \n"),
    ],
)
def test_without_cookie(content, expected):
    assert without_cookie(content.encode()).decode() == expected
