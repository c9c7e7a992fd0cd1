# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A thin package.

Rules: it has what its base lacks, with the same content, modes and links; it is installed only where the base is, known by its package or by its
content; a library has the same content whenever it has the same version; a damaged base.json is an error.
"""

from __future__ import annotations

import errno
import json
import tarfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build import thin as _thin
from ansible_collections.erlang.otp.plugins.module_utils._build.thin import Thin, base_package, make_thin
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats import large_file as _large_file
from ansible_collections.erlang.otp.plugins.module_utils._formats import tar_writer as _tar_writer
from ansible_collections.erlang.otp.plugins.module_utils._package.read import read_package
from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import Base, format_base, parse_base, read_base
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import release_of
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.install_host import Host
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import (
    checksum,
    member,
    release_members,
    tree,
    with_variable,
    write_package,
)

HOMES = {"erts-13.1.5", "lib/kernel-8.5.3", "lib/stdlib-4.2"}
PROGRAMS = ["bin/epmd", "bin/run_erl", "bin/start.boot", "bin/to_erl"]


class Thinner(Host):
    """A host; the packages of FIRST and SECOND, which differ in one application; and SECOND's without what FIRST has."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.first = self.package("FIRST")
        self.second = self.package("SECOND", app_version="2.0")
        self.thin = self.make(self.second).written.path

    def make(self, full: str, base: str = "", name: str = "thin.tar.gz") -> Thin:
        (self.directory / name).unlink(missing_ok=True)
        return make_thin(full, read_package(full), base or self.first, str(self.directory / name), mtime=0)


@pytest.fixture
def host(tmp_path: Path) -> Thinner:
    return Thinner(tmp_path)


def names(package: str) -> list[str]:
    with tarfile.open(package) as archive:
        return archive.getnames()


def test_only_what_the_base_lacks(host: Thinner) -> None:
    found = names(host.thin)
    assert found[0] == "releases/SECOND/base.json"
    wanted = [name for name in names(host.second) if name.startswith(("releases/", "lib/pea-2.0/", "log"))]
    assert found[1:] == wanted
    before = Path(host.thin).read_bytes()
    thin = host.make(host.second)
    assert set(thin.base.directories) == HOMES and thin.base.files == PROGRAMS
    assert [thin.base.version, f"sha256:{thin.base.sha256}", f"sha256:{thin.base.full}"] == ["FIRST", checksum(host.first), checksum(host.second)]
    assert read_base(host.thin) == thin.base and read_base(host.second) is None
    # The same bytes for each user, at each time.
    assert Path(host.thin).read_bytes() == before


def test_large_files_make_the_same_package_and_leave_nothing_behind(host: Thinner, monkeypatch: pytest.MonkeyPatch) -> None:
    before, there = Path(host.thin).read_bytes(), {*host.directory.iterdir()}
    for module in (_thin, _tar_writer):
        monkeypatch.setattr(module, "LARGE", 3)
    host.make(host.second)
    assert Path(host.thin).read_bytes() == before and {*host.directory.iterdir()} == there


def test_a_thin_package_that_fails_leaves_nothing_behind(host: Thinner, monkeypatch: pytest.MonkeyPatch) -> None:
    there = {*host.directory.iterdir()} - {Path(host.thin)}
    for module in (_thin, _tar_writer):
        monkeypatch.setattr(module, "LARGE", 3)

    def full(*dummy: object, **dummy_named: object) -> t.Iterator[bytes]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_large_file.LargeFile, "pieces", full)
    with pytest.raises(OSError, match="No space left"):
        host.make(host.second)
    assert {*host.directory.iterdir()} == there


