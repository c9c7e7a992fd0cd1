# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Earlier releases: where they and their applications are found, and what is told of them; tests/real has systools make relups of them."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import CodePath, applications_of
from ansible_collections.erlang.otp.plugins.module_utils._build.earlier_release import Search, find_ebins, read_earlier
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp
from ansible_collections.erlang.otp.plugins.module_utils._build.upgrades import THROUGH, Upgrades, describe_upgrade_paths, lay_out, read_upgrades
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import parse_rel
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import release_members, write_package

CORE = {"kernel": "8.5.3", "stdlib": "4.2"}


def app(ebin: Path, name: str, version: str) -> Path:
    ebin.mkdir(parents=True, exist_ok=True)
    (ebin / f"{name}.app").write_text(f'{{application, {name}, [{{vsn, "{version}"}}, {{modules, [{name}]}}]}}.\n')
    (ebin / f"{name}.beam").write_bytes(f"beam of {name}-{version}".encode())
    return ebin


def rel(path: Path, version: str, pea: str, *, name: str = "SYSTEM", erts: str = "13.1.5") -> str:
    listed = ", ".join(f'{{{app}, "{vsn}"}}' for app, vsn in {**CORE, "pea": pea}.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{release, {{"{name}", "{version}"}}, {{erts, "{erts}"}}, [{listed}]}}.\n')
    return str(path)


@pytest.fixture
def otp(tmp_path):
    for name, version in CORE.items():
        app(tmp_path / f"otp/lib/{name}-{version}/ebin", name, version)
    return Otp(str(tmp_path / "otp"), "13.1.5", "25.2.3")


@pytest.fixture
def search(otp):
    return Search((), [], otp)


# --- where they are


@pytest.mark.parametrize("place", ["work", "work/pea/ebin", "work/lib/pea-1.0/ebin", "lib/pea/ebin"])
def test_applications_beside_a_rel_file(tmp_path, search, place):
    ebin = app(tmp_path / place, "pea", "1.0")
    earlier = read_earlier(rel(tmp_path / "work/first.rel", "FIRST", "1.0"), "upgrade_from", search)
    found = find_ebins(earlier, str(tmp_path / "unused"), [])
    assert found == {"kernel": f"{search.otp.lib}/kernel-8.5.3/ebin", "stdlib": f"{search.otp.lib}/stdlib-4.2/ebin", "pea": str(ebin)}
    assert earlier.versions == {**CORE, "pea": "1.0", "erts": "13.1.5"}
    assert not (tmp_path / "unused").exists()


def test_upgrade_path_goes_first_and_code_path_is_searched(tmp_path, search):
    path = rel(tmp_path / "work/first.rel", "FIRST", "1.0")
    beside, old, own = (app(tmp_path / place, "pea", "1.0") for place in ("work/pea/ebin", "old/pea/ebin", "own/pea/ebin"))
    assert read_earlier(path, "upgrade_from", search._replace(upgrade_path=(f"{tmp_path}/old/*/ebin",))).ebins["pea"] == str(old)
    (beside / "pea.app").unlink()
    assert read_earlier(path, "upgrade_from", search._replace(directories=[str(own)])).ebins["pea"] == str(own)
    with pytest.raises(OtpError, match="^upgrade_path: /nowhere/ebin matches no directory"):
        read_earlier(path, "upgrade_from", search._replace(upgrade_path=("/nowhere/ebin",)))


def test_an_application_that_is_nowhere(tmp_path, search):
    app(tmp_path / "work/pea/ebin", "pea", "2.0")
    path = rel(tmp_path / "work/first.rel", "FIRST", "1.0")
    with pytest.raises(OtpError) as caught:
        read_earlier(path, "downgrade_to", search)
    assert str(caught.value).startswith(f"downgrade_to: release SYSTEM FIRST of {path}: Application pea-1.0 was not found (version 2.0 is in")
    assert str(caught.value).endswith("Name its ebin directory in otp_upgrade_path (option upgrade_path).")
    old = app(tmp_path / "old/ebin", "pea", "1.0")
    assert read_earlier(path, "downgrade_to", search._replace(upgrade_path=(str(old),))).ebins["pea"] == str(old)


