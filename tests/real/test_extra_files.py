# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The extra files of packages follow the permanent release of a node that runs, and of one that is down; what was changed on the host is kept beside."""

from __future__ import annotations

import io
import tarfile
import typing as t
from pathlib import Path

import pytest
from handler_site import NEVER, Releases, System, refused

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release

FILES = {
    "FIRST": {"etc/counter.conf": "of FIRST\n", "etc/same": "same\n", "share/old/words": "words\n"},
    "SECOND": {"etc/counter.conf": "of SECOND\n", "etc/same": "same\n", "etc/new": "new\n"},
}


class Packages:
    """Those of the releases, with extra files."""

    def __init__(self, releases: Releases, directory: Path) -> None:
        self.packages = {version: self.make(releases.packages[version], f"{directory}/{version}.tar.gz", files) for version, files in FILES.items()}

    def make(self, package: str, path: str, files: t.Mapping[str, str]) -> str:
        with tarfile.open(package) as old, tarfile.open(path, "w:gz", compresslevel=1, format=tarfile.GNU_FORMAT) as new:
            for member in old:
                new.addfile(member, old.extractfile(member) if member.isfile() else None)
            for name, text in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(text)
                new.addfile(member, io.BytesIO(text.encode()))
        return path


@pytest.fixture(scope="module")
def packages(releases: Releases, tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return Packages(releases, tmp_path_factory.mktemp("packages"))


def extra(system: System) -> dict[str, str]:
    """The files of the root that are no release's own directory's."""
    found = (path for top in ("etc", "share") for path in Path(system.root, top).rglob("*") if path.is_file())
    return {str(path.relative_to(system.root)): path.read_text() for path in found}


def test_they_follow_a_hot_upgrade_when_it_is_committed_and_the_way_back(packages: Packages) -> None:
    with System(packages) as system:
        system.start()
        assert extra(system) == FILES["FIRST"]
        system.take("SECOND", "current")
        assert extra(system) == FILES["FIRST"], "as bin does, they follow the commit"
        Path(system.root, "etc/same").write_text("by hand\n")
        up = system.take("SECOND", "permanent")
        assert extra(system) == {**FILES["SECOND"], "etc/same": "by hand\n"} and up["problems"] == []
        assert any(action.endswith("to release SECOND: etc/counter.conf, etc/new, without share/old/words") for action in up["actions"])
        assert not system.take("SECOND", "permanent")["changed"]
        changed = Path(system.root, "etc/counter.conf")
        changed.write_text("by hand\n")
        down = system.take("FIRST", "permanent", package=False)
        assert extra(system) == {**FILES["FIRST"], "etc/same": "by hand\n", "etc/counter.conf.kept": "by hand\n"}
        (problem,) = down["problems"]
        assert problem["kind"] == "kept_beside" and f"{changed} of the package was changed on this host, and is kept as {changed}.kept" in problem["cause"]
        before = extra(system)
        refused(system, "SECOND", verify=[NEVER], verify_timeout=1.0)
        assert extra(system) == before, "a release that fails its checks was never permanent"


def test_they_follow_a_system_that_is_down(packages: Packages) -> None:
    with System(packages) as system:
        install_release(root=system.root, package=packages.packages["SECOND"], changes=Changes(), flush=False)
        assert extra(system) == FILES["FIRST"]
        told = system.take("SECOND", "permanent", check_mode=True, transport="offline")
        assert extra(system) == FILES["FIRST"]
        done = system.take("SECOND", "permanent", transport="offline")
        assert extra(system) == FILES["SECOND"] and told["actions"] == done["actions"] and done["problems"] == []
        Path(system.root, "etc/counter.conf").write_text("by hand\n")
        down = system.take("FIRST", "permanent", package=False, transport="offline")
        kept = Path(system.root, "etc/counter.conf.kept")
        assert extra(system) == {**FILES["FIRST"], "etc/counter.conf.kept": "by hand\n"}
        assert [(problem["kind"], f"is kept as {kept}" in problem["cause"]) for problem in down["problems"]] == [("kept_beside", True)]
        Path(system.root, "etc/counter.conf").write_text("by hand as well\n")
        installed = install_release(root=system.root, package=packages.packages["SECOND"], changes=Changes(), flush=False, state="permanent")
        assert installed["kept"] == ["etc/counter.conf.kept2"]
        system.take("FIRST", "permanent", package=False, transport="offline")
        for beside in (kept, Path(f"{kept}2")):
            beside.unlink()
        assert extra(system) == FILES["FIRST"]
        system.take("SECOND", "absent", transport="offline")
        assert extra(system) == FILES["FIRST"] and not Path(system.root, "releases/SECOND").exists()
