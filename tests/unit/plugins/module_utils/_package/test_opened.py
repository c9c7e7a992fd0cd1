# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package that is opened once.

Rules: checksum and content are those of the file that was opened, whatever has its path later; a checksum leaves the reading where it was; what was
read must have the checksum, unless no other user could write to the file; a path that is not a file is refused, and blocks no process.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
from ansible_collections.erlang.otp.plugins.module_utils._package.opened import OpenPackage
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import tar_bytes

CONTENT = tar_bytes({"lib/pea-1.0/priv/data": os.urandom(1 << 20)})
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """One to which others can write."""
    (tmp_path / "package.tar").write_bytes(CONTENT)
    (tmp_path / "package.tar").chmod(0o666)
    return tmp_path / "package.tar"


def test_another_file_at_the_path_is_not_read(package: Path) -> None:
    with OpenPackage(str(package)) as opened:
        (package.parent / "another").write_bytes(bytes(len(CONTENT)))
        os.replace(package.parent / "another", package)
        opened.verify(DIGEST)
        assert opened.read(1000) == CONTENT[:1000] and opened.sha256() == DIGEST
        assert opened.read() == CONTENT[1000:]
        opened.verify_read(DIGEST)


def test_what_was_read_has_the_checksum(package: Path) -> None:
    with OpenPackage(str(package)) as opened, Inflated(str(package), opened) as stream:
        opened.verify(DIGEST)
        assert CONTENT.startswith(stream.head())
        stream.skip(len(CONTENT))
        stream.finish()
        opened.verify_read(DIGEST)


def test_a_change_after_the_verification_is_found(package: Path) -> None:
    with OpenPackage(str(package)) as opened:
        opened.verify(DIGEST)
        with open(package, "r+b") as another:
            another.seek(4000)
            another.write(b"changed")
        opened.read()
        with pytest.raises(OtpError, match="it changed while it was read: its sha256 was .* Nothing has been installed"):
            opened.verify_read(DIGEST)


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o602, 0o646])
@pytest.mark.parametrize("writer", [False, True])
@pytest.mark.parametrize("owner", [os.geteuid(), 65534])
def test_what_others_could_write_is_summed_up(package: Path, mode: int, writer: bool, owner: int) -> None:
    if owner != os.geteuid() and os.geteuid() != 0:
        pytest.skip("only root gives files away")
    with open(package, "r+b") as file:
        os.chown(package, owner, -1)
        package.chmod(mode)
        if not writer:
            file.close()
        with OpenPackage(str(package)) as opened:
            opened.read()
            opened.verify_read(DIGEST)
            if mode == 0o644 and not writer and owner == os.geteuid():
                opened.verify_read("not compared")
            else:
                with pytest.raises(OtpError, match="it changed while it was read"):
                    opened.verify_read("compared")


def test_a_file_of_this_process_is_not_summed_up(package: Path) -> None:
    with open(package, "r+b") as file:
        for opened in (OpenPackage("name", os.dup(file.fileno())), OpenPackage(f"/proc/{os.getpid()}/fd/{file.fileno()}")):
            with opened:
                assert opened.read() == CONTENT
                opened.verify_read("not compared")
            file.seek(0)


def test_another_checksum_is_refused(package: Path) -> None:
    with OpenPackage(str(package)) as opened, pytest.raises(OtpError, match=f"its sha256 is {DIGEST}, and 0000.* was expected"):
        opened.verify(64 * "0")


@pytest.mark.usefixtures("in_time")
@pytest.mark.parametrize("path", ["pipe", "/dev/null"])
def test_a_path_that_is_no_file_is_refused(tmp_path: Path, path: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OtpError, match=f"package .*{path}: it is not a file"):
        OpenPackage(str(tmp_path / path))


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Is a directory"):
        OpenPackage(str(tmp_path))
