# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a changed library that a thin package leaves out.

Rules: what was copied is what the full package has, bytes, modes and owner; a file of the base that is missing, changed or something else is an error that
names it, before anything is changed, and check mode says the same; no link is followed; the rules for members hold for copies too.
"""

from __future__ import annotations

import os
import tarfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build import thin_copies as _thin_copies
from ansible_collections.erlang.otp.plugins.module_utils._build.thin import make_thin
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import working_on
from ansible_collections.erlang.otp.plugins.module_utils._package import copies as _copies
from ansible_collections.erlang.otp.plugins.module_utils._package.contents import read_digests
from ansible_collections.erlang.otp.plugins.module_utils._package.read import read_package
from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import (
    Base,
    Copies,
    digest_there,
    directory_digest,
    format_base,
    parse_base,
    read_base,
)
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import contents_of, release_of
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.install_host import Host
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import (
    Content,
    beam,
    checksum,
    member,
    release_members,
    tree,
    write_package,
)

LONG = b"-module(same). " * 40
PLACE = "lib/pea-1.0/ebin/same.beam"


def files(version: str, **changed: bytes) -> dict[str, Content]:
    """Files of pea: four that are the same in each version, and some that are not."""
    home = f"lib/pea-{version}"
    return {
        f"{home}/ebin/same.beam": beam(Code=LONG, Line=changed.get("lines", b"")),
        f"{home}/ebin/plain.beam": b"not a module " + LONG,
        f"{home}/ebin/changed.beam": version.encode() + LONG,
        f"{home}/ebin/pea.appup": b'{"2.0", [], []}. % ' + LONG,
        f"{home}/priv/bin/program": b"#!/bin/sh\n# " + LONG,
        f"{home}/priv/data": b"data " + LONG,
        f"{home}/priv/small": b"a record is not smaller",
    }


class Site(Host):
    """A host with FIRST; the package of SECOND, and the thin one."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.first = self.of_pea("FIRST", "1.0")
        self.second = self.of_pea("SECOND", "2.0")
        self.thin = self.make(self.second)
        self.run(self.first)

    def of_pea(self, version: str, pea: str, more: t.Mapping[str, Content] | None = None) -> str:
        """A package whose .rel has the name of its release."""
        members = release_members(version, app_version=pea)
        members[f"releases/{version}/start_clean.boot"] = b"plain boot"
        rels = {
            f"releases/{version}.rel": members.pop("releases/system.rel"),
            f"releases/{version}/{version}.rel": members.pop(f"releases/{version}/system.rel"),
        }
        return write_package(self.directory / f"{version}.tar.gz", {**rels, **members, **files(pea), **(more or {})})

    def make(self, full: str, base: str = "") -> str:
        path = full.replace(".tar.gz", "-thin.tgz")
        Path(path).unlink(missing_ok=True)
        return make_thin(full, read_package(full), base or self.first, path, mtime=0).written.path

    def refuses_in_each_way(self, message: str) -> None:
        """As it is installed, and in check mode, where the package is here and where it is on another host."""
        self.refuses(self.thin, message)
        self.refuses(self.thin, message, check=True)
        self.refuses(None, message, check=True, checksum=checksum(self.thin), release=contents_of(self.thin))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_what_is_left_out(site: Site) -> None:
    base = read_base(site.thin)
    assert base is not None
    copies = base.copies["lib/pea-2.0"]
    assert list(base.copies) == ["lib/pea-2.0"] and copies.base == "lib/pea-1.0" and copies.modes == {"priv/bin/program": 0o755}
    assert list(copies.files) == ["ebin/plain.beam", "ebin/same.beam", "priv/bin/program", "priv/data"]
    assert all(len(beginning) == _thin_copies.BEGINNING for beginning in copies.files.values())
    with tarfile.open(site.thin) as archive:
        names = archive.getnames()
    homes = [name[len("lib/pea-2.0/") :] for name in names if name.startswith("lib/pea-2.0/")]
    assert sorted(homes) == ["ebin/changed.beam", "ebin/pea.app", "ebin/pea.appup", "ebin/pea.beam", "priv/run.sh", "priv/small"]
    # Without it release_handler unpacks nothing.
    assert "releases/SECOND.rel" not in names and "releases/SECOND/SECOND.rel" in names
    assert read_package(site.thin) == read_package(site.second)


def test_another_mode_or_other_lines_are_another_file(site: Site) -> None:
    program = member("lib/pea-3.0/priv/bin/program", mode=0o700, size=300)
    third = site.of_pea("THIRD", "3.0", {**files("3.0", lines=b"other lines"), "lib/pea-3.0/priv/bin/program": program})
    base = read_base(site.make(third))
    assert base and list(base.copies["lib/pea-3.0"].files) == ["ebin/plain.beam", "priv/data"]


def test_no_more_records_than_are_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("MAX_FILES", "MAX_NAMES"):
        with monkeypatch.context() as context:
            context.setattr(_thin_copies, limit, 3)
            base = read_base(site.make(site.second))
            assert base and base.copies == {}