def test_out_of_a_package(tmp_path, search):
    package = write_package(tmp_path / "first.tar.gz", release_members())
    earlier = read_earlier(package, "upgrade_from", search)
    assert (earlier.release.version, earlier.versions["pea"]) == ("FIRST", "1.0")
    found = find_ebins(earlier, str(tmp_path / "scratch"), ["pea"])
    assert found == {name: f"{tmp_path}/scratch/lib/{name}-{version}/ebin" for name, version in {**CORE, "pea": "1.0"}.items()}
    # The modules only of what is asked for, nothing else of the package.
    unpacked = sorted(path.relative_to(tmp_path / "scratch").as_posix() for path in (tmp_path / "scratch").rglob("*") if path.is_file())
    assert unpacked == ["lib/kernel-8.5.3/ebin/kernel.app", "lib/pea-1.0/ebin/pea.app", "lib/pea-1.0/ebin/pea.beam", "lib/stdlib-4.2/ebin/stdlib.app"]


def test_what_a_package_lacks_is_looked_for(tmp_path, search):
    members = {name: content for name, content in release_members().items() if not name.startswith(("lib/kernel", "lib/stdlib"))}
    package = write_package(tmp_path / "thin.tar.gz", members)
    found = find_ebins(read_earlier(package, "upgrade_from", search), str(tmp_path / "scratch"), [])
    assert found["kernel"] == f"{search.otp.lib}/kernel-8.5.3/ebin"
    without = {name: content for name, content in members.items() if not name.startswith("lib/")}
    package = write_package(tmp_path / "thinner.tar.gz", without)
    with pytest.raises(OtpError, match=r"thinner\.tar\.gz lacks pea-1\.0\. .*Name its ebin directory in otp_upgrade_path \(option upgrade_path\)\.$"):
        find_ebins(read_earlier(package, "upgrade_from", search), str(tmp_path / "other"), [])
    old = str(app(tmp_path / "old/ebin", "pea", "1.0"))
    assert find_ebins(read_earlier(package, "upgrade_from", search._replace(upgrade_path=(old,))), str(tmp_path / "more"), [])["pea"] == old


def test_the_output_directory_of_a_build(tmp_path, search):
    """Its package has what was built then; the code path may have gone on."""
    app(tmp_path / "out/pea/ebin", "pea", "1.0")
    rel(tmp_path / "out/first.rel", "FIRST", "1.0")
    directory = str(tmp_path / "out")
    assert read_earlier(directory, "upgrade_from", search).package is None
    package = write_package(tmp_path / "out/first.tar.gz", release_members())
    assert read_earlier(directory, "upgrade_from", search).package == package
    assert read_earlier(f"{directory}/first.rel", "upgrade_from", search).package is None
    (tmp_path / "out/pea/ebin/pea.app").unlink()
    assert read_earlier(f"{directory}/first.rel", "upgrade_from", search).package == package
    # A package of another release is none.
    write_package(tmp_path / "out/first.tar.gz", release_members("OTHER"))
    with pytest.raises(OtpError, match=r"Application pea-1\.0 was not found"):
        read_earlier(directory, "upgrade_from", search)
    rel(tmp_path / "out/second.rel", "SECOND", "1.0")
    with pytest.raises(OtpError, match=r"out has 2 \.rel files \(first\.rel, second\.rel\)\. Name the \.rel file or the package"):
        read_earlier(directory, "upgrade_from", search)


