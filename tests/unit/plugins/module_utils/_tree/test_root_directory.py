# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: ``$ROOT`` is made in a directory that only root or its user can write; a tree of root is given away as a whole, links themselves, and only
if nothing in it leads elsewhere; everything else is refused by its name, with a command that helps.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner, owner_of
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._tree.root_directory import ensure_root_directory, remove_new_root_directory
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")

USER = pwd.getpwnam("daemon")
OTHER = pwd.getpwnam("bin")


@pytest.fixture
def place():
    """A directory of root, which all may enter."""
    directory = Path(tempfile.mkdtemp(dir="/var/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def ensure(root: Path, *, check_mode: bool = False) -> list[str]:
    changes = Changes(check_mode=check_mode)
    ensure_root_directory(Tree(str(root)), FileOptions(USER.pw_uid, USER.pw_gid), changes)
    return changes.actions


def is_repaired(root: Path) -> None:
    """It is refused; the command in the message is run, and then it is not."""
    with pytest.raises(OtpError) as error:
        ensure(root)
    command = re.search(r"Run: ([^;]*)", str(error.value))
    assert command, str(error.value)
    subprocess.run(shlex.split(command[1]), check=True)
    ensure(root)
    assert owner_of(str(root)).uid == USER.pw_uid


def test_it_is_made_for_the_user(place: Path) -> None:
    root = place / "srv" / "system"
    assert ensure(root) == [] and ensure(root) == []
    assert root.stat().st_uid == USER.pw_uid and (place / "srv").stat().st_uid == 0


def test_a_new_one_is_removed_with_the_rights_of_who_owns_the_directory_above(place: Path) -> None:
    (place / "home").mkdir()
    os.chown(place / "home", USER.pw_uid, USER.pw_gid)
    (place / "home" / "link").symlink_to(place)
    for root in (place / "system", place / "home" / "system", place / "home" / "link" / "other"):
        root.mkdir()
        (root / ".lock").touch()
        os.chown(root, USER.pw_uid, USER.pw_gid)
        with as_owner(str(root)):
            remove_new_root_directory(Tree(str(root)))
    assert sorted(os.listdir(place)) == ["home", "other"] and os.listdir(place / "home") == ["link"]


def test_check_mode_makes_nothing_and_gives_nothing(place: Path) -> None:
    ensure(place / "system", check_mode=True)
    assert not (place / "system").exists()
    (place / "system").mkdir()
    (place / "system" / "file").touch()
    assert ensure(place / "system", check_mode=True) == [f"give {place}/system from root to {USER.pw_uid}:{USER.pw_gid}"]
    assert (place / "system").stat().st_uid == 0


def test_a_tree_of_root_is_given_with_its_links_and_without_what_they_lead_to(place: Path) -> None:
    root = place / "system"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "start").touch()
    # Of no file system.
    (root / "lost+found").mkdir()
    (place / "of_root").touch()
    (root / "link").symlink_to(place / "of_root")
    # An interrupted run has given a part of it.
    (root / "bin" / "done").touch()
    os.chown(root / "bin" / "done", USER.pw_uid, USER.pw_gid)
    assert ensure(root) == [f"give {root} from root to {USER.pw_uid}:{USER.pw_gid}"]
    assert {path.lstat().st_uid for path in [root, *root.rglob("*")]} == {USER.pw_uid}
    assert (place / "of_root").stat().st_uid == 0
    assert ensure(root) == []


def test_a_file_with_another_name_is_not_given(place: Path) -> None:
    root = place / "system"
    root.mkdir()
    (place / "of_root").write_text("root's")
    os.link(place / "of_root", root / "vm.args")
    with pytest.raises(OtpError, match="vm.args has another name elsewhere"):
        ensure(root)
    assert (place / "of_root").stat().st_uid == root.stat().st_uid == 0


def test_a_mount_is_not_given(place: Path) -> None:
    root = place / "system"
    (root / "mnt").mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "none", root / "mnt"], check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine allows no mounts")
    try:
        with pytest.raises(OtpError, match="mnt is another file system"):
            ensure(root)
        assert (root / "mnt").stat().st_uid == 0
    finally:
        subprocess.run(["umount", root / "mnt"], check=True)


def test_the_lost_and_found_of_a_file_system_stays_root_s(place: Path) -> None:
    root = place / "system"
    root.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", root], check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine allows no mounts")
    try:
        for directory in (root / "lost+found", root / "lib" / "lost+found"):
            directory.mkdir(parents=True)
            (directory / "secret").touch(mode=0o600)
        assert ensure(root) == [f"give {root} from root to {USER.pw_uid}:{USER.pw_gid}"] and ensure(root) == []
        assert root.stat().st_uid == (root / "lib/lost+found/secret").stat().st_uid == USER.pw_uid
        assert (root / "lost+found").stat().st_uid == (root / "lost+found/secret").stat().st_uid == 0
    finally:
        subprocess.run(["umount", root], check=True)


def test_a_file_of_a_third_user_in_a_tree_of_root_is_refused(place: Path) -> None:
    root = place / "system"
    root.mkdir()
    (root / "file").touch()
    os.chown(root / "file", OTHER.pw_uid, OTHER.pw_gid)
    is_repaired(root)


def test_a_directory_in_a_tree_of_root_that_all_can_write_is_refused(place: Path) -> None:
    root = place / "system"
    (root / "tmp").mkdir(parents=True)
    (root / "tmp").chmod(0o777)
    is_repaired(root)


@pytest.mark.parametrize("mode", [0o777, 0o775])
@pytest.mark.parametrize("exists", [True, False])
def test_a_parent_that_many_can_write_is_refused(place: Path, mode: int, exists: bool) -> None:
    (place / "common").mkdir()
    if exists:
        (place / "common" / "system").mkdir()
    (place / "common").chmod(mode)
    is_repaired(place / "common" / "system")


def test_a_root_that_is_missing_in_a_sticky_directory_is_refused(place: Path) -> None:
    (place / "sticky").mkdir()
    (place / "sticky").chmod(0o1777)
    is_repaired(place / "sticky" / "system")


@pytest.mark.parametrize("exists", [True, False])
def test_a_parent_of_a_third_user_is_refused(place: Path, exists: bool) -> None:
    (place / "others").mkdir()
    os.chown(place / "others", OTHER.pw_uid, OTHER.pw_gid)
    if exists:
        (place / "others" / "system").mkdir()
        os.chown(place / "others" / "system", USER.pw_uid, USER.pw_gid)
    is_repaired(place / "others" / "system")


def test_a_root_of_a_third_user_is_refused(place: Path) -> None:
    (place / "system").mkdir()
    os.chown(place / "system", OTHER.pw_uid, OTHER.pw_gid)
    is_repaired(place / "system")


def test_below_a_directory_of_the_user_that_user_makes_it(place: Path) -> None:
    (place / "home").mkdir()
    os.chown(place / "home", USER.pw_uid, USER.pw_gid)
    ensure(place / "home" / "deep" / "system")
    assert (place / "home" / "deep").stat().st_uid == USER.pw_uid
    (place / "home" / "away").symlink_to(place)
    with pytest.raises(PermissionError):
        ensure(place / "home" / "away" / "otp-system")
