# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages of any size: a build, what the controller reads in check mode, and an installation take at most 128 MiB more than Python itself.

Each is a separate process, whose peak is that of its memory map (VmHWM of proc(5)): that of getrusage(2) counts what the process was forked from.
Emulators and strip(1) are other processes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import typing as t
from pathlib import Path

import pytest
from release_workshop import MINIMAL, Workshop

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.beam_files import beam

MIB = 1 << 20
LIMIT = 128 * MIB
# So that a single copy in memory is too much.
SIZE = 144 * MIB

PROGRAM = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
given = json.loads(sys.argv[2])
{}
with open("/proc/self/status") as file:
    peak = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
print(json.dumps([result, peak]))
"""
BUILD = """
from ansible_collections.erlang.otp.plugins.module_utils._build.build import build_release
from ansible_collections.erlang.otp.plugins.module_utils._build.inputs import Options
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import ScriptOptions
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
changes, script = Changes(check_mode=given.pop("check_mode", False)), ScriptOptions(variables=tuple(map(tuple, given.pop("variables", []))))
result = build_release(Options(script=script, **{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}), changes)
"""
READ = """
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import contents_of
result = contents_of(given["package"])
"""
INSTALL = """
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
changes = Changes(check_mode=given.get("check_mode", False))
result = {**install_release(root=given["root"], package=given["package"], changes=changes, flush=False), "actions": changes.actions}
"""


def run(work: str, **given: t.Any) -> tuple[t.Any, int]:
    """The result of the work in a new process, and the peak of its memory."""
    command = [sys.executable, "-I", "-c", PROGRAM.format(work), json.dumps(sys.path), json.dumps(given)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    result, peak = json.loads(done.stdout)
    return result, peak


@pytest.fixture(scope="module")
def python() -> int:
    return run("result = None")[1]


class Large(Workshop):
    """Releases with large files."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, find_otp(None))
        self.extra: dict[str, t.Any] = {}

    def pea(self, version: str = "1.0") -> Path:
        directory = self.application("pea", version)
        (directory / "priv").mkdir()
        return directory / "priv"

    def options(self, version: str = "FIRST", pea: str = "pea-1.0", **more: t.Any) -> dict[str, t.Any]:
        """Of a build of the release with pea and all other applications in lib."""
        others = [path.name for path in (self.directory / "lib").iterdir() if not path.name.startswith("pea-")]
        chosen = {"rel": self.rel(*MINIMAL, pea, *others, version=version), "code_path": [str(self.directory / "lib/*/ebin")]}
        return {**chosen, "output_dir": str(self.directory / version), "cache_dir": str(self.directory / "cache"), "replace": True, **self.extra, **more}


def sparse(path: Path, size: int = SIZE) -> None:
    """A file that is read and compressed quickly."""
    with path.open("wb") as file:
        file.truncate(size)


