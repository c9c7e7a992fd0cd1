# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a tree held against packages.

Rules: what is changed, missing, added, of another mode or owner is found, once; what the host makes, and what does not count, is not; several releases share
libraries; links are not followed; a tree full of files has an end.
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._drift import files as _files
from ansible_collections.erlang.otp.plugins.module_utils._drift.files import find_drift, join_manifests
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._package.contents import read_manifest
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import beam, release_members, write_package

CODE = beam(AtU8=b"atoms", Code=b"code", CInf=b"/home/anna")
PEA = "lib/pea-1.0"
WAY = "releases/FIRST/relup"


class Site:
    """FIRST is permanent, SECOND beside it; both have kernel and stdlib."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.manifests = {}
        more = {f"{PEA}/ebin/pod.beam": CODE, "etc/banner": b"hello", f"{PEA}/ebin/pea.appup": b"appup", WAY: b"relup"}
        for version, members in (("FIRST", {**release_members(), **more}), ("SECOND", release_members("SECOND", app_version="2.0"))):
            package = write_package(directory / f"SYSTEM-{version}.tar.gz", members)
            install_release(root=f"{directory}/root", package=package, changes=Changes(), state="permanent" if version == "FIRST" else "present", flush=False)
            self.manifests[version] = read_manifest(package)
        self.tree = Tree(f"{directory}/root")

    def path(self, path: str) -> Path:
        return Path(self.tree.path(path))

    def found(self, **options: t.Any) -> list[tuple[str, str]]:
        return [(finding.kind, finding.path) for finding in find_drift(self.tree, join_manifests(self.tree, self.manifests, "FIRST"), **options)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_tree_as_it_was_installed(site: Site) -> None:
    assert site.found() == []


# What somebody does to a file, the file, and what is found.
CHANGES: dict[str, tuple[t.Callable[[Path], t.Any], str, str]] = {
    "changed": (lambda path: path.write_bytes(b"other"), f"{PEA}/priv/run.sh", "changed"),
    "other code": (lambda path: path.write_bytes(CODE.replace(b"code", b"CODE")), f"{PEA}/ebin/pod.beam", "changed"),
    "shared": (lambda path: path.write_bytes(b"other"), "lib/kernel-8.5.3/ebin/kernel.beam", "changed"),
    "of a release beside it": (lambda path: path.write_bytes(b"other"), "releases/SECOND/start.boot", "changed"),
    "an extra file": (lambda path: path.write_bytes(b"other"), "releases/FIRST/extra/etc/banner", "changed"),
    "made of another file": (lambda path: path.write_bytes(b"other"), "releases/FIRST/start_clean.boot", "changed"),
    "a program": (lambda path: path.write_bytes(b"other"), "bin/run_erl", "changed"),
    "an emulator": (lambda path: path.write_bytes(b"other"), "erts-13.1.5/bin/beam.smp", "changed"),
    "too large to be read": (lambda path: os.truncate(path, 1 << 42), f"{PEA}/priv/run.sh", "changed"),
    "missing": (lambda path: path.unlink(), f"{PEA}/ebin/pea.app", "missing"),
    "a program is missing": (lambda path: path.unlink(), "bin/epmd", "missing"),
    "added": (lambda path: path.write_bytes(b""), f"{PEA}/priv/new", "added"),
    "an added directory": (lambda path: (path.parent.mkdir(parents=True), path.write_bytes(b"")), f"{PEA}/new/deep/file", "added"),
    "an added pipe": (os.mkfifo, f"{PEA}/priv/pipe", "added"),
    "more may write": (lambda path: path.chmod(0o666), f"{PEA}/ebin/pea.app", "mode"),
    "cannot run": (lambda path: path.chmod(0o644), "erts-13.1.5/bin/epmd", "mode"),
    "runs as its owner": (lambda path: path.chmod(0o4755), "erts-13.1.5/bin/epmd", "mode"),
    "a link to the same content": (lambda path: (path.rename(f"{path}.aside"), path.symlink_to(f"{path}.aside")), "releases/FIRST/start.boot", "changed"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_done_is_found(site: Site, name: str) -> None:
    change, path, kind = CHANGES[name]
    change(site.path(path))
    assert (kind, path) in site.found() and len(site.found()) == 1 + ("a link" in name)


# What may be otherwise: by the host, by another build of the same code, by fewer permissions.
ALLOWED: dict[str, tuple[t.Callable[[Path], t.Any], str]] = {
    "configuration": (lambda path: path.write_bytes(b"[{a,[]}].\n"), "releases/FIRST/sys.config"),
    "its arguments": (lambda path: path.write_bytes(b"+S 1\n"), "releases/FIRST/vm.args"),
    "the record": (lambda path: path.write_bytes(b"{}"), "releases/FIRST/package.json"),
    "it came as a thin package": (lambda path: path.write_bytes(b"{}"), "releases/FIRST/base.json"),
    "another relup": (lambda path: path.write_bytes(b"relup"), "releases/SECOND/relup"),
    "a corrected appup": (lambda path: path.write_bytes(b"[]."), f"{PEA}/ebin/pea.appup"),
    "compiled elsewhere": (lambda path: path.write_bytes(CODE.replace(b"anna", b"otto")), f"{PEA}/ebin/pod.beam"),
    "fewer permissions": (lambda path: path.chmod(0o400), f"{PEA}/ebin/pea.app"),
    "a script": (lambda path: path.write_bytes(b"#!/bin/sh\n"), "bin/start"),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_may_differ_is_not_found(site: Site, name: str) -> None:
    change, path = ALLOWED[name]
    change(site.path(path))
    assert site.found() == []


def test_configuration_that_only_the_package_makes(site: Site) -> None:
    def found() -> list[str]:
        return [finding.path for finding in find_drift(site.tree, join_manifests(site.tree, site.manifests, "FIRST", given_config=False))]

    assert found() == []
    site.path("releases/FIRST/sys.config").write_bytes(b"[{kernel,[]}].\n")
    assert found() == ["releases/FIRST/sys.config"]
    site.manifests["FIRST"]["releases/FIRST/sys.config.src"] = ("", 0o644)
    assert "releases/FIRST/sys.config" not in found()


def test_a_directory_that_became_a_link_is_not_entered(site: Site, tmp_path: Path) -> None:
    site.path(PEA).rename(tmp_path / "elsewhere")
    site.path(PEA).symlink_to(tmp_path / "elsewhere")
    assert ("added", PEA) in site.found() and ("missing", f"{PEA}/ebin/pea.app") in site.found()


def test_another_owner(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    status = list(os.lstat(site.path(f"{PEA}/ebin/pea.app")))
    status[4] += 1
    (finding,) = _files._compare(
        site.tree, f"{PEA}/ebin/pea.app", os.stat_result(status), join_manifests(site.tree, site.manifests, None).files[f"{PEA}/ebin/pea.app"], {os.getuid()}
    )
    assert (finding.kind, finding.versions) == ("owner", ("FIRST",))


def test_a_library_of_no_release(site: Site) -> None:
    site.path("lib/evil-1.0").mkdir()
    assert site.found() == [("added", "lib/evil-1.0")]
    # It may be that of a release of which no package is known.
    assert site.found(unknown=["THIRD"]) == []


def test_what_is_ignored(site: Site) -> None:
    site.path(f"{PEA}/priv/log").write_bytes(b"")
    site.path(f"{PEA}/priv/run.sh").write_bytes(b"")
    assert site.found(ignore=["lib/pea-*/priv/l*"]) == [("changed", f"{PEA}/priv/run.sh")]


def test_a_tree_full_of_files_has_an_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "MAX_FINDINGS", 10)
    for number in range(30):
        site.path(f"{PEA}/priv/{number}").write_bytes(b"")
    assert len(site.found()) == 10
