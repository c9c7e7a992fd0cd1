# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What code does to files, in order: for tests of rules about the moment between two calls."""

from __future__ import annotations

import os
import stat
import typing as t

import pytest


def mode_of(descriptor: int) -> int:
    return stat.S_IMODE(os.fstat(descriptor).st_mode)


class FileCalls:
    """Calls of os that change names or flush, with the names they are given, by way of the real functions; owners are noted, not changed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[tuple[t.Any, ...]] = []
        self.real = {name: getattr(os, name) for name in ("open", "mkdir", "chmod", "fchmod", "fsync", "rename", "replace", "unlink")}
        for name in (*self.real, "fchown", "chown"):
            monkeypatch.setattr(os, name, getattr(self, name))

    def named(self, *names: str) -> list[tuple[t.Any, ...]]:
        """The calls of these functions."""
        return [call for call in self.done if call[0] in names]

    def open(self, path, flags, mode=0o777, **more):
        descriptor = self.real["open"](path, flags, mode, **more)
        if flags & os.O_CREAT:
            self.done.append(("create", os.path.basename(path), mode_of(descriptor)))
        return descriptor

    def mkdir(self, path, mode=0o777, **more):
        self.real["mkdir"](path, mode, **more)
        self.done.append(("mkdir", os.path.basename(path), stat.S_IMODE(os.stat(path, **more).st_mode)))

    def chmod(self, path, mode, **more):
        self.real["chmod"](path, mode, **more)
        self.done.append(("chmod", os.path.basename(path), mode))

    def fchmod(self, descriptor, mode):
        self.real["fchmod"](descriptor, mode)
        self.done.append(("mode", os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")), mode))

    def fsync(self, descriptor):
        self.real["fsync"](descriptor)
        self.done.append(("flush", os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))))

    def rename(self, old, new, **more):
        self.real["rename"](old, new, **more)
        self.done.append(("rename", os.path.basename(new)))

    def replace(self, old, new, **more):
        self.real["replace"](old, new, **more)
        self.done.append(("rename", os.path.basename(new)))

    def unlink(self, path, **more):
        self.real["unlink"](path, **more)
        self.done.append(("unlink", os.path.basename(path)))

    def fchown(self, descriptor, uid, gid):
        self.done.append(("owner", os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")), (uid, gid)))

    def chown(self, path, uid, gid, *, dir_fd=None, follow_symlinks=True):
        self.done.append(("chown", os.path.basename(path), (uid, gid), follow_symlinks))
