# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import Base, format_base
from ansible_collections.erlang.otp.plugins.plugin_utils._transport.packages import _smallest
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum, write_package

BASE = Base("SYSTEM", "FIRST", "a" * 64, "b" * 64, {}, [])
FULL = f"sha256:{BASE.full}"


@pytest.mark.parametrize(
    ("base", "known", "wanted", "is_thin"),
    [
        (format_base(BASE), [BASE.sha256], FULL, True),
        (format_base(BASE), ["c" * 64], FULL, False),
        (format_base(BASE), [], FULL, False),
        # Of another build.
        (format_base(BASE), [BASE.sha256], "sha256:" + "d" * 64, False),
        (b"damaged", [BASE.sha256], FULL, False),
        (None, [BASE.sha256], FULL, False),
    ],
)
def test_which_package_is_sent(tmp_path: Path, base: bytes | None, known: list[str], wanted: str, is_thin: bool) -> None:
    full, thin = str(tmp_path / "x-SECOND.tar.gz"), tmp_path / "x-SECOND-thin.tar.gz"
    if base is not None:
        write_package(thin, {"releases/SECOND/base.json": base})
    expected = (str(thin), {"checksum": checksum(str(thin))}) if is_thin else (full, {"checksum": wanted})
    assert _smallest(full, {"checksum": wanted}, {"known_packages": known}) == expected
