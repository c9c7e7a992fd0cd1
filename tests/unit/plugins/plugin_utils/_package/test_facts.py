# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: the release and the checksum of a package are read once in a process, as long as it is the same package; its content once in a run."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._package import read
from ansible_collections.erlang.otp.plugins.plugin_utils._package import facts
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import checksum_of, contents_in_run, contents_of, release_of
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package


def test_a_release_is_read_once_and_again_if_the_package_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    real = read.read_upgrade_paths
    monkeypatch.setattr(read, "read_upgrade_paths", lambda path: reads.append(path) or real(path))
    package = write_package(tmp_path / "package.tar.gz", release_members("SECOND", app_version="2.0"))
    release = release_of(package)
    assert (release["name"], release["version"], release["base"]) == ("SYSTEM", "SECOND", None)
    assert release_of(package) == release and len(reads) == 1
    write_package(tmp_path / "package.tar.gz", release_members("THIRD", app_version="3.0"))
    os.utime(package, ns=(1, 1))
    assert release_of(package)["version"] == "THIRD" and len(reads) == 2


def test_a_file_that_is_not_a_package_fails_each_time(tmp_path: Path) -> None:
    (tmp_path / "package.tar.gz").write_bytes(b"no gzip")
    for _time in range(2):
        with pytest.raises(OtpError, match="package.tar.gz"):
            release_of(str(tmp_path / "package.tar.gz"))


def test_a_checksum_is_that_of_the_package_that_is_there(tmp_path: Path) -> None:
    package = tmp_path / "package.tar.gz"
    for content in (b"one", b"two", b"two, longer"):
        package.write_bytes(content)
        os.utime(package, ns=(1, len(content) + content[0]))
        assert checksum_of(str(package)) == checksum_of(str(package)) == hashlib.sha256(content).hexdigest()


def test_the_content_is_read_once_in_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ask at once; then what a killed one has left is in the place."""
    package = write_package(tmp_path / "package.tar.gz", release_members("SECOND", app_version="2.0"))
    expected, reads = contents_of(package), tmp_path / "reads"

    def read_slowly(path: str) -> dict:
        with reads.open("a") as file:
            file.write(path + "\n")
        time.sleep(0.2)
        return expected

    monkeypatch.setattr(facts, "contents_of", read_slowly)
    # A lock of flock() belongs to the opened file, so threads are as good as processes.
    with ThreadPoolExecutor() as executor:
        assert [*executor.map(contents_in_run, [package] * 2, [str(tmp_path)] * 2)] == [expected] * 2
    assert reads.read_text().splitlines() == [package]
    next(tmp_path.glob("*.json")).write_text('{"name": "SYS')
    assert [contents_in_run(package, str(tmp_path)) for _time in range(2)] == [expected] * 2
    assert reads.read_text().splitlines() == [package] * 2
