# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an installation refuses, and that nothing is left then; and trees that somebody else made."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock
from ansible_collections.erlang.otp.plugins.module_utils._install import steps as _steps
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._package.opened import OpenPackage
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.install_host import Host, second
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum, release_members, tar_bytes, tree


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize(
    "more, message",
    [
        ({"lib/pea-1.0/ebin/pea.beam": b"other"}, "another lib/pea-1.0 than {root} has: there, lib/pea-1.0/ebin/pea.beam differs"),
        ({"lib/pea-1.0/ebin/new.beam": b"new"}, "there, lib/pea-1.0/ebin/new.beam is missing"),
        ({"erts-13.1.5/bin/beam.smp": b"other"}, "another erts-13.1.5 than {root} has: there, erts-13.1.5/bin/beam.smp differs"),
    ],
)
def test_same_version_with_other_content(host: Host, more: dict[str, bytes], message: str) -> None:
    host.run(host.package())
    host.refuses(host.package("SECOND", more=more), message.format(root=host.root))


def test_same_version_with_fewer_modules(host: Host) -> None:
    host.run(host.package(more={"lib/pea-1.0/ebin/more.beam": b"more"}))
    host.refuses(host.package("SECOND"), "there, lib/pea-1.0/ebin/more.beam is an extra module")


def test_same_release_from_another_package(host: Host) -> None:
    host.run(host.package())
    host.refuses(host.package(more={"releases/FIRST/start.boot": b"other"}), "releases/FIRST/start.boot differs")
    (host.root / "releases/FIRST/sys.config").write_bytes(b"[{kernel,[]}].\n")
    assert host.run(host.package(more={"README": b"equal but for this"}))["kept"] == ["releases/FIRST/sys.config"]


@pytest.mark.parametrize(
    "without, message",
    [
        (["lib/pea"], "release SYSTEM FIRST needs lib/pea-1.0 (with ebin/pea.app), and neither the package nor"),
        (["erts-"], "needs erts-13.1.5, and neither the package nor"),
        (["releases/FIRST/start.boot"], "it has no boot script releases/FIRST/start.boot"),
        (["releases/"], "it has no release resource file"),
    ],
)
def test_incomplete_package(host: Host, without: list[str], message: str) -> None:
    host.refuses(host.package(without=without), message)


def test_rel_with_a_syntax_error(host: Host) -> None:
    host.refuses(host.package(more={"releases/system.rel": b"{release,{]"}), "releases/system.rel")


@pytest.mark.parametrize(
    "rel",
    [
        '{release,{"SYSTEM",".."},{erts,"13.1.5"},[]}.',
        '{release,{"SYSTEM","a/b"},{erts,"13.1.5"},[]}.',
        '{release,{"SYSTEM","1"},{erts,"/../.."},[]}.',
        '{release,{"SYSTEM","1"},{erts,"13"},[{pea,"1/../../.."}]}.',
    ],
)
def test_versions_that_lead_elsewhere(host: Host, rel: str) -> None:
    host.refuses(host.package(without=["releases/"], more={"releases/system.rel": rel.encode()}), "usable as the name of a directory")


def test_wrong_checksum(host: Host) -> None:
    host.refuses(host.package(), "was expected: it is damaged, or another package", checksum="sha256:" + "0" * 64)
    assert not host.root.exists()
    host.refuses(host.package(), "is not sha256: and 64 hexadecimal digits", checksum="md5:1234")


def test_bad_package_leaves_nothing(host: Host) -> None:
    package = host.package()
    Path(package).write_bytes(Path(package).read_bytes()[:-100])
    host.refuses(package, "truncated")
    assert not host.root.exists()


