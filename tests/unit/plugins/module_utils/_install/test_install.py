# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases in a tree: present, permanent, again, and in check mode."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import parse_releases
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._install.outcome import PackageNeeded
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.install_host import Host, second
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.reachable import reachable
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum, tree


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


# The first release


def test_first_release_is_permanent(host: Host) -> None:
    result = host.run(host.package())
    assert (result["name"], result["release"], result["erts_version"], result["status"]) == ("SYSTEM", "FIRST", "13.1.5", "permanent")
    assert result["applications"] == {"kernel": "8.5.3", "stdlib": "4.2", "pea": "1.0"}
    assert host.read("releases/start_erl.data").split() == [b"13.1.5", b"FIRST"]
    (entry,) = parse_releases(host.read("releases/RELEASES"), filename="RELEASES")
    assert [library.directory for library in entry.libraries] == ["lib/kernel-8.5.3", "lib/stdlib-4.2", "lib/pea-1.0"]
    assert (host.root / "log").is_dir()
    assert host.read("releases/FIRST/start_clean.boot") == host.read("bin/start.boot")
    assert not (host.root / ".staging").exists()


def test_scripts_run_this_tree(host: Host) -> None:
    host.run(host.package())
    for name in ("erl", "start"):
        assert f"ROOTDIR={'${ERL_ROOTDIR:-' if name == 'erl' else ''}'{host.root}'" in host.read(f"bin/{name}").decode()
        assert stat.S_IMODE((host.root / "bin" / name).stat().st_mode) == 0o755


def test_libraries_are_absolute_before_otp_25(host: Host) -> None:
    host.run(host.package(erts="12.3.2"))
    assert f'"{host.root}/lib/kernel-8.5.3"'.encode() in host.read("releases/RELEASES")


def test_destdir(host: Host, tmp_path: Path) -> None:
    install_release(root="/srv/system", destdir=str(tmp_path / "image"), package=host.package(), changes=Changes(), flush=False)
    assert b"'/srv/system'" in (tmp_path / "image/srv/system/bin/erl").read_bytes()


def test_mode_keeps_others_out(host: Host) -> None:
    host.run(host.package(), mode=0o750)
    assert [path for path, (mode, content) in tree(host.root).items() if mode & 0o027 and not stat.S_ISLNK(mode)] == []
    assert stat.S_IMODE((host.root / "bin/erl").stat().st_mode) == 0o750


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owner(host: Host) -> None:
    reachable(host.root.parent)
    host.run(host.package(), uid=4321, gid=1234)
    owners = {(path.lstat().st_uid, path.lstat().st_gid) for path in [host.root, *host.root.rglob("*")]}
    assert owners == {(4321, 1234)}
    # By default the next release belongs to whom the system belongs.
    host.run(second(host))
    assert (host.root / "releases/SECOND").stat().st_uid == (host.root / "releases/RELEASES").stat().st_uid == 4321


def test_templates_of_otp_are_used(host: Host) -> None:
    more = {f"erts-13.1.5/bin/{name}.src": f"#!/bin/sh\n# {name}\nROOTDIR=%FINAL_ROOTDIR%\nEMU=%EMU% %VSN% %OTHER%\n".encode() for name in ("erl", "start")}
    host.run(host.package(more=more), emulator="beam.debug")
    assert host.read("bin/erl").decode() == f"#!/bin/sh\n# erl\nROOTDIR={host.root}\nEMU=beam.debug 13.1.5 %OTHER%\n"
    assert b"awk" not in host.read("bin/start_erl")


@pytest.mark.parametrize("path", ["bin/erl", "erts-13.1.5/bin/erl"])
def test_an_erl_of_the_build_host_is_replaced(host: Host, path: str) -> None:
    foreign = b'#!/bin/sh\nROOTDIR="$dyn_rootdir"\nROOTDIR=/usr/lib/erlang\nexec $ROOTDIR/erts-13.1.5/bin/erlexec\n'
    host.run(host.package(more={path: foreign}))
    assert str(host.root).encode() in host.read(path)
    host.run(host.package(more={path: foreign, "x": b"another package"}))


def test_own_start_of_a_package_is_kept(host: Host) -> None:
    host.run(host.package(more={"bin/start": b"#!/bin/sh\nmine\n"}))
    assert host.read("bin/start") == b"#!/bin/sh\nmine\n"


def test_package_without_top_level_files(host: Host) -> None:
    """As systools:make_tar/2 makes it."""
    host.run(host.package(without=["bin/", "log", "releases/start_erl.data"]))
    assert host.read("bin/run_erl") == host.read("erts-13.1.5/bin/run_erl")
    assert host.read("releases/start_erl.data").split() == [b"13.1.5", b"FIRST"]


# Again, and what comes next


def test_second_run_changes_nothing(host: Host) -> None:
    package = host.package()
    host.run(package)
    before = tree(host.root)
    result = host.run(None, checksum=checksum(package))
    assert (host.actions, result["status"], tree(host.root)) == ([], "permanent", before)


