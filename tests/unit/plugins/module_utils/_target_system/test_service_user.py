# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a missing user or group is created once, under a lock, by root alone, and not against otp_manage_user; check mode creates none; one that
useradd has left half made is completed; the cookie file has mode 0400 and the owner of the node, and its text is in no action sentence.

No test here creates a user.
"""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import stat
import uuid

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions, Owner, ensure_directory, ensure_file, make_directory
from ansible_collections.erlang.otp.plugins.module_utils._target_system import service_user as _service_user
from ansible_collections.erlang.otp.plugins.module_utils._target_system.service_user import ensure_cookie, ensure_user, is_half_made, run_first
from ansible_collections.erlang.otp.plugins.module_utils._tree.root_directory import ensure_root_directory
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.file_calls import FileCalls

# Names that no host has.
USER, GROUP = f"user-{uuid.uuid4()}", f"group-{uuid.uuid4()}"
ME = Owner(os.getuid(), os.getgid())


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture(autouse=True)
def created(tmp_path, monkeypatch):
    """The commands that would have been run, each while the lock was held."""
    lock, commands = str(tmp_path / "users.lock"), []

    def run(command):
        with open(lock) as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        commands.append(command)

    monkeypatch.setattr(_service_user, "LOCK", lock)
    monkeypatch.setattr(_service_user, "run_first", run)
    return commands


def test_a_user_that_exists():
    user = pwd.getpwuid(os.getuid())
    group = grp.getgrgid(user.pw_gid).gr_name
    changes = Changes()
    assert ensure_user(user.pw_name, group, "/", manage=False, changes=changes) == (user.pw_uid, user.pw_gid)
    assert not changes.changed


@pytest.mark.parametrize(
    ("passwd", "shadow", "expected"),
    [
        ("a:x:1:1::/:/bin/false\n", "root:*:1::::::\n", True),
        ("a:x:1:1::/:/bin/false\n", "root:*:1::::::\na:!:1::::::\n", False),
        ("a:x:1:1::/:/bin/false\n", "aa:!:1::::::\n", True),
        # Of LDAP; with its password in passwd; on a host without shadow.
        ("aa:x:1:1::/:/bin/false\n", "root:*:1::::::\n", False),
        ("a:*:1:1::/:/bin/false\n", "root:*:1::::::\n", False),
        ("a:x:1:1::/:/bin/false\n", None, False),
    ],
)
def test_a_user_that_useradd_has_left_half_made(tmp_path, passwd, shadow, expected):
    (tmp_path / "passwd").write_text(passwd)
    if shadow is not None:
        (tmp_path / "shadow").write_text(shadow)
    assert is_half_made("a", str(tmp_path)) is expected


@pytest.mark.parametrize(("manage", "half_made", "is_completed"), [(True, [True, True], True), (False, [True, True], False), (True, [True, False], False)])
def test_a_half_made_user_is_completed_unless_another_run_is_about_to_do_it(created, monkeypatch, manage, half_made, is_completed):
    user = pwd.getpwuid(os.getuid())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(_service_user, "is_half_made", lambda name: half_made.pop(0))
    monkeypatch.setattr(_service_user.shutil, "which", lambda name, path: name)
    ensure_user(user.pw_name, grp.getgrgid(user.pw_gid).gr_name, "/", manage=manage, changes=Changes())
    assert created == ([[["usermod", "--expiredate", "", user.pw_name]]] if is_completed else [])


def test_check_mode_reports_which_user_would_be_created(created):
    changes = Changes(check_mode=True)
    assert ensure_user(USER, GROUP, "/", manage=True, changes=changes) == (-1, -1)
    assert changes.actions == [f"create the group {GROUP}", f"create the system user {USER}"]
    assert created == []


def test_a_missing_user_that_must_not_be_created(created, monkeypatch):
    group = grp.getgrgid(pwd.getpwuid(os.getuid()).pw_gid).gr_name
    with pytest.raises(OtpError, match=f"this host has no system user '{USER}', and otp_manage_user is false"):
        ensure_user(USER, group, "/", manage=False, changes=Changes())
    with pytest.raises(OtpError, match=f"has no group '{GROUP}'"):
        ensure_user(USER, GROUP, "/", manage=False, changes=Changes())
    assert created == []
    # That way out.
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    ensure_user(USER, group, "/", manage=True, changes=Changes())
    assert [{command[-1] for command in commands} for commands in created] == [{USER}]


def test_a_user_is_created_once_under_the_lock_although_two_runs_need_it(created, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    _service_user.make_once(lambda name: created or None, "x", ["command"])
    _service_user.make_once(lambda name: created or None, "x", ["command"])
    assert created == [["command"]]


def test_only_root_creates_users(created, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(OtpError, match=f"no user or group '{GROUP}', and only root can create it: use become"):
        ensure_user(USER, GROUP, "/", manage=True, changes=Changes())
    assert created == []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    ensure_user(USER, GROUP, "/", manage=True, changes=Changes())
    assert [{command[-1] for command in commands} for commands in created] == [{GROUP}, {USER}]


def test_the_first_program_that_the_host_has_is_run_and_quoted_when_it_fails():
    run_first([["no-such-program"], ["true"]])
    with pytest.raises(OtpError, match="sh -c echo why; exit 3 ended with code 3: why"):
        run_first([["sh", "-c", "echo why; exit 3"], ["true"]])
    with pytest.raises(OtpError, match="this host has none of the programs no-such-program, nor-this-one"):
        run_first([["no-such-program"], ["nor-this-one"]])


def test_a_directory(tmp_path):
    path = str(tmp_path / "a" / "b")
    changes = Changes()
    ensure_directory(path, mode=0o750, owner=ME, changes=changes)
    assert changes.actions == [f"create the directory {path}"] and mode(path) == 0o750
    again = Changes()
    ensure_directory(path, mode=0o700, owner=ME, changes=again)
    assert not again.changed


def test_a_directory_that_an_interrupted_run_has_left(tmp_path):
    path = tmp_path / "run"
    for content, expected in ((None, 0o755), ("pid", 0o700)):
        path.mkdir(0o700)
        if content:
            # It is somebody's.
            (path / content).touch()
        ensure_directory(str(path), mode=0o755, owner=ME, changes=Changes())
        assert mode(path) == expected
        if not content:
            path.rmdir()


def test_a_directory_that_another_system_of_the_host_makes_at_the_same_moment(tmp_path):
    (tmp_path / "home").mkdir()
    make_directory(str(tmp_path / "home"), 0o750, ME)
    assert (tmp_path / "home").is_dir()
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(OtpError, match="link exists and is not a directory"):
        make_directory(str(tmp_path / "link"), 0o750, ME)


def test_a_directory_that_is_a_file(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(OtpError, match="exists and is not a directory"):
        ensure_directory(str(tmp_path / "a"), mode=0o750, owner=ME, changes=Changes())


def test_a_file_changes_by_content_and_by_mode(tmp_path):
    path = str(tmp_path / "file")

    def have(content, wanted):
        changes = Changes()
        before = ensure_file(path, content, mode=wanted, owner=ME, sentence="write it", changes=changes)
        return before, changes.actions

    assert have(b"one", 0o640) == (b"", ["write it"])
    assert have(b"one", 0o640) == (None, [])
    assert have(b"two", 0o640) == (b"one", ["write it"])
    assert have(b"two", 0o600) == (None, [f"set mode and owner of {path}"])
    assert mode(path) == 0o600 and (tmp_path / "file").read_bytes() == b"two"


def test_the_cookie_can_be_read_by_its_user_alone(tmp_path):
    changes = Changes()
    assert ensure_cookie(str(tmp_path / ".erlang.cookie"), "secret", owner=ME, changes=changes) is True
    assert mode(tmp_path / ".erlang.cookie") == 0o400
    assert "secret" not in " ".join(changes.actions)
    assert ensure_cookie(str(tmp_path / ".erlang.cookie"), "secret", owner=ME, changes=Changes()) is False
    os.chmod(tmp_path / ".erlang.cookie", 0o644)
    assert ensure_cookie(str(tmp_path / ".erlang.cookie"), "secret", owner=ME, changes=Changes()) is False
    assert mode(tmp_path / ".erlang.cookie") == 0o400


def test_check_mode_writes_no_cookie(tmp_path):
    changes = Changes(check_mode=True)
    assert ensure_cookie(str(tmp_path / "home" / ".erlang.cookie"), "secret", owner=Owner(-1, -1), changes=changes) is True
    assert changes.changed and not (tmp_path / "home").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_cookie_belongs_to_the_user_of_the_node(tmp_path):
    ensure_cookie(str(tmp_path / ".erlang.cookie"), "secret", owner=Owner(4711, 4712), changes=Changes())
    status = os.stat(tmp_path / ".erlang.cookie")
    assert (status.st_uid, status.st_gid) == (4711, 4712)


def test_a_new_directory_is_its_maker_s_alone_until_it_has_its_owner(tmp_path, monkeypatch):
    calls = FileCalls(monkeypatch)
    before = os.umask(0)
    make_directory(str(tmp_path / "new"), 0o755, Owner(5, 6))
    os.umask(before)
    assert calls.done == [("mkdir", "new", 0o700), ("chown", "new", (5, 6), True), ("chmod", "new", 0o755)]


def test_every_user_can_pass_through_the_directories_above_a_new_one(tmp_path):
    before = os.umask(0o077)
    try:
        make_directory(str(tmp_path / "a/b/new"), 0o750, ME)
        ensure_root_directory(Tree(str(tmp_path / "c/d/root")), FileOptions(), Changes())
    finally:
        assert os.umask(before) == 0o077
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/new", "c", "c/d", "c/d/root")] == [0o755, 0o755, 0o750, 0o755, 0o755, 0o755]