def test_a_directory_that_was_there_stays_and_so_does_what_others_have_put_into_a_new_one(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    package = host.package()
    Path(package).write_bytes(Path(package).read_bytes()[:-100])
    host.root.mkdir()
    host.refuses(package, "truncated")
    assert host.root.exists()
    shutil.rmtree(host.root)

    def interferes(*_arguments: t.Any, **_keywords: t.Any) -> t.NoReturn:
        (host.root / "notes").touch()
        raise OtpError("truncated")

    monkeypatch.setattr(_steps, "unpack", interferes)
    with pytest.raises(OtpError, match="truncated"):
        host.run(package)
    assert sorted(os.listdir(host.root)) == [".lock", "notes"]


@pytest.mark.parametrize("root", ["relative", "/", "/a/../b", "/a//b", "/with\nnewline"])
def test_bad_root(host: Host, root: str) -> None:
    with pytest.raises(OtpError, match="is not an absolute path in its plain form"):
        install_release(root=root, package=host.package(), changes=Changes())


def test_root_is_below_a_file(host: Host) -> None:
    host.root.write_bytes(b"")
    with pytest.raises(OtpError, match=re.escape(f"cannot install below {host.root}")):
        host.run(host.package())


def test_two_at_once(host: Host) -> None:
    """The second waits; or says who holds the lock."""
    host.root.mkdir()
    package = host.package()
    with lock(str(host.root / ".lock")):
        with pytest.raises(OtpError, match=f"locked by process {os.getpid()}"):
            host.run(package, lock_timeout=0)
    results: list[dict[str, t.Any]] = []
    threads = [threading.Thread(target=lambda: results.append(Host(host.directory).run(package))) for dummy in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result["status"] for result in results] == ["permanent"] * 4


def test_failure_while_publishing_is_undone(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.run(host.package())
    rename = os.rename

    def failing(source: str, target: str) -> None:
        if target.endswith("releases/SECOND"):
            raise OSError(28, "No space left on device", target)
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    host.refuses(second(host), "No space left on device")


# Trees that somebody else made


def test_tree_without_releases_file(host: Host) -> None:
    """As mix lays it out, or tar: what the permanent release consists of is told from its files."""
    host.run(host.package())
    (host.root / "releases/RELEASES").unlink()
    (host.root / "releases/FIRST/package.json").unlink()
    host.run(second(host))
    assert host.statuses() == {"SECOND": "unpacked", "FIRST": "permanent"}
    assert [bool(entry.libraries) for entry in Tree(str(host.root)).releases()] == [True, True]


def test_tree_without_releases_file_that_proves_nothing(host: Host) -> None:
    host.run(host.package())
    (host.root / "releases/RELEASES").unlink()
    shutil.rmtree(host.root / "lib/pea-1.0")
    with pytest.raises(OtpError, match="the parts of the permanent release FIRST are not known: lib/pea-1.0/ebin is missing"):
        host.run(second(host))


def test_adopts_an_equal_tree(host: Host) -> None:
    package = host.package()
    host.run(package)
    before = tree(host.root)
    (host.root / "releases/FIRST/package.json").unlink()
    host.run(package)
    assert tree(host.root) == before


def test_running_system(host: Host) -> None:
    """An emulator is known by its arguments; a shell with the same ones will do."""
    first, next_one = host.package(), second(host)
    host.run(first)
    host.run(next_one)
    emulator = subprocess.Popen(["/bin/sh", "-c", "read line", "beam.smp", "-root", str(host.root)], stdin=subprocess.PIPE)
    try:
        with pytest.raises(OtpError, match=rf"runs \(process {emulator.pid}\): state permanent is for a stopped one"):
            host.run(next_one, state="permanent")
        with pytest.raises(OtpError, match=rf"runs \(process {emulator.pid}\)"):
            host.remove("SECOND")
        # What is so already is no change, and a third release may come.
        host.run(first, state="permanent")
        host.run(host.package("THIRD"))
    finally:
        emulator.communicate(b"\n")


@pytest.mark.parametrize("is_first", [True, False])
def test_a_package_that_changes_after_its_verification(host: Host, monkeypatch: pytest.MonkeyPatch, is_first: bool) -> None:
    if not is_first:
        host.run(host.package())
    # Plain tar, and more than is read in advance.
    package = host.directory / "second.tar"
    package.write_bytes(tar_bytes({**release_members("SECOND", app_version="2.0"), "lib/pea-2.0/priv/filling": bytes(8 << 20), "lib/pea-2.0/priv/x": b"good"}))
    package.chmod(0o666)
    verify = OpenPackage.verify

    def verify_and_change(opened: OpenPackage, digest: str) -> None:
        verify(opened, digest)
        with open(package, "r+b") as file:
            file.seek(file.read().index(b"good"))
            file.write(b"evil")

    monkeypatch.setattr(OpenPackage, "verify", verify_and_change)
    host.refuses(str(package), "it changed while it was read", checksum=checksum(str(package)))
    assert host.root.exists() is not is_first


def test_another_package_than_the_checksum_says_changes_nothing(host: Host) -> None:
    package = host.package()
    with pytest.raises(OtpError, match="was expected: it is damaged, or another package"):
        host.run(package, checksum="sha256:" + 64 * "0")
    assert not host.root.exists()


def test_a_package_that_is_gone_is_not_needed_again(host: Host) -> None:
    package = host.package()
    digest = checksum(package)
    host.run(package)
    os.unlink(package)
    assert host.run(package, checksum=digest)["status"] == "permanent" and host.actions == []
    shutil.rmtree(host.root)
    with pytest.raises(OtpError, match=f"{package}: No such file or directory"):
        host.run(package, checksum=digest)
