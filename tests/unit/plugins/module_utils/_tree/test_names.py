# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions.

Rules: a version is one that a system can boot from start_erl.data, which separates by white space and is written in Latin-1; a number is not a version.
"""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import check_bootable, number_problem


@pytest.mark.parametrize("version", ["1.0", "FIRST", "1.0.0-rc.1+build.5", "2026-11-28", "~1", "a" * 255, "1:0", "...", "$x", "0"])
def test_a_system_can_boot_it(version: str) -> None:
    check_bootable(version)


@pytest.mark.parametrize(
    "version", ["", ".", "..", "1 0", "1.0 ", "1\t0", "1\n", "1\u00a00", "1é", "1€", "1/0", "../x", "'1'", '"1"', "`1`", "1\\0", "1\0", "1\x7f", "a" * 256]
)
def test_no_system_can_boot_it(version: str) -> None:
    with pytest.raises(OtpError, match="is not a version that a system can boot. Give 1 to 255 ASCII characters without white space"):
        check_bootable(version)


def test_a_temporary_release_is_not_one_to_make() -> None:
    with pytest.raises(OtpError, match="not a version"):
        check_bootable("__new_emulator__1.0")


@pytest.mark.parametrize("version", [1.1, 2, 0, True])
def test_a_number_is_not_a_version(version: object) -> None:
    problem = number_problem("otp_release_version", version)
    assert problem and problem.startswith(f"otp_release_version is {version}, and not a text") and "in quotes, as in '1.10'" in problem


@pytest.mark.parametrize("version", ["1.10", "", None])
def test_a_text_or_nothing_is_not_a_number(version: object) -> None:
    assert number_problem("otp_release_version", version) is None
