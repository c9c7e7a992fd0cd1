# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Role release where there are several builders, as a fleet has that goes to another Erlang/OTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from waiting import LIMIT

TOOLS = Path(sys.executable).parent


@pytest.fixture
def build(tmp_path: Path) -> t.Callable[..., subprocess.CompletedProcess]:
    hosts = {name: {"ansible_connection": "local", "otp_build_dir": str(tmp_path / name)} for name in ("old", "new")}

    def run(**variables: t.Any) -> subprocess.CompletedProcess:
        hosts["new"].update(variables)
        (tmp_path / "inventory.json").write_text(json.dumps({"otp_builders": {"hosts": hosts}}))
        (tmp_path / "build.yml").write_text("[{hosts: otp_builders, gather_facts: false, roles: [{role: erlang.otp.release}]}]")
        given = {
            "otp_release_name": "bare",
            "otp_release_version": "FIRST",
            "otp_release_applications": ["sasl"],
            "otp_packages_dir": str(tmp_path / "packages"),
        }
        return subprocess.run(
            [TOOLS / "ansible-playbook", "-i", tmp_path / "inventory.json", "-e", json.dumps(given), tmp_path / "build.yml"],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{TOOLS}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    return run


def test_builders_that_build_the_same_package_are_as_good_as_one(build: t.Callable[..., subprocess.CompletedProcess], tmp_path: Path) -> None:
    done = build()
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in (tmp_path / "packages").iterdir()] == ["bare-FIRST.tar.gz"]


def test_builders_that_differ_are_refused_and_no_package_is_brought(build: t.Callable[..., subprocess.CompletedProcess], tmp_path: Path) -> None:
    refused = build(otp_strip=True)
    assert refused.returncode != 0
    assert "bare FIRST is not the same from all builders (old, new): select one of them with -e otp_builders=HOST" in refused.stdout, refused.stdout
    assert not (tmp_path / "packages").exists()