@pytest.mark.parametrize("large", [False, True])
def test_the_tree_is_that_of_the_full_package(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool) -> None:
    if large:
        for name in ("LARGE", "PIECE"):
            monkeypatch.setattr(_copies, name, 100)
    (tmp_path / "other").mkdir()
    other = Host(tmp_path / "other")
    other.run(site.first)
    other.run(site.second)
    site.run(site.thin)
    ours, theirs = tree(site.root), tree(other.root)
    only = {path for path in {*ours, *theirs} if ours.get(path) != theirs.get(path)}
    assert only - {"bin/erl", "bin/start", "bin/start_erl"} == {"releases/SECOND/base.json", "releases/SECOND/package.json"}
    assert not os.path.samefile(site.root / PLACE, site.root / "lib/pea-2.0/ebin/same.beam")
    # It is the release of both packages, and needs nothing of its base any more.
    for package in (site.thin, site.second):
        site.run(None, checksum=checksum(package))
        assert site.actions == []
    site.run(site.thin, state="permanent")
    site.remove("FIRST")
    (site.root / "releases/SECOND/package.json").unlink()
    assert site.run(site.second, state="permanent")["kept"] == []


def test_the_same_code_with_other_lines_is_taken(site: Site) -> None:
    """A host may have it from an earlier package."""
    mine = beam(Code=LONG, Line=b"mine")
    (site.root / PLACE).write_bytes(mine)
    site.run(site.thin)
    assert site.read("lib/pea-2.0/ebin/same.beam") == mine


def gone(path: Path) -> None:
    path.unlink()


def a_link(path: Path) -> None:
    path.rename(path.with_name("there"))
    path.symlink_to("there")


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def below_a_link(path: Path) -> None:
    path.parent.rename(path.parents[1] / "there")
    path.parent.symlink_to("there")


def library_behind_a_link(path: Path) -> None:
    library = path.parents[1]
    library.rename(library.with_name("there"))
    library.symlink_to("there")


def changed(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"same", b"evil"))


SOMETHING_ELSE = "has something other than a file at " + PLACE


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    ("do", "what"),
    [
        (gone, f"lacks {PLACE}"),
        (changed, f"has other content in {PLACE}"),
        (a_link, SOMETHING_ELSE),
        (a_pipe, SOMETHING_ELSE),
        (below_a_link, SOMETHING_ELSE),
        (library_behind_a_link, SOMETHING_ELSE),
    ],
)
def test_a_base_that_is_not_as_it_was(site: Site, monkeypatch: pytest.MonkeyPatch, do: t.Callable[[Path], None], what: str, large: bool) -> None:
    if large:
        for name in ("LARGE", "PIECE"):
            monkeypatch.setattr(_copies, name, 100)
    do(site.root / PLACE)
    # below_a_link has moved both modules.
    what = what.replace("same", "plain") if do in (below_a_link, library_behind_a_link) else what
    site.refuses_in_each_way(f"and the system below {site.root} {what}. Nothing has been changed. Give the full package, which was built with it")
    site.run(site.second)
    assert site.statuses() == {"FIRST": "permanent", "SECOND": "unpacked"}


def test_the_whole_digest_counts(site: Site) -> None:
    """The records have the beginnings of digests only."""
    copies = Copies("lib/pea-1.0", {"ebin/same.beam": ""}, directory_digest({"ebin/same.beam": "0" * 64}), {}, 1)
    site.refuses(hostile(site, {"lib/pea-2.0": copies}), "has other content in lib/pea-1.0. Nothing")


def hostile(site: Site, copies: dict[str, Copies], more: t.Mapping[str, Content] | None = None) -> str:
    """A package of SECOND that says that of its copies."""
    base = Base("SYSTEM", "FIRST", checksum(site.first)[7:], checksum(site.second)[7:], {}, [], copies)
    first = {"releases/SECOND/base.json": format_base(base)}
    plain = site.package("SECOND", app_version="2.0")
    with tarfile.open(plain) as archive:
        others: dict[str, Content] = {info.name: t.cast("t.IO[bytes]", archive.extractfile(info)).read() for info in archive if info.isfile()}
    return write_package(site.directory / "hostile.tgz", {**first, **others, **(more or {})})


def one(path: str, mode: int = 0o644) -> dict[str, Copies]:
    """A copy of a file that the base has, for that path."""
    return {"lib/pea-2.0": Copies("lib/pea-1.0", {path: ""}, "", {path: mode}, 1)}


@pytest.mark.parametrize(
    ("path", "mode", "message"),
    [
        ("ebin/pea.beam", 0o644, "it is in the package twice"),
        ("ebin/same.beam", 0o4755, "it has the set-uid bit set"),
        ("priv/data", 0o644, "it is below lib/pea-2.0/priv, which is a link"),
    ],
)
def test_rules_for_members_are_rules_for_copies(site: Site, path: str, mode: int, message: str) -> None:
    link: dict[str, Content] = {"lib/pea-2.0/priv": member("lib/pea-2.0/priv", tarfile.SYMTYPE, target="ebin")}
    package = hostile(site, one(path, mode))
    if "link" in message:
        package = write_package(Path(package), {**{k: v for k, v in contents(package).items() if "/priv" not in k}, **link})
    site.refuses(package, message)


