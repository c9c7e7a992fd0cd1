# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a box has and takes, by the programs that it runs: those of BusyBox, here, on a directory. And its power is cut at each step."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import working_on
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._install.remove import remove_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import missing_part
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.plugins.plugin_utils._box import delivery as _delivery
from ansible_collections.erlang.otp.plugins.plugin_utils._box.box import Box, BoxTarget
from ansible_collections.erlang.otp.plugins.plugin_utils._box.host import BoxHost
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum, release_members, tree, write_package


class Connection:
    """The task's connection to the box, in place of that of an action plugin: BusyBox on this machine."""

    def __init__(self, directory: Path) -> None:
        self.bin = directory / "bin"
        self.bin.mkdir()
        busybox = shutil.which("busybox")
        assert busybox, "these tests need busybox: .ci/setup installs it"
        subprocess.run([busybox, "--install", "-s", self.bin], check=True)

    def _low_level_execute_command(self, command: str, *, in_data: bytes) -> dict[str, t.Any]:
        done = subprocess.run([self.bin / "sh", "-c", command], input=in_data, env={"PATH": str(self.bin)}, capture_output=True, check=False)
        return {"rc": done.returncode, "stdout": done.stdout.decode("utf-8", "surrogateescape"), "stderr": done.stderr.decode()}


class Site:
    """A box at ``root``, and packages of two releases of which the second has its own ERTS and application."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "box" / "srv" / "system"
        self.connection = Connection(directory)
        self.first = write_package(directory / "first.tar.gz", release_members("FIRST"))
        self.second = write_package(directory / "second.tar.gz", release_members("SECOND", app_version="2.0", erts="15.2.7"))

    def box(self) -> Box:
        """The box, looked at, with a new copy of it."""
        copy = self.directory / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        box = Box(self.connection, BoxTarget(str(self.root), f"{self.root}/run/pipe", user=self.user()), str(copy))  # type: ignore[arg-type]
        box.begin()
        return box

    @staticmethod
    def user() -> str:
        return subprocess.run(["id", "-un"], text=True, capture_output=True, check=True).stdout.strip()

    def install(self, package: str) -> Box:
        """Have the package's release permanent, as the actions do it."""
        box = self.box()
        try:
            with working_on(BoxHost(box)):
                box.add_package(package)
                self.work(box, package)
                box.send_changes()
        except OtpError:
            box.finish(done=False)
            raise
        box.finish()
        return box

    def work(self, box: Box, package: str) -> None:
        install_release(root=str(self.root), destdir=box.destdir, package=package, checksum=checksum(package), state="permanent", changes=Changes())

    def as_on_a_host(self, *packages: str) -> dict[str, t.Any]:
        """What a host with Python has after these installations."""
        destdir = self.directory / "host"
        for package in packages:
            install_release(root=str(self.root), destdir=str(destdir), package=package, state="permanent", changes=Changes())
        return tree(Path(f"{destdir}{self.root}"))

    def boots(self) -> str | None:
        """The release that boots, which must be whole; None when there is nothing."""
        found = Tree(str(self.root))
        start = found.start_erl_data()
        if start is None:
            return None
        (entry,) = [entry for entry in found.releases() or [] if entry.version == start.release_version]
        applications = [(library.name, library.version) for library in entry.libraries]
        assert missing_part(str(self.root), entry.version, entry.erts_version, applications) is None
        for name, version in applications:
            assert (self.root / f"lib/{name}-{version}/ebin/{name}.beam").is_file()
        return entry.version


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_box_gets_what_a_host_gets(site: Site) -> None:
    site.install(site.first)
    assert tree(site.root) == site.as_on_a_host(site.first)


