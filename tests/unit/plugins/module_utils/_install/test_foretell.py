# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rule: in check mode, a package that is on the controller alone is refused as the installation would refuse it, and in the same words."""

from __future__ import annotations

import collections
import os
import struct
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._target_system.system import System
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import contents_of
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.install_host import Host, second
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum

BEAM = "erts-13.1.5/bin/beam.smp"
OTHER_MACHINE = b"\x7fELF\x02\x01" + bytes(12) + struct.pack("<H", 8) + bytes(60)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def refusals(host: Host, package: str) -> list[str]:
    """Of a run in check mode without the package, and of one with it."""
    said = []
    for given, release, check in ((None, contents_of(package), True), (package, None, False)):
        with pytest.raises(OtpError) as error:
            host.run(given, check=check, checksum=checksum(package), release=release)
        said.append(str(error.value))
    return said


def test_another_machine_type(host: Host) -> None:
    foretold, came = refusals(host, host.package(more={BEAM: OTHER_MACHINE}))
    assert foretold == came and f"{BEAM} was made for mips, 64 bits" in came


def test_a_library_that_nobody_has(host: Host) -> None:
    foretold, came = refusals(host, host.package(without=["lib/stdlib"]))
    assert foretold == came and "needs lib/stdlib-4.2" in came


CHANGED = "lib/pea-1.0/ebin/pea.beam"


@pytest.mark.parametrize(
    ("more", "without", "word"),
    [
        ({CHANGED: b"other", "lib/stdlib-4.2/priv/new": b"new"}, [], f"there, {CHANGED} differs, lib/stdlib-4.2/priv/new is missing."),
        ({"releases/FIRST/start.boot": b"other"}, [], "there, releases/FIRST/start.boot differs."),
        ({}, [CHANGED], f"there, {CHANGED} is an extra module."),
        ({"lib/pea-1.0/priv/empty": None}, [], "there, lib/pea-1.0/priv/empty is missing."),
        # Another release that has the library.
        ({"releases/THIRD/start.boot": b"boot", CHANGED: b"other"}, [], f"there, {CHANGED} differs."),
    ],
)
def test_other_content(host: Host, more: dict[str, t.Any], without: list[str], word: str) -> None:
    host.run(host.package())
    version = "THIRD" if any("THIRD" in path for path in more) else "FIRST"
    foretold, came = refusals(host, host.package(version, more=more, without=without))
    assert foretold == came and word in came


@pytest.mark.parametrize("path", ["lib/pea-1.0/priv/written", "releases/FIRST/written", "lib/pea-1.0/ebin/pea.appup"])
def test_what_is_there_besides(host: Host, path: str) -> None:
    """By the node, or by an earlier package."""
    host.run(host.package())
    (host.root / path).parent.mkdir(exist_ok=True)
    (host.root / path).write_text("written")
    other = host.package(more={"etc/more": b"more"})
    for given, release, check in ((None, contents_of(other), True), (other, None, False)):
        assert host.run(given, check=check, checksum=checksum(other), release=release)["status"] == "permanent"


def test_room(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what the tree lacks needs room."""
    host.run(host.package())
    package, space = second(host), collections.namedtuple("space", "f_bavail f_frsize")
    contents = contents_of(package)
    needed = sum(size for path, size in contents["sizes"].items() if not (host.root / path).exists())
    assert 0 < needed < sum(contents["sizes"].values())
    for free in (needed, needed - 1):
        monkeypatch.setattr(os, "statvfs", lambda _path, free=free: space(free, 1))

        def run() -> t.Any:
            return host.run(None, check=True, checksum=checksum(package), release=contents)

        if free == needed:
            assert run()["release"] == "SECOND"
        else:
            with pytest.raises(OtpError, match=r"No space left on device. Nothing is half installed. Make room: 0.0 MiB is free, and the whole package needs"):
                run()


def test_a_deploy_with_nothing_to_install_loads_no_code_of_the_installation() -> None:
    system = System.__module__
    program = f"import sys, {system}; print([name for name in sys.modules if name.endswith(('_install.unpack', '_tree.extra_files', '_tree.own_files'))])"
    done = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": os.pathsep.join(sys.path)}, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "[]\n"