def test_content_modes_and_links_are_those_of_the_full_package(host: Thinner, tmp_path: Path) -> None:
    more = {
        "lib/pea-2.0/priv/run": member("lib/pea-2.0/priv/run", tarfile.SYMTYPE, mode=0o777, target="run.sh"),
        "lib/pea-2.0/priv/empty": None,
        "etc/pea.conf": b"a file of the release itself",
        "releases/SECOND/start_clean.boot": b"plain boot",
    }
    full = host.package("SECOND", app_version="2.0", more=more)
    thin = host.make(full, name="other.tar.gz").written.path
    host.run(host.first)
    host.run(thin)
    other = Host(tmp_path / "other")
    other.directory.mkdir()
    other.run(host.first)
    other.run(full)
    ours, theirs = tree(host.root), tree(other.root)
    only = {path for path in {*ours, *theirs} if ours.get(path) != theirs.get(path)}
    assert only - {"bin/erl", "bin/start", "bin/start_erl"} == {"releases/SECOND/base.json", "releases/SECOND/package.json"}


def test_installed_where_the_base_is(host: Thinner) -> None:
    host.run(host.first)
    assert host.run(host.thin)["status"] == "unpacked"
    assert host.statuses() == {"FIRST": "permanent", "SECOND": "unpacked"}
    # It is the release of both packages, then.
    for package in (host.thin, host.second):
        host.run(None, checksum=checksum(package))
        assert host.actions == []
    # One based on this one goes on top of it, and what FIRST alone had is not missed.
    third = host.package("THIRD", app_version="3.0")
    host.run(host.thin, state="permanent")
    host.remove("FIRST")
    host.run(host.make(third, host.second, "third.tar.gz").written.path)
    assert host.statuses() == {"SECOND": "permanent", "THIRD": "unpacked"}


def test_the_archive_of_a_variable_comes_along(host: Thinner) -> None:
    """It is unpacked elsewhere, and does not lie in the tree."""
    variables = {"SECOND_ROOT": str(host.directory / "shared")}
    first, second = (write_package(host.directory / f"{version}.tgz", with_variable(release_members(version))) for version in ("FIRST", "SECOND"))
    host.run(first, variables=variables)
    host.run(host.make(second, first, "third.tar.gz").written.path, variables=variables)
    assert host.statuses() == {"FIRST": "permanent", "SECOND": "unpacked"}


def test_refused_where_the_base_is_not(host: Thinner) -> None:
    message = "is thin: it leaves out what release SYSTEM FIRST has, and the system below"
    host.refuses(host.thin, message)
    assert not host.root.exists()
    with pytest.raises(OtpError, match=f"lacks ERTS 13.1.5, kernel 8.5.3, stdlib 4.2, {', '.join(PROGRAMS)}. Nothing .* {checksum(host.second)[7:]}"):
        host.run(host.thin)
    # So it is in check mode, where the host gets no more than a description.
    with pytest.raises(OtpError, match=f"^package {host.thin} is thin: .* lacks ERTS 13.1.5, kernel"):
        host.run(None, checksum=checksum(host.thin), release=release_of(host.thin), check=True)
    other = host.package("ZEROTH", erts="13.1.4")
    host.run(other)
    host.refuses(host.thin, "lacks ERTS 13.1.5. Nothing has been changed. Give the full package")


def test_a_base_that_came_some_other_way_is_known_by_its_content(host: Thinner) -> None:
    host.run(host.package("ZEROTH", app_version="0.1"))
    host.run(host.thin)
    assert host.statuses() == {"ZEROTH": "permanent", "SECOND": "unpacked"}
    host.remove("SECOND")
    module = host.root / "lib/stdlib-4.2/ebin/stdlib.beam"
    module.write_bytes(b"another beam of stdlib-4.2")
    host.refuses(host.thin, "has stdlib 4.2 with other content. Nothing")
    module.unlink()
    host.refuses(host.thin, "has stdlib 4.2 with other content. Nothing")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"lib/stdlib-4.2/ebin/stdlib.beam": b"patched"},
            "base: lib/stdlib-4.2/ebin/stdlib.beam differs from that in .*give the changed application",
        ),
        ({"lib/kernel-8.5.3/ebin/more.beam": b"more"}, "base: lib/kernel-8.5.3/ebin/more.beam differs"),
        ({"erts-13.1.5/bin/beam.smp": b"patched"}, "base: erts-13.1.5/bin/beam.smp differs"),
    ],
)
def test_one_version_has_one_content(host: Thinner, more: dict[str, bytes], message: str) -> None:
    with pytest.raises(OtpError, match=message):
        host.make(host.package("SECOND", app_version="2.0", more=more))


