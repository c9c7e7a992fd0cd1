# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A builder has a .rel file, or a name, a version and applications; what is said of them has the names of the variables, not of the module's options."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.checks import problems

EMPTY = {"otp_rel": "", "otp_release_name": "", "otp_release_version": "", "otp_release_applications": []}
LISTED = {"otp_release_name": "exchange", "otp_release_version": "FIRST", "otp_release_applications": ["sasl"]}


@pytest.mark.parametrize("given", [{"otp_rel": "exchange.rel"}, LISTED])
def test_nothing_to_say(given: dict) -> None:
    assert problems({**EMPTY, **given}, target=False) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "otp_release_applications is not set: "),
        ({"otp_release_name": "exchange", "otp_release_version": "FIRST"}, "otp_release_applications is not set: "),
        ({**LISTED, "otp_rel": "exchange.rel"}, "otp_rel and otp_release_name, otp_release_version, otp_release_applications are set: "),
        ({**LISTED, "otp_release_version": ""}, "otp_release_applications is set, and otp_release_version not: "),
    ],
)
def test_problems(given: dict, said: str) -> None:
    (found,) = problems({**EMPTY, **given}, target=False)
    assert found.startswith(said)