def test_what_is_no_release(tmp_path, search):
    with pytest.raises(OtpError, match="^upgrade_from: /nowhere/first.rel does not exist. Name a .rel file, the output directory"):
        read_earlier("/nowhere/first.rel", "upgrade_from", search)
    with pytest.raises(OtpError, match=f"^downgrade_to: directory {tmp_path} has no .rel file"):
        read_earlier(str(tmp_path), "downgrade_to", search)
    (tmp_path / "file").write_text("text")
    with pytest.raises(OtpError, match="file: it is neither a gzip file nor a tar file"):
        read_earlier(str(tmp_path / "file"), "upgrade_from", search)


def test_a_package_that_leads_elsewhere_is_refused(tmp_path, search):
    members = {**release_members(), "lib/pea-1.0/ebin/../../../../outside.app": b""}
    earlier = read_earlier(write_package(tmp_path / "first.tar.gz", members), "upgrade_from", search)
    with pytest.raises(OtpError, match="by which a name can lead elsewhere"):
        find_ebins(earlier, str(tmp_path / "scratch"), [])


def test_equal_content_has_one_identity(tmp_path, search):
    ebin = app(tmp_path / "a/pea/ebin", "pea", "1.0")
    app(tmp_path / "b/pea/ebin", "pea", "1.0")
    one, other = (read_earlier(rel(tmp_path / place / "first.rel", "FIRST", "1.0"), "upgrade_from", search).identity for place in ("a", "b"))
    assert one == other
    (ebin / "pea.app").write_text((ebin / "pea.app").read_text() + "\n")
    assert read_earlier(str(tmp_path / "a/first.rel"), "upgrade_from", search).identity != one


# --- what is told of them


class Bench:
    """Release SECOND with pea 2.0, after FIRST with pea 1.0."""

    def __init__(self, directory: Path, search: Search) -> None:
        self.search = search
        app(directory / "first/pea/ebin", "pea", "1.0")
        self.first = rel(directory / "first/first.rel", "FIRST", "1.0")
        self.ebin = app(directory / "second/ebin", "pea", "2.0")
        path = rel(directory / "second/second.rel", "SECOND", "2.0")
        self.release = parse_rel(Path(path).read_bytes(), filename=path)
        self.found = applications_of(self.release, CodePath([str(self.ebin)], search.otp))

    def read(self, up: list[str], down: list[str], **how: t.Any) -> Upgrades:
        return read_upgrades(up, down, self.search, self.release, self.found, **how)


@pytest.fixture
def bench(tmp_path, search):
    bench = Bench(tmp_path, search)
    (bench.ebin / "pea.appup").write_text('{"2.0", [{"1.0", []}], [{"1.0", []}]}.\n')
    return bench


def test_appups_are_read_for_what_changes(bench):
    (Path(bench.search.otp.lib) / "kernel-8.5.3/ebin/kernel.appup").write_text("junk")
    upgrades = bench.read([bench.first], [bench.first])
    assert upgrades.appups == {"pea": (bench.ebin / "pea.appup").read_bytes()}
    assert (upgrades.notes, upgrades.releases) == ((), [upgrades.up[0]])


def test_every_gap_is_told_at_once(bench, tmp_path):
    app(tmp_path / "zeroth/pea/ebin", "pea", "0.9")
    zeroth = rel(tmp_path / "zeroth/zeroth.rel", "ZEROTH", "0.9")
    (bench.ebin / "pea.appup").write_text('{"2.0", [{"1.0", []}], []}.\n')
    with pytest.raises(OtpError) as caught:
        bench.read([bench.first, zeroth], [bench.first])
    appup = bench.ebin / "pea.appup"
    assert str(caught.value) == (
        "A relup for release SYSTEM SECOND can't be made."
        f" To be upgraded from release ZEROTH, application pea goes from 0.9 to 2.0, but {appup} has no instructions up from 0.9 (it has: 1.0):"
        " see appup(4)."
        f" To be downgraded to release FIRST, application pea goes from 2.0 to 1.0, but {appup} has no instructions down to 1.0 (it has: none):"
        f" see appup(4).{THROUGH}"
    )


