# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Relups and appups as data; tests/real has those that systools and the compiler make."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.appup import parse_appup
from ansible_collections.erlang.otp.plugins.module_utils._formats.relup import parse_relup

RELUP = """%% coding: utf-8
{"SECOND",
 [{"FIRST",[],[{load_object_code,{pea,"2.0",[pea]}},point_of_no_return,{load,{pea,brutal_purge,brutal_purge}}]},
  {"ZEROTH","λ",[restart_new_emulator,point_of_no_return,restart_emulator]},
  {"FIRST",[],[]}],
 [{"FIRST",[],[point_of_no_return,restart_emulator]}]}.
"""


def test_relup():
    relup = parse_relup(RELUP.encode(), filename="relup")
    assert (relup.version, [script.version for script in relup.up], [script.version for script in relup.down]) == (
        "SECOND",
        ["FIRST", "ZEROTH", "FIRST"],
        ["FIRST"],
    )
    # As for release_handler, the first one counts.
    up, down = relup.script("up", "FIRST"), relup.script("down", "FIRST")
    assert up is not None and down is not None
    assert (len(up.instructions), up.restarts) == (3, ())
    assert down.restarts == ("restart_emulator",)
    assert relup.up[1].restarts == ("restart_new_emulator", "restart_emulator")
    assert relup.script("down", "ZEROTH") is None
    assert relup.upgrade_from == {"FIRST": "none", "ZEROTH": "both"}


NO_RELUPS = [
    "",
    "[].",
    '{"A",[],[]}. {"A",[],[]}.',
    '{"A",[]}.',
    "{a,[],[]}.",
    '{"A",[{"B",[]}],[]}.',
    '{"A",[{"B",[],x}],[]}.',
    '{"A",7,[]}.',
    '{"A",[{b,[],[]}],[]}.',
]


@pytest.mark.parametrize("text", NO_RELUPS)
def test_what_is_no_relup(text):
    with pytest.raises(OtpError, match="^/r/relup: it is not one term"):
        parse_relup(text.encode(), filename="/r/relup")


def test_appup():
    text = rb"""{"2.0", [{"1.0",[]}, {<<"1\\.[1-9]">>,[]}, {<<"^8\\.5(?:\\.[0-9]+)*$">>,[restart_new_emulator]}], []}."""
    appup = parse_appup(text, filename="pea.appup")
    assert appup.version == "2.0"
    assert [appup.has("up", version) for version in ("1.0", "1.2", "1.20", "8.5", "8.5.1.2", "8.50")] == [True, True, False, True, True, False]
    assert not appup.has("down", "1.0")
    assert (appup.versions("up"), appup.versions("down")) == (r"1.0, 1\.[1-9], ^8\.5(?:\.[0-9]+)*$", "none")


def test_an_expression_that_only_erlang_knows_is_left_to_systools():
    appup = parse_appup(rb"""{"2.0", [{<<"(*UCP)1\\.[0-9]">>,[]}], []}.""", filename="pea.appup")
    assert appup.has("up", "1.0")


NO_APPUPS = ["", '{"2.0", foo, []}.', '{"2.0", []}.', '{"2.0", ["1.0"], []}.', '{"2.0", [{one, []}], []}.', "{two, [], []}."]


@pytest.mark.parametrize("text", NO_APPUPS)
def test_what_is_no_appup(text):
    with pytest.raises(OtpError, match="^/e/pea.appup: it is not one term"):
        parse_appup(text.encode(), filename="/e/pea.appup")
