# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Building again: the same bytes, no more work than needed; and check mode."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from release_workshop import MINIMAL, Workshop, content, files_of, members

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp, find_otp
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, find_otp(None))


def test_the_same_bytes_for_each_user_at_each_time(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    pea = workshop.application("pea", needs=", sasl")
    (pea / "priv").mkdir()
    (pea / "priv/data").write_bytes(bytes(range(256)) * 3000)
    rel = workshop.rel(*MINIMAL, "pea-1.0")
    first = workshop.build(rel=rel)
    os.utime(pea / "ebin/pea.beam", (1, 1))
    os.utime(rel, (1, 1))
    before = os.umask(0o077)
    try:
        cold = workshop.build(rel=rel, output_dir=str(workshop.directory / "cold"), cache_dir=str(workshop.directory / "other"))
        warm = workshop.build(rel=rel, output_dir=str(workshop.directory / "warm"))
    finally:
        os.umask(before)
    assert first["changed"] and cold["changed"] and warm["changed"]
    assert first["sha256"] == cold["sha256"] == warm["sha256"]
    assert files_of(workshop.output) == files_of(workshop.directory / "cold") == files_of(workshop.directory / "warm")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    later = workshop.build(rel=rel)
    assert {member.mtime for member in members(later["package"]).values()} == {1000000000}


class Tree:
    """An OTP tree as the real one, whose erl can be taken away."""

    def __init__(self, directory: Path, otp: Otp) -> None:
        self.root = str(directory)
        erts = directory / f"erts-{otp.erts_version}" / "bin"
        erts.mkdir(parents=True)
        for name in os.listdir(otp.erts_bin):
            (erts / name).symlink_to(Path(otp.erts_bin) / name)
        for name in ("lib", "bin", "releases"):
            (directory / name).symlink_to(Path(otp.root) / name)
        self.erlexec = erts / "erlexec"

    def break_erl(self) -> None:
        self.erlexec.unlink()
        self.erlexec.write_text("#!/bin/sh\nexit 3\n")
        self.erlexec.chmod(0o755)


@pytest.fixture
def tree(workshop: Workshop) -> Tree:
    return Tree(workshop.directory / "tree", workshop.otp)


def test_again_changes_nothing_and_needs_no_erl(workshop: Workshop, tree: Tree) -> None:
    workshop.application("pea", needs=", sasl")
    # Without ERTS in the package, since erl, which is to fail, belongs to it.
    options = {"rel": workshop.rel(*MINIMAL, "pea-1.0"), "otp_root": tree.root, "erts": "false"}
    first = workshop.build(**options)
    assert first["actions"] == [
        f"write {workshop.output}/mysystem.rel",
        f"write {workshop.output}/mysystem.boot",
        f"write {workshop.output}/mysystem.script",
        f"make the release package {workshop.output}/mysystem.tar.gz",
    ]
    tree.break_erl()
    # A file that is written anew has another inode; reading changes the access time alone.
    before = {path.name: path.stat().st_ino for path in workshop.output.iterdir()}
    again = workshop.build(**options)
    assert (again["changed"], again["actions"], again["sha256"]) == (False, [], first["sha256"])
    assert {path.name: path.stat().st_ino for path in workshop.output.iterdir()} == before
    # The package is made again when it is not what was made, out of the cache.
    package = workshop.output / "mysystem.tar.gz"
    package.write_bytes(package.read_bytes()[:1000])
    mended = workshop.build(**options)
    assert mended["actions"] == [f"make the release package {package}"]
    assert mended["sha256"] == first["sha256"]


def test_a_changed_module_needs_no_erl_but_a_changed_application_does(workshop: Workshop, tree: Tree) -> None:
    pea = workshop.application("pea", needs=", sasl")
    options = {"rel": workshop.rel(*MINIMAL, "pea-1.0"), "otp_root": tree.root, "erts": "false"}
    first = workshop.build(**options)
    tree.break_erl()
    (pea / "src/pea.erl").write_text("-module(pea).\n-export([version/0]).\nversion() -> changed.\n")
    subprocess.run(["erlc", "-o", pea / "ebin", pea / "src/pea.erl"], check=True)
    second = workshop.build(**options)
    assert second["actions"] == [f"make the release package {workshop.output}/mysystem.tar.gz"]
    assert second["sha256"] != first["sha256"]
    assert b"changed" in content(second["package"], "lib/pea-1.0/ebin/pea.beam")
    assert second["diff"]["before"].splitlines()[:-1] == second["diff"]["after"].splitlines()[:-1]
    assert second["diff"]["before"] != second["diff"]["after"]
    (pea / "ebin/pea.app").write_text((pea / "ebin/pea.app").read_text().replace("A test", "Another"))
    before = files_of(workshop.output)
    with pytest.raises(OtpError, match="erl ended with status 3 before the boot scripts were made"):
        workshop.build(**options)
    assert files_of(workshop.output) == before


def test_a_package_of_a_version_is_made_once(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    pea = workshop.application("pea", needs=", sasl")
    (pea / "priv").mkdir()
    (pea / "priv/data").write_text("first")
    options = {"rel": workshop.rel(*MINIMAL, "pea-1.0"), "replace": False}
    first = workshop.build(**options)
    (pea / "priv/data").write_text("second")
    before = files_of(workshop.output)
    for check_mode in (True, False):
        with pytest.raises(OtpError, match="MYSYSTEM FIRST has been built before, with other content .*: application pea 1.0. A package .* set replace"):
            workshop.build(**options, check_mode=check_mode)
        assert files_of(workshop.output) == before
    replaced = workshop.build(**{**options, "replace": True})
    assert replaced["changed"] and replaced["digests"] != first["digests"]
    # The same content is the same release, in whatever way it is packed.
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    assert workshop.build(**options)["digests"] == replaced["digests"]
    # The ways out: another version, and no package.
    (pea / "priv/data").write_text("third")
    second = workshop.build(**{**options, "rel": workshop.rel(*MINIMAL, "pea-1.0", version="SECOND")})
    os.unlink(second["package"])
    assert workshop.build(**options)["version"] == "SECOND"


def test_check_mode_tells_and_keeps_nothing(workshop: Workshop) -> None:
    workshop.application("pea", needs=", sasl")
    rel = workshop.rel(*MINIMAL)
    predicted = workshop.build(rel=rel, check_mode=True)
    assert not workshop.output.exists()
    assert not (workshop.directory / "cache").exists()
    done = workshop.build(rel=rel)
    assert predicted == done
    assert workshop.build(rel=rel, check_mode=True)["changed"] is False
    rel = workshop.rel(*MINIMAL, "pea-1.0")
    before = files_of(workshop.output)
    predicted = workshop.build(rel=rel, check_mode=True)
    assert files_of(workshop.output) == before
    assert predicted == workshop.build(rel=rel)
    assert "pea 1.0" not in predicted["diff"]["before"]
    assert "pea 1.0" in predicted["diff"]["after"]


def test_files_that_lie_around_are_not_taken(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    pea = workshop.application("pea")
    for directory in (workshop.directory, pea / "ebin", workshop.directory / "home"):
        directory.mkdir(exist_ok=True)
        for name in ("start.boot", "relup", "sys.config", "sys.config.src", "plain.boot", "release.boot"):
            (directory / name).write_text("junk")
        (directory / ".erlang").write_text("halt(3).\n")
    monkeypatch.chdir(workshop.directory)
    monkeypatch.setenv("HOME", str(workshop.directory / "home"))
    monkeypatch.setenv("ERL_FLAGS", "-eval halt(4).")
    monkeypatch.setenv("ERL_LIBS", str(workshop.directory / "lib"))
    found = members(workshop.build(rel=workshop.rel(*MINIMAL, "pea-1.0"))["package"])
    assert not {"releases/FIRST/relup", "releases/FIRST/sys.config", "releases/FIRST/sys.config.src"} & set(found)
    assert found["releases/FIRST/start.boot"].size > 4


def test_the_same_code_from_another_checkout_has_the_bytes_from_before(workshop: Workshop) -> None:
    def build(place: str, output: str, version: str = "FIRST", **options) -> dict:
        pea = workshop.application("pea", place=f"{place}/pea-1.0")
        (pea / "priv").mkdir()
        (pea / "priv/data").write_text("data")
        rel = workshop.rel(*MINIMAL, "pea-1.0", version=version)
        return workshop.build(rel=rel, code_path=(str(pea / "ebin"),), output_dir=str(workshop.directory / output), replace=False, **options)

    first = build("one", "out")
    again = build("two", "out")
    assert (again["changed"], again["sha256"]) == (False, first["sha256"])
    assert [(found["kind"], found["term"]) for found in again["diagnostics"]] == [("same_code", "pea-1.0")]
    second = build("three", "second", "SECOND", base=first["package"])
    assert [found["kind"] for found in second["diagnostics"]] == ["same_code"] and "lib/pea-1.0" in second["thin"]["without"]
    module = "lib/pea-1.0/ebin/pea.beam"
    assert content(second["package"], module) == content(first["package"], module)
    assert content(second["package"], module) != (workshop.directory / "three/pea-1.0/ebin/pea.beam").read_bytes()
