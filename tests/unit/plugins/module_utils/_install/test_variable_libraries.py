# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Libraries below the directory of a variable: unpacked, found again, shared, removed; what is refused, and that nothing is left then."""

from __future__ import annotations

import json
import os
import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._info.target import read_target
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._install.remove import remove_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import (
    Content,
    checksum,
    member,
    release_members,
    tree,
    with_variable,
    write_package,
)


class Hosts:
    """Two root directories and one for libraries that both may use."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.shared = directory / "shared"

    def package(
        self,
        version: str = "FIRST",
        app_version: str = "1.0",
        *,
        more: t.Mapping[str, Content] | None = None,
        included: bool = True,
        path: str = "",
        where: str = "apps/",
    ) -> str:
        """One whose application pea lies below $SECOND_ROOT/apps."""
        members = with_variable(release_members(version, app_version=app_version), path=path, where=where, more=more)
        if not included:
            del members["SECOND_ROOT.tar.gz"]
        return write_package(self.directory / f"{len(list(self.directory.glob('*.tar.gz')))}.tar.gz", members)

    def install(self, package: str | None, *, root: Path | None = None, check: bool = False, **keywords: t.Any) -> list[str]:
        """The run's actions."""
        changes = Changes(check_mode=check)
        variables = keywords.pop("variables", {"SECOND_ROOT": str(self.shared)})
        install_release(root=str(root or self.root), package=package, changes=changes, flush=False, variables=variables, **keywords)
        return changes.actions

    def refuses(self, package: str, message: str, **keywords: t.Any) -> None:
        before = tree(self.directory)
        for check in (True, False):
            with pytest.raises(OtpError) as error:
                self.install(package, check=check, **keywords)
            assert message in str(error.value)
            # An empty directory and who uses it may stay.
            assert {
                path for path in set(tree(self.directory)) - set(before) if Path(path).name not in ("root", "shared", ".lock", ".systems", ".libraries")
            } == set()


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    return Hosts(tmp_path)


def test_libraries_come_into_the_variables_directory(hosts: Hosts) -> None:
    package = hosts.package()
    predicted = hosts.install(package, check=True)
    assert not hosts.root.exists() and not hosts.shared.exists()
    assert len(hosts.install(package)) >= len(predicted) > 0
    assert (hosts.shared / "apps/pea-1.0/ebin/pea.beam").read_bytes() == b"beam of pea-1.0"
    assert sorted(path.name for path in hosts.shared.iterdir()) == [".libraries", ".lock", ".systems", "apps"]
    assert not (hosts.root / "SECOND_ROOT.tar.gz").exists()
    assert not (hosts.root / "lib/pea-1.0").exists()
    ((entry),) = Tree(str(hosts.root)).releases() or []
    assert [library.directory for library in entry.libraries] == ["lib/kernel-8.5.3", "lib/stdlib-4.2", f"{hosts.shared}/apps/pea-1.0"]
    assert read_target(str(hosts.root)).disagreements == ()


@pytest.mark.parametrize("given", [True, False])
def test_second_run_changes_nothing(hosts: Hosts, given: bool) -> None:
    package = hosts.package()
    hosts.install(package)
    before = tree(hosts.directory)
    variables = {"SECOND_ROOT": f"{hosts.shared}/"} if given else {}
    assert hosts.install(None, checksum=checksum(package), variables=variables) == []
    assert tree(hosts.directory) == before


def test_a_missing_library_is_brought_back(hosts: Hosts) -> None:
    package = hosts.package()
    hosts.install(package)
    before = tree(hosts.directory)
    shutil.rmtree(hosts.shared / "apps")
    assert hosts.install(package)
    assert tree(hosts.directory) == before


def test_another_directory(hosts: Hosts) -> None:
    package = hosts.package()
    hosts.install(package)
    moved = {"SECOND_ROOT": str(hosts.directory / "moved")}
    hosts.install(package, variables=moved)
    ((entry),) = Tree(str(hosts.root)).releases() or []
    assert entry.libraries[-1].directory == f"{hosts.directory}/moved/apps/pea-1.0"
    assert hosts.install(package, variables=moved) == []


def test_destdir(hosts: Hosts) -> None:
    image = hosts.directory / "image"
    install_release(root="/srv/system", destdir=str(image), package=hosts.package(), changes=Changes(), flush=False, variables={"SECOND_ROOT": "/srv/second"})
    assert (image / "srv/second/apps/pea-1.0/ebin/pea.app").is_file()
    assert b'"/srv/second/apps/pea-1.0"' in (image / "srv/system/releases/RELEASES").read_bytes()
    assert read_target("/srv/system", str(image)).disagreements == ()


def test_absent_removes_what_no_system_uses(hosts: Hosts) -> None:
    neighbour = hosts.directory / "neighbour"
    hosts.install(hosts.package("FIRST", "1.0"))
    hosts.install(hosts.package("SECOND", "2.0"), state="permanent")
    hosts.install(hosts.package("THIRD", "3.0"))
    hosts.install(hosts.package("ITS_OWN", "1.0"), root=neighbour)

    def remove(root: Path, version: str, check: bool = False) -> list[str]:
        changes = Changes(check_mode=check)
        remove_release(root=str(root), version=version, changes=changes)
        return changes.actions

    assert remove(hosts.root, "THIRD", check=True) == remove(hosts.root, "THIRD")
    assert sorted(path.name for path in hosts.shared.glob("apps/*")) == ["pea-1.0", "pea-2.0"]
    remove(hosts.root, "FIRST")
    assert sorted(path.name for path in hosts.shared.glob("apps/*")) == ["pea-1.0", "pea-2.0"]
    assert remove(hosts.root, "FIRST") == []
    hosts.install(hosts.package("NEXT", "4.0"), root=neighbour, state="permanent")
    remove(neighbour, "ITS_OWN")
    assert sorted(path.name for path in hosts.shared.glob("apps/*")) == ["pea-2.0", "pea-4.0"]


