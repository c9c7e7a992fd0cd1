# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables in templates."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.substitute import Replacement, substitute, substitute_percent


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"%EMU%", b"beam"),
        (b'ROOTDIR="%FINAL_ROOTDIR%"\n', b'ROOTDIR="/opt/%EMU%"\n'),
        (b"%EMU%%EMU%", b"beambeam"),
        (b"%UNKNOWN% %EMU%", b"%UNKNOWN% beam"),
        # The closing % of an unknown one is used up.
        (b"%UNKNOWN%EMU%", b"%UNKNOWN%EMU%"),
        (b"%1%EMU%", b"%1beam"),
        (b"%%EMU%", b"%beam"),
        (b"a%", b"a%"),
        (b"%EMU", b"%EMU"),
        (b"\xff%EMU%\xff", b"\xffbeam\xff"),
        (b"100%a b %EMU% c", b"100%a b beam c"),
        (b"%emu%", b"%emu%"),
        (b"", b""),
    ],
)
def test_percent(content, expected):
    assert substitute_percent(content, {"EMU": "beam", "FINAL_ROOTDIR": "/opt/%EMU%"}) == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("${A}", "1"),
        ("a${A}b${A}", "a1b1"),
        ("${A:-x}", "1"),
        ("${NONE:-x y}", "x y"),
        ("${NONE:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-x}", "x"),
        ("${NESTED}", "${A}"),
        ("$A {A} $${A}", "$A {A} $1"),
        # Erlang's character {, and what is not a name.
        ("[${, $}]. ${1} ${}", "[${, $}]. ${1} ${}"),
        ("%A% %NONE%", "1 %NONE%"),
        ("${NONE:-a\nb}", "a\nb"),
    ],
)
def test_braces(text, expected):
    assert substitute(text, {"A": "1", "EMPTY": "", "NESTED": "${A}"}, filename="f")[0] == expected


@pytest.mark.parametrize(
    "text, message",
    [
        ("a\n${B}", r"^f: no value is given for B \(line 2\). Add it to the variables, or give a default in the file as \$\{VAR:-default\}$"),
        ("${B}\n${C}\n${B}", r"^f: no value is given for B \(line 1, 3\) and C \(line 2\)\."),
        ("\n${A:?message}", r"^f, line 2: what begins with \$\{A is neither"),
        ("${A-x}", "neither"),
        ("${A", "neither"),
        ("${B:-${A}}", "nor another variable$"),
    ],
)
def test_braces_that_are_errors(text, message):
    with pytest.raises(OtpError, match=message):
        substitute(text, {"A": "secret value"}, filename="f")


def test_both_in_one_pass_with_their_places():
    text = "${A}\n%B% %NONE%\n${C:-d}"
    assert substitute(text, {"A": "%B%", "B": "x\ny"}, filename="f") == (
        "%B%\nx\ny %NONE%\nd",
        [Replacement("A", 1, 1, 1), Replacement("B", 2, 2, 3), Replacement("C", 3, 4, 4)],
    )