def test_of_the_next_release_what_is_new_is_sent(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install(site.first)
    sent: dict[str, bytes] = {}
    whole = _delivery.pack
    monkeypatch.setattr(_delivery, "pack", lambda files: sent.update(files) or whole(files))
    site.install(site.second)
    assert tree(site.root) == site.as_on_a_host(site.first, site.second)
    assert b"beam of pea-2.0" in sent.values()
    assert b"beam of kernel-8.5.3" not in sent.values()


def test_what_is_there_is_known_and_nothing_is_done(site: Site) -> None:
    site.install(site.first)
    box = site.box()
    box.add_package(site.first)
    site.work(box, site.first)
    assert box.send_changes() is False
    box.finish()
    assert not (site.root / ".box.lock").is_symlink()


def test_a_library_that_differs_is_refused_by_name(site: Site) -> None:
    site.install(site.first)
    (site.root / "lib/kernel-8.5.3/ebin/kernel.beam").write_bytes(b"another")
    before = tree(site.root)
    with pytest.raises(OtpError, match=r"lib/kernel-8\.5\.3/ebin/kernel\.beam differs"):
        site.install(site.second)
    assert tree(site.root) == before


def test_what_the_box_lacks_is_named(site: Site) -> None:
    for name in ("sha256sum", "tar"):
        (site.connection.bin / name).unlink()
    with pytest.raises(OtpError, match="the box has no sha256sum, tar: nothing can be installed"):
        site.box()
    assert not site.root.exists()


def test_no_room_is_told_before_anything_is_sent(site: Site) -> None:
    box = site.box()
    box.inspection.free = 1000
    site.work(box, site.first)
    with pytest.raises(OtpError, match=r"MiB are free at .*Nothing was sent"):
        box.send_changes()
    box.finish()
    assert list(site.root.iterdir()) == []


def test_what_arrives_damaged_is_not_put_in_place(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(files: t.Mapping[str, bytes]) -> bytes:
        return whole({name: content.replace(b"beam of", b"BEAM of") for name, content in files.items()})

    whole = _delivery.pack
    with monkeypatch.context() as patch:
        patch.setattr(_delivery, "pack", damaged)
        with pytest.raises(OtpError, match="damaged: run it again"):
            site.install(site.first)
    assert site.boots() is None
    site.install(site.first)
    assert site.boots() == "FIRST"


def test_a_release_goes_as_a_whole(site: Site) -> None:
    site.install(site.first)
    site.install(site.second)
    box = site.box()
    with working_on(BoxHost(box)):
        remove_release(root=str(site.root), destdir=box.destdir, version="FIRST", changes=Changes())
        box.send_changes()
    box.finish()
    assert site.boots() == "SECOND"
    assert not (site.root / "erts-13.1.5").exists()
    assert not (site.root / "lib/pea-1.0").exists()
    assert (site.root / "lib/kernel-8.5.3").exists()


def cut_after(number: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have the next box that takes something lose its power after so many steps; the list of the steps that it had is filled then."""
    whole, steps = _delivery._Packer.pack, []

    def pack(packer: t.Any) -> t.Any:
        original = packer.finish_steps

        def finish_steps() -> None:
            original()
            steps.extend(packer.steps)
            packer.steps = [*packer.steps[:number], "kill -9 $$"]

        packer.finish_steps = finish_steps
        return whole(packer)

    monkeypatch.setattr(_delivery._Packer, "pack", pack)
    return steps


@pytest.mark.parametrize("package", ["first", "second"])
def test_after_a_power_cut_the_old_or_the_new_release_boots_and_the_next_run_ends_it(
    site: Site, package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old, new, chosen = (None, "FIRST", site.first) if package == "first" else ("FIRST", "SECOND", site.second)
    if old:
        site.install(site.first)
    expected = site.as_on_a_host(*([site.first] if old else []), chosen)
    kept = tmp_path / "kept"
    shutil.copytree(site.root.parent if old else tmp_path / "bin", kept, symlinks=True)
    number, seen = 0, []
    while True:
        with monkeypatch.context() as patch:
            steps = cut_after(number, patch)
            with pytest.raises(OtpError):
                site.install(chosen)
        seen.append(site.boots())
        # What is staged changes nothing: the steps that rename are looked at one by one.
        number = next((index + 1 for index in range(number, len(steps)) if steps[index].startswith(("place", "remove"))), len(steps) + 1)
        # A run takes a second, so not after each of them.
        if len(seen) % 3 == 0 or number > len(steps):
            site.install(chosen)
            assert tree(site.root) == expected, f"after step {number}"
        if number > len(steps):
            break
        shutil.rmtree(site.root.parent)
        if old:
            shutil.copytree(kept, site.root.parent, symlinks=True)
    assert seen == sorted(seen, key=[old, new].index)
    assert {*seen} == {old, new}
    assert len(seen) > 5


def test_a_cut_leaves_a_lock_that_the_next_boot_breaks(site: Site) -> None:
    site.root.mkdir(parents=True)
    (site.root / ".box.lock").symlink_to("somebody@elsewhere 1 2026-01-01T00:00:00Z 00 another-boot")
    box = site.install(site.first)
    assert [re.sub("somebody.*", "...", warning) for warning in box.warnings] == [
        "an earlier run ended without releasing its lock on the box, so the lock was removed: ..."
    ]


def test_a_run_that_has_lost_its_lock_does_not_go_on(site: Site) -> None:
    box = site.box()
    site.work(box, site.first)
    lock = site.root / ".box.lock"
    lock.unlink()
    lock.symlink_to(f"somebody@elsewhere 1 now 00 {Path('/proc/sys/kernel/random/boot_id').read_text().strip()}")
    with pytest.raises(OtpError, match="another run has taken"):
        box.send_changes()
    box.finish()
    assert os.listdir(site.root) == [".box.lock"]


def test_a_run_that_loses_its_lock_during_the_transfer_puts_nothing_in_place(site: Site) -> None:
    box = site.box()
    site.work(box, site.first)
    lock, tar = site.root / ".box.lock", site.connection.bin / "tar"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    busybox = tar.resolve()
    tar.unlink()
    # The other run takes the lock while the files arrive.
    tar.write_text(f'#!{site.connection.bin}/sh\nrm {lock}\nln -s "somebody@elsewhere 1 now 00 {boot}" {lock}\nexec {busybox} tar "$@"\n')
    tar.chmod(0o755)
    with pytest.raises(OtpError, match="another run has taken"):
        box.send_changes()
    box.finish()
    assert site.boots() is None and lock.is_symlink()


def test_damaged_steps_are_not_run(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _delivery.pack
    monkeypatch.setattr(_delivery, "pack", lambda files: whole({**files, "steps": files["steps"] + b"touch $ROOT/damaged\n"}))
    with pytest.raises(OtpError):
        site.install(site.first)
    assert not (site.root / "damaged").exists()
