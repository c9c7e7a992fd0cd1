# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of a package is found out once, as long as it is the same package."""

from __future__ import annotations

import hashlib
import os

import pytest
from ansible import constants as C

from ansible_collections.erlang.otp.plugins.module_utils._core import checksum as _digest
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import digest_of, release_of
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package


@pytest.fixture(autouse=True)
def of_run(tmp_path, monkeypatch):
    """The directory of a run."""
    directory = tmp_path / "run"
    directory.mkdir()
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(directory))
    return directory


def test_a_package_is_read_once_and_again_when_it_is_another(tmp_path, of_run, monkeypatch):
    read = []
    real = _digest.sha256
    monkeypatch.setattr(_digest, "sha256", lambda path: read.append(path) or real(path))
    package = tmp_path / "package.tar.gz"
    package.write_bytes(b"first")
    first = f"sha256:{hashlib.sha256(b'first').hexdigest()}"
    assert [digest_of(str(package)), digest_of(str(package))] == [first, first] and len(read) == 1
    package.write_bytes(b"other")
    os.utime(package, ns=(1, 1))
    assert digest_of(str(package)) == f"sha256:{hashlib.sha256(b'other').hexdigest()}" and len(read) == 2
    assert len(list(of_run.iterdir())) == 2


def test_the_release_of_a_package(tmp_path):
    package = write_package(tmp_path / "package.tar.gz", release_members("SECOND", app_version="2.0"))
    told = release_of(package)
    assert told == release_of(package) and (told["name"], told["version"], told["base"]) == ("SYSTEM", "SECOND", None)


def test_what_is_no_package_is_said_each_time(tmp_path, of_run):
    (tmp_path / "package.tar.gz").write_bytes(b"no gzip")
    for dummy in range(2):
        with pytest.raises(OtpError, match="package.tar.gz"):
            release_of(str(tmp_path / "package.tar.gz"))
    assert not list(of_run.iterdir())
