# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a flag goes with all of its values, however they are quoted, and nothing else goes; the first name counts.

tests/real/test_hostile_secrets.py starts a node.
"""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._formats.vm_args import find_name, without_cookie, without_flags


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


@pytest.mark.parametrize(
    ("content", "expected", "left_out"),
    [
        ("+K true\n", "+K true\n", []),
        ("-sname tele\n\n+K true\n-heart\n", "+K true\n\n", ["-sname tele", "-heart"]),
        ("-name 'a@b' -sname x +P 1", "+P 1", ["-name a@b", "-sname x"]),
        ("-names x\n# -sname y\n", "-names x\n# -sname y\n", []),
    ],
)
def test_without_flags(content, expected, left_out):
    assert without_flags(content.encode(), ["-name", "-sname", "-heart"]) == (expected.encode(), left_out)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", None),
        ("# -sname x\n-setcookie y\n", None),
        ("+K true\n-sname tele\n-name other@host\n", ("-sname", "tele")),
        ("-name 'a@b.example' # comment", ("-name", "a@b.example")),
        ("-sname", None),
    ],
)
def test_find_name(content, expected):
    assert find_name(content.encode()) == expected