@pytest.mark.parametrize(("up", "down", "taken"), [("0.9 1.0", "0.9 1.0", "ZEROTH"), ("0.9 1.0", "1.0", "FIRST"), ("1.0", "1.0", "FIRST")])
def test_a_release_in_between_takes_the_place_of_one_without_appups(bench, tmp_path, up, down, taken):
    """Its appups must lead from it and back, and those of the earlier release must not."""
    zeroth, other = (rel(tmp_path / f"{name}/{name}.rel", name.upper(), version) for name, version in (("zeroth", "0.9"), ("other", "0.8")))
    for name, version in (("zeroth", "0.9"), ("other", "0.8")):
        app(tmp_path / name / "pea/ebin", "pea", version)
    sides = [", ".join(f'{{"{version}", []}}' for version in side.split()) for side in (up, down)]
    (bench.ebin / "pea.appup").write_text(f'{{"2.0", [{sides[0]}], [{sides[1]}]}}.\n')
    upgrades = bench.read([zeroth, bench.first], [zeroth], between={zeroth: [other, bench.first]})
    assert [earlier.release.version for earlier in upgrades.up] == [taken, *["FIRST"][: taken != "FIRST"]]
    assert [earlier.release.version for earlier in upgrades.down] == [taken]
    with pytest.raises(OtpError, match="To be upgraded from release OTHER"):
        bench.read([other], [], between={other: []})


def test_versions_that_are_there_twice(bench, tmp_path):
    again = rel(tmp_path / "first/again.rel", "FIRST", "1.0")
    with pytest.raises(OtpError, match=r"upgrade_from: .*first\.rel and .*again\.rel are both version FIRST\. Leave one of them out"):
        bench.read([bench.first, again], [])
    assert len(bench.read([bench.first, bench.first], []).up) == 1
    with pytest.raises(OtpError, match=r"downgrade_to: .*/other\.rel is version SECOND, as the release to be built is"):
        bench.read([], [rel(tmp_path / "first/other.rel", "SECOND", "1.0")])


def test_what_is_laid_out_for_systools(bench, tmp_path):
    package = write_package(tmp_path / "first.tar.gz", release_members("ZEROTH", app_version="1.0"))
    work = tmp_path / "scratch"
    work.mkdir()
    layout = lay_out(bench.read([bench.first, package], [package]), bench.found, str(work))
    assert (layout.up, layout.down) == (["earlier0", "earlier1"], ["earlier1"])
    assert parse_rel((work / "earlier1.rel").read_bytes(), filename="").version == "ZEROTH"
    assert layout.ebins[2:] == [f"{tmp_path}/first/pea/ebin"] + [f"{work}/earlier1/lib/{home}/ebin" for home in ("kernel-8.5.3", "stdlib-4.2", "pea-1.0")]
    # The files of this package are not those of the OTP at hand.
    assert [note.term for note in layout.notes] == ["kernel-8.5.3", "stdlib-4.2"]
    assert "has other content: kernel.app. An upgrade would not install it" in layout.notes[0].sentence


def test_ways(bench, tmp_path):
    path = rel(tmp_path / "first/older.rel", "OLDER", "1.0", erts="13.0")
    relup = b'{"SECOND",[{"FIRST",[],[a,b]},{"OLDER",[],[restart_new_emulator,restart_emulator]}],[{"OLDER",[],[a,restart_emulator]}]}.'
    upgrades = bench.read([path, bench.first], [path])
    found = describe_upgrade_paths(upgrades, bench.release, relup)
    assert [tuple(way.values()) for way in found] == [
        ("up", "OLDER", "SECOND", "both", 2, ["erts 13.0 -> 13.1.5"]),
        ("up", "FIRST", "SECOND", "none", 2, []),
        ("down", "SECOND", "OLDER", "restart_emulator", 2, ["erts 13.1.5 -> 13.0"]),
    ]
    with pytest.raises(OtpError, match="systools made a relup without release FIRST"):
        describe_upgrade_paths(upgrades, bench.release, relup.replace(b"FIRST", b"THIRD"))
