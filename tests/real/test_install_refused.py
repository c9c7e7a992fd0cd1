# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File systems that are full, or cannot be written: one clear error, and nothing half installed."""

from __future__ import annotations

import contextlib
import gzip
import subprocess
import typing as t
from pathlib import Path

import pytest
from release_workshop import MINIMAL, Workshop

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> str:
    workshop = Workshop(tmp_path_factory.mktemp("workshop"), find_otp(None))
    return workshop.build(rel=workshop.rel(*MINIMAL), sys_config="[].\n")["package"]


@contextlib.contextmanager
def file_system(directory: Path, options: str) -> t.Iterator[Path]:
    """A small file system of its own."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=755,{options}", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def names(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


def test_disk_full(tmp_path: Path, package: str) -> None:
    with file_system(tmp_path / "small", "size=4m") as small:
        with pytest.raises(OtpError, match=r"cannot install below .*/small/root: No space left on device. Nothing is half installed") as error:
            install_release(root=str(small / "root"), package=package, changes=Changes())
        # Which file did not fit depends on the others, and no check can foresee it.
        with gzip.open(package) as content:
            size = len(content.read()) / 2**20
        assert f"Make room: 4.0 MiB is free, and the whole package needs {size:.1f} MiB." in str(error.value)
        assert names(small) == set()
        # When there is room, the next run is like any other.
        subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
        assert install_release(root=str(small / "root"), package=package, changes=Changes())["status"] == "permanent"


def test_no_room_for_another_release(tmp_path: Path, package: str) -> None:
    """The system that is there stays as it is."""
    with file_system(tmp_path / "small", "size=64m") as small:
        install_release(root=str(small / "root"), package=package, changes=Changes())
        before = names(small)
        releases = (small / "root/releases/RELEASES").read_bytes()
        with open(small / "ballast", "wb") as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(1 << 16))
        again = Workshop(tmp_path, find_otp(None))
        again.application("pea")
        rel = Path(again.rel(*MINIMAL, "pea-1.0"))
        rel.write_text(rel.read_text().replace('"FIRST"', '"SECOND"'))
        second = again.build(rel=str(rel), sys_config="[].\n")["package"]
        with pytest.raises(OtpError, match="No space left on device"):
            install_release(root=str(small / "root"), package=second, changes=Changes())
        assert names(small) - {"ballast"} == before
        assert (small / "root/releases/RELEASES").read_bytes() == releases


def test_read_only(tmp_path: Path, package: str) -> None:
    with file_system(tmp_path / "fixed", "ro") as fixed:
        with pytest.raises(OtpError, match=r"cannot install below .*/fixed/root: .*/fixed/root: Read-only file system"):
            install_release(root=str(fixed / "root"), package=package, changes=Changes())
