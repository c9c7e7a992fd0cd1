# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a terminal shows has no control characters, wherever it is in the data: in errors, which are clean in themselves, and in results."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean, cleaned


@pytest.mark.parametrize("character", [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\udc9b"])
def test_control_characters_go(character):
    assert clean(f"a{character}b") == (f"a{character}b" if character in "\n\t" else "ab")


@pytest.mark.parametrize("text", ["", "releases/1.0: ok", "Zürich, 東京, \U0001f600", "two\nlines\tof it", "caf\udce9"])
def test_all_else_stays(text):
    assert clean(text) == text


def test_data_is_clean_in_all_depths():
    dirty = {"\x1b[1m": [("\x9b", {"\r": None})], "number": 1, "is": True}
    assert cleaned(dirty) == {"[1m": [["", {"": None}]], "number": 1, "is": True}


def test_errors_are_clean():
    class Worse(OtpError):
        def __init__(self):
            super().__init__("releases/\x1b]0;owned\x07")

    assert str(OtpError("a\u202eb")) == "ab"
    assert str(Worse()) == "releases/]0;owned"
    assert f"{OtpError('a' + chr(0x9B))}" == "a"


def test_errors_have_an_end():
    assert len(str(OtpError("a" * 1_000_000))) == 10_000
    assert str(OtpError("a" * 10_000)) == "a" * 10_000
