# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host for tests of installations: a root directory, and packages beside it."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._install.remove import remove_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, tree, write_package


class Host:
    """A root directory, packages beside it, and the last run's actions."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.actions: list[str] = []

    def package(self, *arguments: t.Any, without: t.Sequence[str] = (), more: t.Mapping[str, t.Any] | None = None, **keywords: t.Any) -> str:
        members = release_members(*arguments, **keywords)
        members = {name: content for name, content in members.items() if not name.startswith(tuple(without) or ("\0",))}
        members.update(more or {})
        number = len(list(self.directory.glob("*.tar.gz")))
        return write_package(self.directory / f"{number}.tar.gz", members)

    def run(self, package: str | None, *, check: bool = False, **keywords: t.Any) -> dict[str, t.Any]:
        changes = Changes(check_mode=check)
        result = install_release(root=str(self.root), package=package, changes=changes, flush=False, **keywords)
        self.actions = changes.actions
        return result

    def remove(self, version: str, *, check: bool = False, **keywords: t.Any) -> dict[str, t.Any]:
        changes = Changes(check_mode=check)
        result = remove_release(root=str(self.root), version=version, changes=changes, **keywords)
        self.actions = changes.actions
        return result

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def statuses(self) -> dict[str, str]:
        return {entry.version: entry.status for entry in Tree(str(self.root)).releases() or []}

    def refuses(self, package: str | None, message: str, **keywords: t.Any) -> None:
        before = tree(self.root)
        with pytest.raises(OtpError) as error:
            self.run(package, **keywords)
        assert message in str(error.value)
        assert tree(self.root) == before


def second(host: Host, **keywords: t.Any) -> str:
    return host.package("SECOND", app_version="2.0", erts="15.2.7", **keywords)
