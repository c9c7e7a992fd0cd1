# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: options have release_handler's own names; seconds are milliseconds there; what is not given, or is release_handler's own default, is not sent."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._handler.install_options import check_options, install_options
from ansible_collections.erlang.otp.plugins.module_utils._terms.printer import format_term


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ""),
        ({"code_change_timeout": None, "error_action": None, "update_paths": None, "purge": True}, ""),
        ({"code_change_timeout": 7.0}, "{code_change_timeout,7000}"),
        ({"suspend_timeout": 0.0005}, "{suspend_timeout,0}"),
        ({"suspend_timeout": 1.5, "code_change_timeout": 60}, "{code_change_timeout,60000},{suspend_timeout,1500}"),
        ({"error_action": "reboot", "update_paths": True}, "{error_action,reboot},{update_paths,true}"),
        ({"error_action": "restart", "update_paths": False}, ""),
    ],
)
def test_those_of_install_release(given: dict[str, t.Any], expected: str) -> None:
    assert "".join(format_term(install_options(given)).split()) == f"[{expected}]"


@pytest.mark.parametrize(("purge", "expected"), [(None, "[]"), (False, "[]"), (True, "[purge]")])
def test_those_of_check_install_release(purge: bool | None, expected: str) -> None:
    assert format_term(check_options({"purge": purge})) == expected
