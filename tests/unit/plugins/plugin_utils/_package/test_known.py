# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which package of the controller a release must be the same as.

Rules: by name and version of what is in the package; a thin one, one of another name and a damaged one do not count, and the reason says so; what may not
go to the host is not known; what a host calls its release leads nowhere.
"""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._package.contents import read_manifest
from ansible_collections.erlang.otp.plugins.plugin_utils._package import known as _known
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import checksum_of
from ansible_collections.erlang.otp.plugins.plugin_utils._package.known import find_package, what_is_known
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    (tmp_path / "packages").mkdir()
    write_package(tmp_path / "packages/SYSTEM-FIRST.tar.gz", release_members())
    return tmp_path / "packages"


def test_in_a_directory_or_by_its_path(packages: Path, tmp_path: Path) -> None:
    path = str(packages / "SYSTEM-FIRST.tar.gz")
    other = shutil.copy(path, tmp_path / "otp.tar.gz")
    assert find_package([str(packages)], "SYSTEM", "FIRST") == path
    assert find_package([str(tmp_path / "none"), other], "SYSTEM", "FIRST") == other


def test_what_is_in_the_package_counts(packages: Path) -> None:
    shutil.copy(packages / "SYSTEM-FIRST.tar.gz", packages / "SYSTEM-SECOND.tar.gz")
    assert find_package([str(packages)], "SYSTEM", "SECOND") is None


@pytest.mark.parametrize("version", ["../SYSTEM-FIRST", "", ".", "a/b", "FIRST\n"])
def test_a_name_of_a_host_leads_nowhere(packages: Path, version: str) -> None:
    assert find_package([str(packages)], "SYSTEM", version) is None


def test_a_thin_package_does_not_count(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_known, "release_of", lambda dummy_path: {"name": "SYSTEM", "version": "FIRST", "base": {"sha256": "0"}})
    assert find_package([str(packages)], "SYSTEM", "FIRST") is None


def test_what_is_known(packages: Path, tmp_path: Path) -> None:
    path = str(packages / "SYSTEM-FIRST.tar.gz")
    for _again in range(2):
        found = what_is_known([str(packages)], "SYSTEM", "FIRST", lambda package: f"sha256:{checksum_of(package)}", str(tmp_path))
        assert (found["package"], found["sha256"]) == (path, checksum_of(path))
        assert {name: tuple(entry) for name, entry in found["files"].items()} == read_manifest(path)


def test_a_package_that_is_exchanged_while_it_is_read(packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packages / "SYSTEM-FIRST.tar.gz"
    read = _known.manifest_in_run

    def exchanging(package: str, directory: str) -> dict[str, t.Any]:
        write_package(path, {**release_members(), "lib/pea-1.0/priv/evil": b"evil"})
        return read(package, directory)

    monkeypatch.setattr(_known, "manifest_in_run", exchanging)
    reason = what_is_known([str(packages)], "SYSTEM", "FIRST", checksum_of, str(tmp_path))["reason"]
    assert reason == f"{path} was exchanged while it was read. Find out what has done it, and run again."


def test_why_it_is_not_known(packages: Path, tmp_path: Path) -> None:
    def refused(dummy_package: str) -> str:
        raise OtpError("package X is not signed")

    places = [str(packages)]
    assert what_is_known(places, "SYSTEM", "FIRST", refused, str(tmp_path)) == {"reason": "package X is not signed"}
    reason = what_is_known(places, "SYSTEM", "SECOND", refused, str(tmp_path))["reason"]
    assert reason == f"there is no full package of SYSTEM SECOND in {packages}. Copy the one that was installed there."
    (packages / "SYSTEM-SECOND.tar.gz").write_bytes(b"damaged")
    assert "SYSTEM-SECOND.tar.gz" in what_is_known(places, "SYSTEM", "SECOND", refused, str(tmp_path))["reason"]