def test_second_run_imports_little(host: Host) -> None:
    package = host.package()
    host.run(package)
    collections = Path(sys.modules[Changes.__module__].__file__).parents[6]
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release\n"
        "from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes\n"
        "install_release(root=sys.argv[2], checksum=sys.argv[3], changes=Changes())\n"
        "print([name for name in ('typing', 'threading', 'hashlib', 'contextlib') if name in sys.modules])\n"
    )
    command = [sys.executable, "-I", "-S", "-c", program, str(collections), str(host.root), checksum(package)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "[]\n"


def test_lacking_package_is_asked_for_and_nothing_is_touched(host: Host) -> None:
    package = host.package()
    with pytest.raises(PackageNeeded):
        host.run(None, checksum=checksum(package))
    assert not host.root.exists()


def test_second_release_is_unpacked(host: Host) -> None:
    host.run(host.package())
    kept = {path: host.read(path) for path in ("bin/erl", "bin/start.boot", "bin/run_erl", "releases/start_erl.data")}
    assert host.run(second(host))["status"] == "unpacked"
    assert host.statuses() == {"SECOND": "unpacked", "FIRST": "permanent"}
    assert {path: host.read(path) for path in kept} == kept


def test_upgrade_only_package(host: Host) -> None:
    """Neither ERTS nor the libraries that are there already."""
    host.run(host.package())
    thin = host.package("SECOND", app_version="2.0", without=["bin/", "log", "releases/start_erl.data", "erts-", "lib/kernel", "lib/stdlib"])
    host.run(thin)
    assert host.statuses()["SECOND"] == "unpacked"


def test_permanent(host: Host) -> None:
    first, next_one = host.package(), second(host)
    host.run(first)
    host.run(next_one)
    (host.root / "bin/start").write_bytes(b"#!/bin/sh\n# with flags\n")
    assert host.run(None, checksum=checksum(next_one), state="permanent")["status"] == "permanent"
    assert host.statuses() == {"SECOND": "permanent", "FIRST": "old"}
    assert host.read("releases/start_erl.data").split() == [b"15.2.7", b"SECOND"]
    assert b"erts-15.2.7" in host.read("bin/erl")
    assert host.read("bin/run_erl") == host.read("erts-15.2.7/bin/run_erl")
    assert host.read("bin/start.boot") == b"plain boot of 15.2.7"
    assert host.read("bin/start") == b"#!/bin/sh\n# with flags\n"
    host.run(None, checksum=checksum(next_one), state="permanent")
    assert host.actions == []
    host.run(first, state="permanent")
    assert host.statuses() == {"SECOND": "old", "FIRST": "permanent"}


def test_a_missing_library_is_brought_back(host: Host) -> None:
    package = host.package()
    host.run(package)
    before = tree(host.root)
    shutil.rmtree(host.root / "lib/pea-1.0")
    with pytest.raises(PackageNeeded):
        host.run(None, checksum=checksum(package))
    host.run(package)
    assert tree(host.root) == before


@pytest.mark.parametrize("path", ["bin/erl", "bin/run_erl", "releases/RELEASES", "releases/start_erl.data"])
def test_a_missing_file_is_made_again(host: Host, path: str) -> None:
    package = host.package()
    host.run(package)
    before = tree(host.root)
    (host.root / path).unlink()
    host.run(None, checksum=checksum(package))
    assert host.actions
    assert tree(host.root) == before


def test_left_staging_is_removed(host: Host) -> None:
    package = host.package()
    host.run(package)
    (host.root / ".staging/lib/pea-3.0").mkdir(parents=True)
    (host.root / ".staging/link").symlink_to(host.directory)
    host.run(package)
    assert not (host.root / ".staging").exists()
    assert len(host.actions) == 1
    assert host.directory.is_dir()


# Check mode


def test_check_mode_of_each_state(host: Host) -> None:
    package, next_one = host.package(), second(host)
    for run in (
        lambda check: host.run(package, check=check),
        lambda check: host.run(next_one, check=check),
        lambda check: host.run(next_one, check=check, state="permanent"),
        lambda check: host.remove("FIRST", check=check),
    ):
        before = tree(host.root)
        predicted = run(True)
        said = host.actions
        assert tree(host.root) == before
        done = run(False)
        assert said and host.actions
        assert predicted["diff"] == done["diff"]
        assert predicted["status"] == done["status"]
        run(True)
        assert host.actions == []


def test_check_mode_without_package(host: Host) -> None:
    package = host.package()
    release = {"name": "SYSTEM", "version": "FIRST", "erts_version": "13.1.5", "applications": {"kernel": "8.5.3", "stdlib": "4.2", "pea": "1.0"}}
    predicted = host.run(None, checksum=checksum(package), release=release, check=True)
    assert not host.root.exists()
    assert predicted["diff"] == host.run(package)["diff"]


def test_check_mode_finds_what_would_be_refused(host: Host) -> None:
    host.run(host.package())
    host.refuses(host.package("SECOND", more={"lib/pea-1.0/ebin/pea.beam": b"other"}), "lib/pea-1.0/ebin/pea.beam differs", check=True)