def test_a_base_that_is_none(host: Thinner, tmp_path: Path) -> None:
    with pytest.raises(OtpError, match=r"thin.tar.gz is a thin package itself. Name the full one"):
        host.make(host.package("THIRD"), host.thin, "third.tar.gz")
    with pytest.raises(OtpError, match=r"is a package of release SECOND, as this one is"):
        host.make(host.second, host.second)
    with pytest.raises(OtpError, match=r"base: .*/gone does not exist"):
        base_package(str(tmp_path / "gone"))
    (tmp_path / "out").mkdir()
    with pytest.raises(OtpError, match=r"base: directory .*/out has no .rel file"):
        base_package(str(tmp_path / "out"))
    (tmp_path / "out/system.rel").touch()
    (tmp_path / "out/system.tar.gz").touch()
    assert base_package(str(tmp_path / "out")) == str(tmp_path / "out/system.tar.gz")


BASE = Base("SYSTEM", "FIRST", "a" * 64, "b" * 64, {"lib/kernel-8.5.3": "c" * 64}, ["bin/epmd"])


def test_base_json() -> None:
    assert parse_base(format_base(BASE), filename="base.json") == BASE


LEADS_ELSEWHERE = (
    {"directories": {"../../etc": "c" * 64}},
    {"directories": {"lib/..": ""}},
    {"directories": {"/etc": ""}},
    {"files": ["../../etc/passwd"]},
    {"files": "bin"},
)


@pytest.mark.parametrize("content", [json.dumps({**BASE._asdict(), **more}).encode() for more in LEADS_ELSEWHERE] + [b"[" * 100_000])
def test_a_base_that_leads_elsewhere(content: bytes) -> None:
    with pytest.raises(OtpError, match="base.json does not name the base of the package"):
        parse_base(content, filename="base.json")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", json.dumps({**BASE._asdict(), "directories": []}).encode(), b'{"name": 1}', b"\xff"])
def test_a_damaged_base_json(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(OtpError, match="base.json does not name the base of the package"):
        parse_base(content, filename="base.json")


@pytest.mark.parametrize(
    "change",
    [
        {"directories": {"lib/../../../etc": "c" * 64}},
        {"directories": {"/etc": "c" * 64}},
        {"directories": {"..": "c" * 64}},
        {"directories": {"bin": "c" * 64}},
        {"directories": {"lib/kernel-8.5.3/ebin": "c" * 64}},
        {"files": ["../../etc/passwd"]},
        {"files": ["/etc/passwd"]},
        {"files": ["a\0b"]},
        {"files": "bin"},
        {"full": "*"},
        {"sha256": "A" * 64},
    ],
)
def test_a_base_json_that_leads_elsewhere(change: dict[str, object]) -> None:
    with pytest.raises(OtpError, match="base.json does not name the base of the package"):
        parse_base(json.dumps({**BASE._asdict(), **change}).encode(), filename="base.json")


def test_a_base_json_that_is_deep() -> None:
    with pytest.raises(OtpError, match="base.json does not name the base of the package"):
        parse_base(b"[" * 1_000_000, filename="base.json")


def test_what_is_broken_has_no_base(tmp_path: Path) -> None:
    with pytest.raises(OtpError, match="releases/1/base.json does not name the base"):
        read_base(write_package(tmp_path / "package.tar.gz", {"releases/1/base.json": b"{"}))
    for content in (b"", b"\x1f\x8b", b"\x1f\x8b" + bytes(600), bytes(1024), b"x" * 600):
        (tmp_path / "broken").write_bytes(content)
        assert read_base(str(tmp_path / "broken")) is None
