# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter package_problems: a package of a version that the controller has with other content is named, with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.filter.package_problems import package_problems
from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._package.contents import read_digests
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package


def test_the_package_on_the_controller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(path: str) -> dict:
        return {"name": "SYSTEM", "version": "FIRST", "sha256": sha256(path), "digests": read_digests(path)}

    first = write_package(tmp_path / "first", release_members("FIRST"))
    other = write_package(tmp_path / "other", {**release_members("FIRST"), "lib/pea-1.0/ebin/pea.app": b"other"})
    monkeypatch.setenv("HOME", str(tmp_path))
    assert package_problems(build(first), first) == package_problems(build(first), str(tmp_path / "none")) == []
    (problem,) = package_problems(build(other), "~/first")
    assert "application pea 1.0." in problem and "If no host has the earlier one, remove that file." in problem and str(tmp_path / "first") in problem
