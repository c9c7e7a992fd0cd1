# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A disk that keeps what was on it when its power was cut: an ext4 image, and copies of it made while it is in use.

A copy has what the file system had written by then, and nothing that waited in memory. The file system is told to be as lazy as it
may: no help for files that are renamed before they are flushed (``noauto_da_alloc``), and no writing on a timer.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import typing as t
from pathlib import Path

import pytest
from waiting import wait_until

SIZE = 96 << 20
OPTIONS = "loop,noauto_da_alloc,commit=600"
# Each changes a name, or has something flushed.
CALLS = ("rename", "replace", "link", "symlink", "rmdir", "fsync")


class Disk:
    """An image in the directory, mounted below it."""

    def __init__(self, directory: Path) -> None:
        if os.geteuid() != 0:
            pytest.fail("this test mounts disks of its own: run it as root")
        self.directory = directory
        self.image = directory / "disk"
        self.path = directory / "mounted"
        self.path.mkdir()
        self.cuts: list[Path] = []
        # A cut flushes as well.
        self.is_cutting = False
        with self.image.open("wb") as file:
            file.truncate(SIZE)
        subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image], check=True)
        self.mount(self.image)

    def __enter__(self) -> Disk:
        return self

    def __exit__(self, *_error) -> None:
        self.unmount()

    def mount(self, image: Path) -> None:
        subprocess.run(["mount", "-o", OPTIONS, image, self.path], check=True)

    def unmount(self) -> None:
        """As soon as all that ran from there has ended."""
        wait_until(lambda: subprocess.run(["umount", self.path], capture_output=True, check=False).returncode == 0, f"{self.path} is no longer in use")

    def cut(self) -> None:
        """What is on the disk when the power is cut now, just after somebody else's flush: that brings all names to the disk, and no content."""
        with (self.path / "somebody-else").open("wb") as file:
            file.write(os.urandom(8))
            os.fsync(file.fileno())
        copy = self.directory / f"cut-{len(self.cuts)}"
        subprocess.run(["cp", "--sparse=always", self.image, copy], check=True)
        self.cuts.append(copy)

    @contextlib.contextmanager
    def cut_after_each_call(self, *more: tuple[object, str]) -> t.Iterator[None]:
        """Have the power cut before, and after each call of ours that changes a name or flushes, and after each of more."""
        self.cuts = []
        os.sync()
        self.cut()
        with pytest.MonkeyPatch.context() as patch:
            for owner, name in [*((os, call) for call in CALLS), *more]:
                patch.setattr(owner, name, self._then_cut(getattr(owner, name)))
            yield

    def _then_cut(self, call: t.Callable) -> t.Callable:
        def called(*arguments, **keywords):
            try:
                return call(*arguments, **keywords)
            finally:
                if not self.is_cutting:
                    self.is_cutting = True
                    self.cut()
                    self.is_cutting = False

        return called

    def after_each_cut(self, *, but: str = "log") -> t.Iterator[int]:
        """Mount each copy in turn where the disk was, unless the files on it, but for those in directories of that name, are as they were in one before."""
        self.unmount()
        seen = set()
        for number, copy in enumerate(self.cuts):
            self.mount(copy)
            files = self._files(but)
            if files not in seen:
                seen.add(files)
                yield number
            self.unmount()
            copy.unlink()
        self.mount(self.image)

    def _files(self, but: str) -> frozenset[tuple[Path, bytes]]:
        found = [path for path in self.path.rglob("*") if but not in path.parts]
        return frozenset((path, path.read_bytes() if path.is_file() and not path.is_symlink() else b"") for path in found)
