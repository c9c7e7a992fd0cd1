# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A system that is verified, and files that are put back.

Rules: each file is put back from a package that has it, whole, with its mode; what no package has stays; nothing is written in check mode, through a link, from
another package than the one that was named, or on a system that another run works on; a release without a package is not known, with the reason.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._drift.verify import Request, verify
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._package.contents import read_manifest
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import Claim, Held, write_mark
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum, release_members, write_package

RUN, APP = "lib/pea-1.0/priv/run.sh", "lib/pea-1.0/ebin/pea.app"
BOTH = "lib/kernel-8.5.3/ebin/kernel.beam"


class Site:
    def __init__(self, directory: Path) -> None:
        self.tree = Tree(f"{directory}/root")
        self.packages, self.manifests = {}, {}
        for version in ("FIRST", "SECOND"):
            members = release_members(version, app_version="1.0" if version == "FIRST" else "2.0")
            package = self.packages[version] = write_package(directory / f"SYSTEM-{version}.tar.gz", {**members, "etc/banner": version.encode()})
            state = "permanent" if version == "FIRST" else "present"
            install_release(root=self.tree.root, package=package, changes=Changes(), state=state, flush=False)
            self.manifests[version] = {"package": package, "sha256": checksum(package)[len("sha256:") :], "files": read_manifest(package)}

    def path(self, path: str) -> Path:
        return Path(self.tree.path(path))

    def verify(self, changes: Changes | None = None, **options: t.Any) -> dict[str, t.Any]:
        return verify(self.tree, Request(self.manifests, None, **options), changes or Changes())

    def repair(self, version: str, **options: t.Any) -> list[str]:
        """Returns the actions."""
        changes = Changes()
        self.verify(changes, repair=True, restore=version, package=self.packages[version], **options)
        return [action[len(f"put back {self.tree.directory}/") :] for action in changes.actions]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_nothing_to_do(site: Site) -> None:
    result = site.verify(repair=True)
    assert result["drift"] == result["to_restore"] == [] and site.repair("FIRST") == []
    found = {release["version"]: (release["is_permanent"], release["is_known"]) for release in result["releases"]}
    assert found == {"FIRST": (True, True), "SECOND": (False, True)}


def test_files_are_put_back_from_the_packages_that_have_them(site: Site) -> None:
    damaged = [RUN, BOTH, "releases/SECOND/extra/etc/banner", "releases/FIRST/start_clean.boot", "bin/epmd"]
    good = {path: site.path(path).read_bytes() for path in damaged}
    site.path(RUN).unlink()
    site.path(RUN).parent.rmdir()
    for path in damaged[1:]:
        site.path(path).write_bytes(b"bad")
    site.path("lib/pea-1.0/new").write_bytes(b"")
    before = site.verify(Changes(check_mode=True), repair=True)
    assert before["to_restore"] == ["FIRST", "SECOND"] or before["to_restore"] == ["SECOND", "FIRST"]
    done = [path for version in before["to_restore"] for path in site.repair(version)]
    assert sorted(done) == sorted(damaged)
    assert {path: site.path(path).read_bytes() for path in damaged} == good and site.path(RUN).stat().st_mode & 0o777 == 0o755
    assert [finding["path"] for finding in site.verify(repair=True)["drift"]] == ["lib/pea-1.0/new"]


def test_modes_are_put_back(site: Site) -> None:
    site.path(APP).chmod(0o666)
    assert site.repair("FIRST") == [APP] and site.path(APP).stat().st_mode & 0o777 == 0o644


def test_check_mode_only_says_so(site: Site) -> None:
    site.path(APP).unlink()
    changes = Changes(check_mode=True)
    assert site.verify(changes, repair=True, restore="FIRST", package=site.packages["FIRST"])["to_restore"] == ["FIRST"]
    assert changes.actions == [f"put back {site.path(APP)}"] and not site.path(APP).exists()


def test_nothing_is_written_through_a_link(site: Site, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    for path in site.path("lib/pea-1.0/ebin").iterdir():
        path.unlink()
    site.path("lib/pea-1.0/ebin").rmdir()
    site.path("lib/pea-1.0/ebin").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OtpError, match="lib/pea-1.0/ebin is not a directory, and the package has .* find out who has put it there, remove it, and run again"):
        site.repair("FIRST")
    assert [*(tmp_path / "elsewhere").iterdir()] == []
    # The way out.
    site.path("lib/pea-1.0/ebin").unlink()
    site.repair("FIRST")
    assert site.verify()["drift"] == []


def test_a_directory_in_the_place_of_a_file_is_not_removed(site: Site) -> None:
    site.path(APP).unlink()
    site.path(APP).mkdir()
    with pytest.raises(OtpError, match="is a directory, and in the package it is not"):
        site.repair("FIRST")
    # The way out.
    site.path(APP).rmdir()
    assert site.repair("FIRST") == [APP]


def test_another_package_is_refused(site: Site) -> None:
    site.path(APP).unlink()
    site.packages["FIRST"] = site.packages["SECOND"]
    with pytest.raises(OtpError, match="it is damaged, or another package"):
        site.repair("FIRST")
    assert not site.path(APP).exists()


def test_a_system_of_another_run_is_only_read(site: Site) -> None:
    site.path(APP).unlink()
    write_mark(site.tree, Claim("anna@laptop", "1-2-3"), "restarting the node", 60)
    assert [finding["kind"] for finding in site.verify()["drift"]] == ["missing"]
    with pytest.raises(Held, match="anna@laptop has been restarting the node"):
        site.repair("FIRST")
    assert site.repair("FIRST", claim=Claim("otto@laptop", "4-5-6", take_over="anna@laptop")) == [APP]


def test_a_release_without_a_package(site: Site) -> None:
    site.manifests["FIRST"] = {"reason": "the package is not signed"}
    del site.manifests["SECOND"]
    found = {release["version"]: (release["is_known"], release["reason"]) for release in site.verify()["releases"]}
    assert found == {"FIRST": (False, "the package is not signed"), "SECOND": (False, "the controller has no package of it")}


def test_where_nothing_is_installed(tmp_path: Path) -> None:
    with pytest.raises(OtpError, match="lists no release, so there is nothing to verify: deploy the system, or give the root directory of one"):
        verify(Tree(f"{tmp_path}/none"), Request({}, None), Changes())
