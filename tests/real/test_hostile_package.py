# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A package with a checksum, and others who may write to it or beside it: what is installed has that checksum, or nothing is installed.

The task runs as any task of Ansible; each test first asserts that the attack is as described.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import typing as t
from pathlib import Path

import pytest
from test_deploy_http import HOSTS, Site
from waiting import LIMIT, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import Base, format_base, read_base
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum, release_members, tar_bytes, tree, write_package

NOBODY = 65534
# More than the thread that inflates reads in advance.
FILLING = os.urandom(8 << 20)
GOOD, EVIL = b"good" * 100, b"evil" * 100


class Attacked:
    """A system with its first release, and the package of the second one, in a directory of another user."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.theirs = directory / "theirs"
        self.theirs.mkdir()
        self.package = self.theirs / "second.tar"
        members = {**release_members("SECOND", app_version="2.0"), "lib/pea-2.0/priv/filling": FILLING, "lib/pea-2.0/priv/program": GOOD}
        # Plain tar: a changed byte is no broken archive.
        self.package.write_bytes(tar_bytes(members))
        self.checksum = checksum(str(self.package))
        for path in (self.theirs, self.package):
            os.chown(path, NOBODY, NOBODY)
        assert not self.install(package=write_package(directory / "first.tar.gz", release_members()))["failed"]
        self.before = tree(self.root)

    def install(self, **options: t.Any) -> dict[str, t.Any]:
        arguments = json.dumps({"root": str(self.root), "flush": False, "remote_src": True, **options})
        command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-m", "erlang.otp.otp_release_install", "-a", arguments]
        said = subprocess.run(command, cwd=self.directory, capture_output=True, text=True, timeout=LIMIT, check=False)
        assert "=> {" in said.stdout, said.stdout + said.stderr
        return {**json.loads(said.stdout[said.stdout.index("=> {") + 3 :]), "failed": "| FAILED! =>" in said.stdout}

    def install_meanwhile(self, attack: t.Callable[[], None], **options: t.Any) -> dict[str, t.Any]:
        """The result of a task that has verified the package and waits for the lock while the attack happens."""
        results: list[dict[str, t.Any]] = []
        task = threading.Thread(target=lambda: results.append(self.install(package=str(self.package), checksum=self.checksum, **options)))
        with open(self.root / ".lock", "r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            task.start()
            wait_until(lambda: self.others_with(self.root / ".lock"), "the task waits for the lock")
            attack()
        task.join()
        return results[0]

    def others_with(self, path: Path) -> list[Path]:
        found = []
        for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
            try:
                if os.readlink(descriptor) == str(path) and descriptor.parts[2] != str(os.getpid()):
                    found.append(descriptor)
            except OSError:
                continue
        return found

    def as_nobody(self, command: str) -> None:
        """Run the shell's command as the other user; $0 is the package."""
        subprocess.run(["sh", "-c", command, self.package], check=True, user=NOBODY, group=NOBODY, extra_groups=[])

    def is_as_before(self) -> bool:
        return tree(self.root) == self.before


@pytest.fixture
def attacked() -> t.Iterator[Attacked]:
    directory = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="erlang-otp-test-"))
    directory.chmod(0o755)
    yield Attacked(directory)
    shutil.rmtree(directory)


def test_a_package_that_changes_after_its_verification_is_not_installed(attacked: Attacked) -> None:
    place = attacked.package.read_bytes().index(GOOD)
    result = attacked.install_meanwhile(lambda: attacked.as_nobody(f'printf {EVIL.decode()} | dd of="$0" bs=1 seek={place} conv=notrunc status=none'))
    assert EVIL in attacked.package.read_bytes() and checksum(str(attacked.package)) != attacked.checksum
    assert result["failed"] and "it changed while it was read" in result["msg"], result
    assert attacked.is_as_before()


def test_a_package_that_is_exchanged_after_its_verification_is_the_verified_one(attacked: Attacked) -> None:
    evil = tar_bytes({**release_members("SECOND", app_version="2.0"), "lib/pea-2.0/priv/filling": FILLING, "lib/pea-2.0/priv/program": EVIL})
    (attacked.theirs / "evil").write_bytes(evil)
    result = attacked.install_meanwhile(lambda: attacked.as_nobody('mv "${0%/*}/evil" "$0"'))
    assert attacked.package.read_bytes() == evil
    assert not result["failed"] and (attacked.root / "lib/pea-2.0/priv/program").read_bytes() == GOOD


def test_a_named_pipe_in_place_of_a_package_holds_nobody_up(attacked: Attacked) -> None:
    attacked.as_nobody('rm "$0"; mkfifo "$0"')
    assert attacked.package.is_fifo()
    result = attacked.install(package=str(attacked.package), checksum=attacked.checksum)
    assert result["failed"] and f"package {attacked.package}: it is not a file" in result["msg"]
    assert attacked.is_as_before() and not attacked.others_with(attacked.package)


def test_a_package_with_a_checksum_is_replaced_by_no_neighbour(tmp_path: Path) -> None:
    """A thin package says itself which full one it replaces."""
    site = Site(tmp_path)
    first, second = ({"otp_package": package, "otp_package_checksum": checksum(package)} for package in (site.first, site.second))
    base = Base("SYSTEM", "FIRST", checksum(site.first)[7:], checksum(site.second)[7:], {"lib/kernel-8.5.3": "c" * 64}, [])
    evil = {name: content for name, content in release_members("SECOND", app_version="2.0").items() if not name.startswith("lib/kernel-8.5.3")}
    beside = site.second.replace(".tar.gz", "-thin.tar.gz")
    thin = write_package(Path(beside), {"releases/SECOND/base.json": format_base(base), **evil, "lib/pea-2.0/priv/evil": EVIL})
    assert read_base(beside) == base
    site.deploy(**first)
    site.deploy(**second)
    for host in HOSTS:
        record = json.loads((tmp_path / host / "srv/releases/SECOND/package.json").read_text())
        assert record["sha256"] == checksum(site.second)[7:] and "full" not in record
        assert not (tmp_path / host / "srv/lib/pea-2.0/priv/evil").exists()
        shutil.rmtree(tmp_path / host)
    # By its own checksum it is installed: the attack was possible.
    site.deploy(**first)
    site.deploy(**second, otp_package_thin_checksum=checksum(thin))
    assert all((tmp_path / host / "srv/lib/pea-2.0/priv/evil").exists() for host in HOSTS)
