# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installed tree described: what lies there, and each disagreement by its sentence."""

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._info.target import describe_target, read_target
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum, release_members, write_package


@pytest.fixture
def package(tmp_path: Path) -> str:
    return write_package(tmp_path / "first.tar.gz", release_members())


@pytest.fixture
def root(tmp_path: Path, package: str) -> Path:
    """FIRST is permanent, SECOND is old."""
    second = write_package(tmp_path / "second.tar.gz", release_members("SECOND", app_version="2.0", erts="15.2.7"))
    for name in (second, package):
        install_release(root=str(tmp_path / "root"), package=name, changes=Changes(), state="permanent", flush=False)
    return tmp_path / "root"


def test_nothing_there(tmp_path: Path) -> None:
    described = describe_target(read_target(str(tmp_path / "none")))
    assert described == {"installed": False, "releases": [], "permanent": None, "erts_versions": [], "packages": [], "disagreements": []}


def test_described(root: Path, package: str) -> None:
    (root / "releases/next.tar.gz").write_bytes(b"12345")
    (root / "releases/FIRST/relup").write_bytes(b"")
    described = describe_target(read_target(str(root)))
    json.dumps(described)
    assert described["disagreements"] == []
    assert described["permanent"] == {"release": "FIRST", "erts_version": "13.1.5"}
    assert described["erts_versions"] == ["13.1.5", "15.2.7"]
    assert described["packages"] == [{"path": f"{root}/releases/next.tar.gz", "size": 5}]
    first, second = described["releases"]
    assert (first["version"], first["status"], second["version"], second["status"]) == ("FIRST", "permanent", "SECOND", "old")
    assert second == {
        "name": "SYSTEM",
        "version": "SECOND",
        "erts_version": "15.2.7",
        "status": "old",
        "applications": {"kernel": "8.5.3", "stdlib": "4.2", "pea": "2.0"},
        "directory": f"{root}/releases/SECOND",
        "package_sha256": second["package_sha256"],
        "has_relup": False,
        "has_sys_config": True,
    }
    assert first["package_sha256"] == checksum(package)[len("sha256:") :]
    assert first["has_relup"]


def test_below_a_destdir(root: Path, tmp_path: Path) -> None:
    (tmp_path / "image/srv").mkdir(parents=True)
    shutil.move(str(root), str(tmp_path / "image/srv/system"))
    described = describe_target(read_target("/srv/system", str(tmp_path / "image")))
    assert described["releases"][0]["directory"] == "/srv/system/releases/FIRST"
    # The scripts have the path of the first place in them.
    assert described["disagreements"] == ["bin/erl runs the system of another root directory than /srv/system"]


def remove(path: str) -> t.Callable[[Path], object]:
    return lambda root: shutil.rmtree(root / path) if (root / path).is_dir() else (root / path).unlink()


def write(path: str, content: str) -> t.Callable[[Path], object]:
    return lambda root: (root / path).write_text(content)


def replace(path: str, old: str, new: str) -> t.Callable[[Path], object]:
    return lambda root: (root / path).write_text((root / path).read_text().replace(old, new))


