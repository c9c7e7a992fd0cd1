# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OTP's cases target_system, target_system_unicode and move_system: a whole target system where it was installed, and moved elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from case_site import Cases, reboot
from handler_site import System, disagreements, files_of
from waiting import LIMIT

from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import parse_releases
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import as_text

GREEK = "\u03b1\u03b2"
SAYS = '-export([version/0]).\nversion() -> "%s".\n'


def make_cases(directory: Path) -> Cases:
    """Releases FIRST and SECOND, with a relup between them."""
    cases = Cases(directory)
    way = '[{"1.0", [{load_module, says}]}]'
    cases.application("says", "1.0", {"says": SAYS % "1.0"})
    cases.application("says", "2.0", {"says": SAYS % "2.0"}, appup=f"{way}, {way}")
    cases.release("FIRST", "says-1.0")
    cases.release("SECOND", "says-2.0", up=["FIRST"], down=["FIRST"])
    return cases


@pytest.fixture(scope="module", params=["latin", GREEK])
def cases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """Built below a directory by that name, too."""
    directory = tmp_path_factory.mktemp("target") / request.param
    directory.mkdir()
    return make_cases(directory)


def version(system: System) -> str:
    """That of the code which the node runs."""
    return as_text(system.call("says", "version"))


def basic(root: str, expression: str, **environment: str) -> str:
    """What the basic system says, that of bin/erl."""
    command = [f"{root}/bin/erl", "-noinput", "+pc", "unicode", "-eval", f'io:setopts([{{encoding, unicode}}]), io:format("~tp", [{expression}]), halt().']
    environment = {"PATH": "/usr/bin:/bin", "HOME": root, "LC_ALL": "C.UTF-8", **environment}
    said = subprocess.run(command, env=environment, capture_output=True, timeout=LIMIT, check=True, encoding="utf-8")
    return re.sub(r"\s", "", said.stdout)


def test_target_system(cases: Cases) -> None:
    """OTP: target_system's create and install leave the files of a target system, which boots, knows its root directory and has one
    release, permanent; also where paths have Greek letters. Here the same of otp_release_build and otp_release_install, embedded and
    under heart; and the system goes to another release, is started again on it, and goes back."""
    place = cases.directory.name
    with System(cases, place=place) as system:
        root = Path(system.root)
        programs = {"erl", "start", "stop", "start_erl", "epmd", "run_erl", "to_erl"}
        assert {path.name for path in (root / "bin").iterdir()} == {*programs, "start.boot", "environment"}
        assert all(os.access(root / "bin" / program, os.X_OK) for program in programs)
        erts = cases.otp.erts_version
        assert (root / "releases/start_erl.data").read_text().split() == [erts, "FIRST"] and (root / f"erts-{erts}/bin/beam.smp").exists()
        assert {path.name.partition("-")[0] for path in (root / "lib").iterdir()} == {"kernel", "stdlib", "sasl", "says"}
        assert {"start.boot", "sys.config", "FIRST.rel"} <= {path.name for path in (root / "releases/FIRST").iterdir()}
        (entry,) = parse_releases((root / "releases/RELEASES").read_bytes(), filename="RELEASES")
        assert entry.status == "permanent" and all(library.directory.startswith("lib/") for library in entry.libraries)
        assert basic(system.root, "code:root_dir()") == f'"{root}"'
        system.start()
        assert (system.observe().root, system.statuses(), version(system)) == (str(root), {"FIRST": "permanent"}, "1.0")
        system.take("SECOND", "permanent")
        reboot(system)
        assert (system.observe().root, system.statuses(), version(system)) == (str(root), {"SECOND": "permanent", "FIRST": "old"}, "2.0")
        system.take("FIRST", "permanent", package=False)
        system.take("SECOND", "absent")
        assert system.statuses() == {"FIRST": "permanent"} and version(system) == "1.0" and disagreements(system) == []


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return make_cases(tmp_path_factory.mktemp("move"))


def copied(old: Path, new: Path) -> None:
    shutil.copytree(old, new, symlinks=True)


def renamed(old: Path, new: Path) -> None:
    old.rename(new)


def linked(old: Path, new: Path) -> None:
    new.symlink_to(old)


@pytest.mark.parametrize("move", [copied, renamed, linked])
def test_move_system(moving: Cases, move: t.Callable[[Path, Path], None]) -> None:
    """OTP: an installed tree still runs when it has been copied, renamed or linked to, for RELEASES has relative paths; and there it
    takes a new release, goes back and removes it. Here the same, with the start scripts written for the new place."""
    with System(moving) as system:
        system.start()
        _node.stop(system.root)
        old, new = Path(system.root), system.directory / "elsewhere"
        move(old, new)
        left = files_of(str(old))
        system.root = str(new)
        system.write_scripts()
        assert basic(system.root, "code:root_dir()", ERL_ROOTDIR=system.root) == f'"{new}"'
        pid = system.start().pid
        assert system.observe().root == str(new) and system.statuses() == {"FIRST": "permanent"} and version(system) == "1.0"
        system.take("SECOND", "permanent")
        assert version(system) == "2.0" and as_text(system.call("code", "lib_dir")) == f"{new}/lib"
        # With the release, bin/erl was written for the new place.
        assert basic(system.root, "code:root_dir()") == f'"{new}"'
        system.take("FIRST", "permanent", package=False)
        system.take("SECOND", "absent")
        assert version(system) == "1.0" and system.pid == pid and system.statuses() == {"FIRST": "permanent"}
        assert not (new / "lib/says-2.0").exists() and disagreements(system) == []
        if move is copied:
            assert files_of(str(old)) == left
