# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions and regular expressions in appups. tests/real/test_diagnostics.py has OTP match the same ones."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._formats.appup import Appup

# A regular expression, versions that it matches, and others.
EXPRESSIONS = [
    (r"^4\.1$", ["4.1"], ["4.10", "4x1"]),
    (r"1\.[0-9]+", ["1.0", "1.22"], ["1.0.1", "2.1.0"]),
    (r"^1\.[[:digit:]]+$", ["1.0", "1.99"], ["1.d", "1.:", "1."]),
    (r"2\.[[:digit:]a]+(\.[^[:space:][:alpha:]]+)*", ["2.1a", "2.0.1-3"], ["2.b", "2.0.x"]),
    (r"[[:upper:]][[:lower:]]+[[:^alpha:]][[:xdigit:]]", ["Rel-f", "Rel.0"], ["rel-f", "Relaf", "Rel-g"]),
    (r"[[:alnum:]][[:punct:]][[:word:]]", ["a-_", "A]1"], ["--a", "a a", "0.α"]),
    (r"a[^[:^digit:]]", ["a1"], ["ax", "a٣"]),
    (r"[]a[]+", ["]", "[a"], ["b"]),
    (r"[^]a]b", ["cb"], ["]b", "ab"]),
    (r"\[[[:digit:]]", ["[1"], ["[:", "1", "[d"]),
    (r"[\]x]\d", ["]1", "x2"], ["]٣"]),
    (r"1|1\.1", ["1"], ["1.1", "2"]),
]


@pytest.mark.parametrize(("expression", "others", "no_others"), EXPRESSIONS)
def test_regular_expressions_as_those_of_otp(expression: str, others: list[str], no_others: list[str]) -> None:
    appup = Appup("9", (expression.encode(), "3"), ())
    assert [version for version in (*others, *no_others, "3") if appup.has("up", version)] == [*others, "3"]
    assert not appup.has("down", others[0])


@pytest.mark.parametrize("expression", [r"\h+", "(?|a|b)", "[[:nothing:]]", "[[=a=]]x\\Q"])
def test_what_only_otp_knows_is_left_to_it(expression: str) -> None:
    assert Appup("9", (expression.encode(),), ()).has("up", "1.0")
