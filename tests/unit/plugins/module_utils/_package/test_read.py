# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a release package says about itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._package.read import read_package, read_upgrade_paths
from ansible_collections.erlang.otp.plugins.module_utils._tree.made_from import format_made_from
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package

RELUP = b'{"SECOND", [{"FIRST", [], [point_of_no_return]}, {"ZEROTH", [], [restart_emulator]}], [{"FIRST", [], []}]}.\n'


def test_the_releases_that_it_leads_from(tmp_path: Path) -> None:
    package = write_package(tmp_path / "p.tar.gz", {"releases/SECOND/relup": RELUP, **release_members("SECOND")})
    release, ways, made_from = read_upgrade_paths(package)
    assert release == read_package(package) and release.version == "SECOND"
    assert ways == {"FIRST": "none", "ZEROTH": "restart_emulator"} and made_from == {}


def test_from_which_packages_its_relup_was_made(tmp_path: Path) -> None:
    made_from = {"FIRST": {"sha256": "a" * 64, "applications": {"pea": "1.0"}, "libraries": {"lib/pea-1.0": "b" * 64}}}
    members = {"releases/SECOND/relup": RELUP, "releases/SECOND/relup.json": format_made_from(made_from), **release_members("SECOND")}
    assert read_upgrade_paths(write_package(tmp_path / "p.tar.gz", members))[2] == made_from


def test_a_relup_at_the_end_of_the_package(tmp_path: Path) -> None:
    package = write_package(tmp_path / "p.tar.gz", {**release_members("SECOND"), "lib/x": b"", "releases/SECOND/relup": RELUP})
    assert set(read_upgrade_paths(package)[1]) == {"FIRST", "ZEROTH"}


def test_a_package_without_a_relup_leads_from_none(tmp_path: Path) -> None:
    assert read_upgrade_paths(write_package(tmp_path / "p.tar.gz", release_members()))[1] == {}


def test_a_relup_that_cannot_be_read_is_named_with_its_package(tmp_path: Path) -> None:
    package = write_package(tmp_path / "p.tar.gz", {"releases/FIRST/relup": b"{", **release_members()})
    with pytest.raises(OtpError, match=r"p\.tar\.gz: releases/FIRST/relup"):
        read_upgrade_paths(package)


def test_texts_that_are_kept_are_few_and_small(tmp_path):
    many = {f"releases/{number}.rel": b"" for number in range(201)}
    with pytest.raises(OtpError, match="is one too many: of files of its kind, at most 200"):
        read_package(write_package(tmp_path / "p.tar.gz", many))
    large = {f"releases/{number}.rel": bytes(4 << 20) for number in range(5)}
    with pytest.raises(OtpError, match="is one too many: of files of its kind, at most 200 and 16777216 bytes are read"):
        read_package(write_package(tmp_path / "p.tar.gz", large))