DAMAGES: dict[str, tuple[t.Callable[[Path], object], str]] = {
    "RELEASES unreadable": (write("releases/RELEASES", "[{release,\n]."), "releases/RELEASES, line 2, column 1"),
    "RELEASES missing": (remove("releases/RELEASES"), "releases/RELEASES is missing: release_handler makes up an entry"),
    "start_erl.data missing": (remove("releases/start_erl.data"), "releases/start_erl.data is missing"),
    "start_erl.data empty": (write("releases/start_erl.data", ""), "start_erl.data"),
    "no permanent": (replace("releases/RELEASES", "permanent", "unpacked"), "RELEASES has no permanent release"),
    "two permanent": (replace("releases/RELEASES", "old", "permanent"), "several permanent releases: FIRST, SECOND"),
    "other boots": (write("releases/start_erl.data", "15.2.7 SECOND"), "start_erl.data boots release SECOND, RELEASES calls FIRST permanent"),
    "other ERTS boots": (write("releases/start_erl.data", "15.2.7 FIRST"), "boots release FIRST on ERTS 15.2.7, RELEASES has ERTS 13.1.5"),
    "unknown boots": (write("releases/start_erl.data", "13.1.5 THIRD"), "start_erl.data boots release THIRD, which RELEASES does not list"),
    "missing ERTS boots": (write("releases/start_erl.data", "14.0 FIRST"), "start_erl.data boots on ERTS 14.0, and erts-14.0 is missing"),
    "ERTS missing": (remove("erts-15.2.7"), "release SECOND: erts-15.2.7 is missing"),
    "ERTS of bin/erl": (remove("erts-13.1.5"), "bin/erl needs erts-13.1.5, which is missing"),
    "library missing": (remove("lib/pea-2.0"), "release SECOND: the library pea 2.0 is missing"),
    "library incomplete": (remove("lib/pea-2.0/ebin/pea.app"), "the library pea 2.0 is incomplete"),
    "no libraries": (
        write("releases/RELEASES", '[{release,"SYSTEM","FIRST","13.1.5",[],permanent}].'),
        "release FIRST has no libraries in RELEASES: when another release is removed, theirs are deleted with it",
    ),
    "directory missing": (remove("releases/SECOND"), "release SECOND: its directory releases/SECOND is missing"),
    "start.boot missing": (remove("releases/SECOND/start.boot"), "release SECOND: releases/SECOND/start.boot is missing"),
    "sys.config missing": (remove("releases/SECOND/sys.config"), "release SECOND: releases/SECOND/sys.config is missing"),
    "sys.config to be made": (
        lambda root: (root / "releases/FIRST/sys.config").rename(root / "releases/FIRST/sys.config.src"),
        "make it from sys.config.src",
    ),
    "orphan": (lambda root: (root / "releases/THIRD").mkdir(), "the directory releases/THIRD belongs to no release in RELEASES"),
    "left emulator": (lambda root: (root / "releases/__new_emulator__FIRST").mkdir(), "was left by an upgrade that changed the emulator"),
    "left entry": (replace("releases/RELEASES", '"SECOND"', '"__new_emulator__SECOND"'), "was left in RELEASES by an upgrade that was not finished"),
    "start not executable": (lambda root: (root / "bin/start").chmod(0o644), "bin/start is not executable"),
    "start missing": (remove("bin/start"), "bin/start is missing"),
    "erl of another tree": (write("bin/erl", "ROOTDIR=/usr/lib/erlang\n"), "bin/erl runs the system of another root directory"),
    "staging": (lambda root: (root / ".staging").mkdir(), ".staging was left by an interrupted installation"),
    "RELEASES is a directory": (
        lambda root: ((root / "releases/RELEASES").unlink(), (root / "releases/RELEASES").mkdir()),
        "releases/RELEASES is not a regular file",
    ),
    "releases is a file": (lambda root: (shutil.rmtree(root / "releases"), (root / "releases").write_text("")), "releases/RELEASES cannot be read"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_disagreement(root: Path, case: str) -> None:
    damage, sentence = DAMAGES[case]
    assert read_target(str(root)).disagreements == ()
    damage(root)
    described = describe_target(read_target(str(root)))
    assert any(sentence in found for found in described["disagreements"]), described["disagreements"]


def test_a_release_that_was_unpacked_for_a_client_needs_no_configuration_on_its_master(root: Path) -> None:
    replace("releases/RELEASES", "old", "unpacked")(root)
    (root / "releases/SECOND/sys.config").unlink()
    assert len(read_target(str(root)).disagreements) == 1
    of_client = root / "clients/pea@h/releases/SECOND"
    of_client.mkdir(parents=True)
    (of_client / "sys.config").write_text("[].\n")
    (of_client.parent / "RELEASES").write_text("[].\n")
    assert read_target(str(root)).disagreements == ()
    replace("releases/RELEASES", "unpacked", "old")(root)
    assert len(read_target(str(root)).disagreements) == 1


def test_orphans_are_described(root: Path) -> None:
    (root / "releases/RELEASES").unlink()
    described = describe_target(read_target(str(root)))
    assert [(entry["version"], entry["status"]) for entry in described["releases"]] == [("FIRST", None), ("SECOND", None)]


def test_bad_root() -> None:
    with pytest.raises(OtpError, match="is not an absolute path"):
        read_target("relative")


def test_a_damaged_file_is_told_with_the_way_out(tmp_path):
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases" / "RELEASES").write_text("gar ble")
    (tmp_path / "releases" / "start_erl.data").write_text("one word too many\n")
    told = read_target(str(tmp_path)).disagreements
    assert all("Repair the file, or remove it" in sentence for sentence in told[:2])
    assert "RELEASES, line 1, column 5" in told[0] and "start_erl.data" in told[1]