def stored(path: Path, size: int = SIZE) -> None:
    """A file of which the package has all bytes, and which costs no compression: a BEAM file with debug information."""
    block = os.urandom(MIB)
    with path.open("wb") as file:
        file.write(b"FOR1" + (size + 12).to_bytes(4, "big") + b"BEAM" + b"Dbgi" + size.to_bytes(4, "big") + b"\x83P")
        for dummy in range(size // MIB):
            file.write(block)


def one_file(site: Large) -> None:
    stored(site.pea() / "model.bin")


def many_files(site: Large) -> None:
    priv = site.pea()
    for number in range(SIZE // (6 * MIB)):
        sparse(priv / str(number), 6 * MIB)


def many_applications(site: Large) -> None:
    site.pea()
    for number in range(SIZE // (6 * MIB)):
        directory = site.directory / f"lib/pea{number}-1"
        (directory / "ebin").mkdir(parents=True)
        (directory / "priv").mkdir()
        resource = (
            f'{{application, pea{number}, [{{description, ""}}, {{vsn, "1"}}, {{modules, []}}, {{registered, []}}, {{applications, [kernel, stdlib]}}]}}.\n'
        )
        (directory / f"ebin/pea{number}.app").write_text(resource)
        stored(directory / "priv/data", 6 * MIB)
    # Nothing can be put aside there.
    site.extra["cache_dir"] = "/proc/nowhere"


def library(site: Large) -> None:
    priv = site.pea()
    (priv / "pea.so").write_bytes(Path(site.otp.erts_bin, "beam.smp").read_bytes())
    with (priv / "pea.so").open("r+b") as file:
        file.truncate(SIZE)
    site.extra["strip"] = True


def module(site: Large) -> None:
    site.pea()
    code = beam("pea", exports=["version/0"], code="return")
    debug = b"Dbgi" + (60 * MIB).to_bytes(4, "big") + os.urandom(MIB) * 60
    (site.directory / "lib/pea-1.0/ebin/pea.beam").write_bytes(b"FOR1" + (len(code) - 8 + len(debug)).to_bytes(4, "big") + code[8:] + debug)


def extra_file(site: Large) -> None:
    site.pea()
    stored(site.directory / "map")
    site.extra["extra_files"] = [[str(site.directory / "map"), "share/map"]]


def archive_of_a_variable(site: Large) -> None:
    stored(site.pea() / "model.bin")
    site.extra["variables"] = [["SECOND_ROOT", str(site.directory / "lib")]]


def archive_beside(site: Large) -> None:
    archive_of_a_variable(site)
    site.extra["var_tar"] = "ownfile"


@pytest.fixture
def site(tmp_path: Path) -> t.Iterator[Large]:
    yield Large(tmp_path)
    # pytest would keep it.
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("kind", [many_files, many_applications, library, extra_file, archive_of_a_variable], ids=lambda kind: kind.__name__)
def test_a_build(site: Large, python: int, kind: t.Callable[[Large], None]) -> None:
    kind(site)
    built, peak = run(BUILD, **site.options())
    with tarfile.open(built["package"]) as archive:
        assert sum(member.size for member in archive) >= SIZE
    assert peak - python < LIMIT


@pytest.mark.parametrize("kind", [one_file, module], ids=lambda kind: kind.__name__)
def test_a_build_and_what_becomes_of_the_package(site: Large, python: int, kind: t.Callable[[Large], None]) -> None:
    kind(site)
    built, peak = run(BUILD, **site.options())
    assert peak - python < LIMIT
    assert run(READ, package=built["package"])[1] - python < LIMIT
    root = site.directory / "root"
    for check_mode in (True, False):
        result, peak = run(INSTALL, package=built["package"], root=str(root), check_mode=check_mode)
        assert peak - python < LIMIT and result["actions"]
    # All files are compared.
    (root / "releases/FIRST/package.json").unlink()
    result, peak = run(INSTALL, package=built["package"], root=str(root))
    assert peak - python < LIMIT and (root / "releases/FIRST/package.json").exists()


def test_an_archive_beside_the_package_is_compared_with_the_one_that_is_there(site: Large, python: int) -> None:
    archive_beside(site)
    built, peak = run(BUILD, **site.options())
    archive = site.directory / "FIRST/SECOND_ROOT.tar.gz"
    assert peak - python < LIMIT and archive.stat().st_size > SIZE
    (site.directory / "FIRST/.mysystem.build.json").unlink()
    again, peak = run(BUILD, **site.options())
    assert peak - python < LIMIT and (again["changed"], again["sha256"]) == (False, built["sha256"])
    archive.write_bytes(b"")
    again, peak = run(BUILD, **site.options())
    assert again["actions"] == [f"write {archive}"] and archive.stat().st_size > SIZE


def test_a_thin_package_and_a_relup_from_large_packages(site: Large, python: int) -> None:
    for version in ("1.0", "2.0"):
        stored(site.pea(version) / "model.bin")
        (site.directory / f"lib/pea-{version}/ebin/pea.appup").write_text('{"2.0", [{"1.0", [{load_module, pea}]}], [{"1.0", []}]}.\n')
    base, dummy = run(BUILD, **site.options())
    options = site.options("SECOND", "pea-2.0", base=base["package"], upgrade_from=[base["package"]], downgrade_to=[base["package"]])
    for check_mode in (True, False):
        built, peak = run(BUILD, **options, check_mode=check_mode)
        assert peak - python < LIMIT and [step["from"] for step in built["relup"]] == ["FIRST", "SECOND"]
    root = str(site.directory / "root")
    run(INSTALL, package=base["package"], root=root)
    result, peak = run(INSTALL, package=built["thin"]["package"], root=root)
    assert peak - python < LIMIT and result["actions"]
    assert Path(root, "lib/pea-2.0/priv/model.bin").stat().st_size == (site.directory / "lib/pea-2.0/priv/model.bin").stat().st_size