def contents(package: str) -> dict[str, Content]:
    with tarfile.open(package) as archive:
        return {info.name: t.cast("t.IO[bytes]", archive.extractfile(info)).read() for info in archive if info.isfile()}


def test_copies_count_for_the_limit_of_sizes(site: Site) -> None:
    with pytest.raises(OtpError, match="lib/pea-2.0/.*up to here the package unpacks to .* max_size allows"):
        site.run(site.thin, max_size=sum(len(t.cast(bytes, content)) for content in contents(site.thin).values()) + 100)
    assert not (site.root / "lib/pea-2.0").exists()


@pytest.mark.parametrize(
    "copies",
    [
        {"lib/pea-2.0": ("lib/kernel-8.5.3", {}, "", {}, 1)},
        {"lib/pea-2.0": ("lib/pea-2.0", {}, "", {}, 1)},
        {"lib/pea-2.0": ("lib/pea-1.0/ebin", {}, "", {}, 1)},
        {"lib/pea-2.0": ("lib/..", {}, "", {}, 1)},
        {"../pea-2.0": ("lib/pea-1.0", {}, "", {}, 1)},
        {"releases/2.0": ("releases/1.0", {}, "", {}, 1)},
        {"erts-2.0": ("erts-1.0", {}, "", {}, 1)},
        {"lib/pea-2.0": ("lib/pea-1.0", {"../../../etc/passwd": ""}, "", {}, 1)},
        {"lib/pea-2.0": ("lib/pea-1.0", {"/etc/passwd": ""}, "", {}, 1)},
        {"lib/pea-2.0": ("lib/pea-1.0", {"ebin/pea.appup": ""}, "", {}, 1)},
        {"lib/pea-2.0": ("lib/pea-1.0", {"ebin/a": 1}, "", {}, 1)},
        {"lib/pea-2.0": ("lib/pea-1.0", ["ebin/a"], "", {}, 1)},
        {"lib/pea-2.0": ("lib/pea-1.0", {}, 1, {}, 1)},
        {"lib/pea-2.0": ("lib/pea-1.0", {}, "", {"ebin/a": "7"}, 1)},
        {"lib/pea-2.0": ("lib/pea-1.0", {}, "", {}, -1)},
    ],
)
def test_a_base_json_whose_copies_lead_elsewhere(copies: dict[str, t.Any]) -> None:
    base = Base("SYSTEM", "FIRST", "a" * 64, "b" * 64, {}, [], {directory: Copies(*each) for directory, each in copies.items()})
    with pytest.raises(OtpError, match="base.json does not name the base of the package"):
        parse_base(format_base(base), filename="base.json")


@pytest.mark.parametrize("data", ['"copies":[]', '"copies":{"lib/pea-2.0":1}', '"copies":{"lib/pea-2.0":{}}', '"copies":null'])
def test_a_base_json_whose_copies_are_none(data: str) -> None:
    base = format_base(Base("SYSTEM", "FIRST", "a" * 64, "b" * 64, {}, [])).decode()
    assert parse_base(base.encode(), filename="base.json").copies == {}
    with pytest.raises(OtpError, match="base.json does not name the base of the package"):
        parse_base(base.replace('"copies":{}', data).encode(), filename="base.json")


def test_check_mode_knows_the_copies_that_are_there(site: Site) -> None:
    """The libraries are, but the record is gone, as after a run that was killed."""
    known: dict[str, t.Any] = {"checksum": checksum(site.thin), "release": contents_of(site.thin), "check": True}
    site.run(None, **known)
    size = len(t.cast(bytes, files("2.0")["lib/pea-2.0/priv/data"]))
    assert known["release"]["sizes"]["lib/pea-2.0"] > 4 * size
    site.run(site.thin)
    (site.root / "releases/SECOND/package.json").unlink()
    site.run(None, **known)
    assert not any("remove" in action for action in site.actions)
    # With another one it makes way.
    (site.root / "lib/pea-2.0/priv/data").write_bytes(b"other data")
    site.run(None, **known)
    assert any("remove" in action for action in site.actions)


def test_a_box_gets_the_full_one(site: Site) -> None:
    with working_on(object()):
        site.refuses(site.thin, "needs Python there. Nothing has been changed. Give the full package")
        site.refuses(None, "needs Python there. Nothing", check=True, checksum=checksum(site.thin), release=release_of(site.thin))
    site.run(site.second)


def test_the_content_is_that_of_the_full_package(site: Site) -> None:
    """A release is its version and its content, however it arrived."""
    site.run(site.thin)
    tree_of_it = Tree(str(site.root))
    digests = {path: digest for path, digest in read_digests(site.second).items() if path.startswith("lib/")}
    assert "lib/pea-2.0" in digests and {path: digest_there(tree_of_it, path) for path in digests} == digests
    (site.root / "releases/SECOND/package.json").unlink()
    assert site.run(site.second)["kept"] == []