def test_libraries_that_are_there_already(hosts: Hosts) -> None:
    """As otp_release_build's var_tar ownfile and omit leave it to the user; absent leaves them alone then."""
    package = hosts.package(included=False)
    message = f"needs {hosts.shared}/apps/pea-1.0 (with ebin/pea.app), and neither the package nor the host has it (variable SECOND_ROOT): unpack"
    hosts.refuses(package, message)
    (hosts.shared / "apps/pea-1.0/ebin").mkdir(parents=True)
    (hosts.shared / "apps/pea-1.0/ebin/pea.app").write_bytes(b"")
    hosts.install(package)
    assert hosts.install(package) == []
    hosts.install(hosts.package("SECOND", "2.0"), state="permanent")
    remove_release(root=str(hosts.root), version="FIRST", changes=Changes())
    assert (hosts.shared / "apps/pea-1.0/ebin/pea.app").exists()


@pytest.mark.parametrize(
    "variables, message",
    [
        ({}, "expects pea in $SECOND_ROOT/apps/pea-1.0, and variables has no SECOND_ROOT: add it with its directory to variables"),
        ({"SECOND_ROOT": "relative"}, "variables: SECOND_ROOT is 'relative', which is not an absolute path"),
        ({"SECOND_ROOT": "{root}"}, "and so is root: give each another directory"),
        ({"SECOND_ROOT": "{root}-a", "OTHER": "{root}-a"}, "-a, and so is SECOND_ROOT: give each another directory"),
        ({"ROOT": "/srv/a"}, "'ROOT' is not a name of a variable"),
    ],
)
def test_bad_variables(hosts: Hosts, variables: dict[str, str], message: str) -> None:
    filled = {name: directory.format(root=hosts.root) for name, directory in variables.items()}
    hosts.refuses(hosts.package(), message, variables=filled)


@pytest.mark.parametrize(
    "more, message",
    [
        ({"../out": b""}, "by which a name can lead elsewhere"),
        ({"apps/cherry-1.0/ebin/cherry.app": b""}, "'apps/cherry-1.0/ebin/cherry.app' is not in one of the libraries that the release has there"),
        ({"apps/pea-1.0/priv/link": member("apps/pea-1.0/priv/link", b"2", target="/proc/none")}, "links in a package are relative"),
    ],
)
def test_bad_archive(hosts: Hosts, more: dict[str, Content], message: str) -> None:
    hosts.refuses(hosts.package(more=more), message)


def test_a_link_in_the_place_of_a_library(hosts: Hosts) -> None:
    package = hosts.package(more={"apps/pea-1.0": member("apps/pea-1.0", b"2", target="other")}, where="elsewhere/")
    hosts.refuses(package, "is not in one of the libraries")


def test_same_version_with_other_content(hosts: Hosts) -> None:
    hosts.install(hosts.package())
    hosts.refuses(hosts.package("SECOND", more={"apps/pea-1.0/ebin/pea.beam": b"other"}), "there, apps/pea-1.0/ebin/pea.beam differs")
    hosts.refuses(hosts.package("SECOND", more={"apps/pea-1.0/ebin/new.beam": b"new"}), "there, apps/pea-1.0/ebin/new.beam is missing")


def test_a_path_of_the_boot_script_that_leads_elsewhere(hosts: Hosts) -> None:
    hosts.refuses(hosts.package(path="$SECOND_ROOT/../pea-1.0/ebin"), "can lead elsewhere")


def test_broken_boot_script(hosts: Hosts) -> None:
    members = release_members()
    members["releases/FIRST/start.boot"] = b"$SECOND_ROOT/"
    hosts.refuses(write_package(hosts.directory / "broken.tar.gz", members), "releases/FIRST/start.boot is not a boot script")


def test_failure_while_publishing_is_undone(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts.install(hosts.package())
    rename = os.rename

    def failing(source: str, target: str) -> None:
        if target.endswith("releases/SECOND"):
            raise OSError(28, "No space left on device", target)
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    before = tree(hosts.directory)
    package = hosts.package("SECOND", "2.0")
    with pytest.raises(OtpError, match="No space left on device"):
        hosts.install(package)
    # What is listed there and does not exist does no harm.
    (hosts.shared / ".libraries").write_text("apps/pea-1.0\n")
    assert {path: found for path, found in tree(hosts.directory).items() if path != Path(package).name} == before


def test_what_no_package_has_brought_is_not_removed(hosts: Hosts) -> None:
    """The service user can write the record of a release: it names a library of the host's that no system uses."""
    of_the_host = hosts.shared / "host-1.0"
    (of_the_host / "ebin").mkdir(parents=True)
    hosts.install(hosts.package())
    hosts.install(hosts.package("SECOND", "2.0"))
    record = hosts.root / "releases/SECOND/package.json"
    content = json.loads(record.read_text())
    content["applications"]["host"], content["places"]["host"] = "1.0", str(of_the_host)
    record.write_text(json.dumps(content))
    assert Tree(str(hosts.root)).places("SECOND")["host"] == str(of_the_host)
    remove_release(root=str(hosts.root), version="SECOND", changes=Changes())
    assert of_the_host.is_dir() and not (hosts.shared / "apps/pea-2.0").exists()
