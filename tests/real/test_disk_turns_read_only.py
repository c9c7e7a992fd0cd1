# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The disk of a system turns read-only in the middle of a run, as Linux does with ext4 when it finds an error: the run says so, and the next one goes on."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
from fault_site import ROOT, Host, Manifest, Operation, target_system
from handler_site import Releases

SIZE = 96 << 20
# Before which of the changes below the root directory, of a hundred.
MOMENTS = (3, 60, 97)


class Disk:
    """An ext4 image on which the root directory of the host's system is."""

    def __init__(self, host: Host, image: Path) -> None:
        self.host, self.image = host, image

    def inside(self, *command: str) -> None:
        """Run a command in the host's name space of mounts."""
        subprocess.run(["nsenter", f"--mount={self.host.top.parent}/ns/mnt", *command], check=True, capture_output=True)

    def make(self) -> None:
        with self.image.open("wb") as file:
            file.truncate(SIZE)
        subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image], check=True)
        self.mount()

    def mount(self) -> None:
        self.host.path(ROOT).mkdir(exist_ok=True)
        self.inside("mount", "-o", "loop", str(self.image), ROOT)

    def fail(self) -> None:
        """As after an error: from now on everything is refused, files that are open included."""
        self.inside("mount", "-o", "remount,abort", ROOT)

    def repair(self) -> None:
        """What an operator does about it."""
        self.inside("umount", ROOT)
        assert subprocess.run(["e2fsck", "-fp", self.image], capture_output=True, check=False).returncode in (0, 1)
        self.mount()


def files(host: Host) -> Manifest:
    """Those of the system."""
    return {path: facts for path, facts in host.manifest().items() if path.startswith("exchange") and not path.endswith("lost+found")}


@pytest.fixture
def host() -> t.Iterator[Host]:
    with Host() as host:
        yield host


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("kind", ["installation", "upgrade"])
def test_a_disk_turns_read_only(host: Host, releases: Releases, tmp_path: Path, kind: str, moment: int) -> None:
    parameters = {"root": ROOT, "transport": "offline", "release": "SECOND", "state": "permanent", "package": releases.packages["SECOND"]}
    deploy = Operation("otp_target_system", lambda host: target_system(host, releases.packages["FIRST"]))
    operation = deploy if kind == "installation" else Operation("otp_release_handler", lambda _host: parameters)
    disk = Disk(host, tmp_path / "disk")

    def begin() -> None:
        disk.make()
        if kind == "upgrade":
            assert not host.run(deploy).message

    begin()
    changes = host.run(operation, counted=True).trace
    expected = files(host)
    disk.inside("umount", ROOT)
    begin()
    numbers = [number for number, change in enumerate(changes, 1) if f" {ROOT}/" in change and not change.startswith("fsync")]
    # A user that exists is not made again.
    before = 0 if kind == "upgrade" else next(number for number, change in enumerate(changes) if f" {ROOT}" in change)
    assert host.pause(operation, numbers[len(numbers) * moment // 100] - before)
    disk.fail()
    outcome = host.go_on()
    assert "Read-only file system" in outcome.message or "Input/output error" in outcome.message, outcome
    assert ROOT in outcome.message and "Traceback" not in outcome.message + outcome.output
    # A run on a disk that is read-only still says the same, and nothing else.
    assert "Read-only file system" in host.run(operation).message
    disk.repair()
    again = host.run(operation)
    assert again.result is not None and not again.message, again.message + again.output
    found = files(host)
    assert {path: (found.get(path), expected.get(path)) for path in {*found, *expected} if found.get(path) != expected.get(path)} == {}
    version = "FIRST" if kind == "installation" else "SECOND"
    assert host.boot()["current"] == version
    disk.inside("umount", ROOT)
