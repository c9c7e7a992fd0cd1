# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that survive a power cut, and the lock.

Rules: a file has its mode and owner before it has content, is flushed before it has its name, and its name is flushed; a reader sees the old or
the new file; no link is followed; a failure leaves nothing behind; what killed processes left goes, what others write stays. A lock is
exclusive, follows no link, belongs to the owner of the directory, names its holder, and is waited for no longer than asked.
"""

from __future__ import annotations

import errno
import os
import stat
import threading

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core import files
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError


def path_of(descriptor):
    return os.readlink(f"/proc/self/fd/{descriptor}")


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """What is done to files of the test's directory, in order: the call, the file's name, and its content or mode by then. Owners are not changed."""
    done = []
    known = {name: getattr(os, name) for name in ("open", "fchmod", "fsync", "replace")}

    def opened(path, flags, mode=0o777, **more):
        descriptor = known["open"](path, flags, mode, **more)
        if flags & os.O_CREAT and str(path).startswith(str(tmp_path)):
            done.append(("create", os.path.basename(path), stat.S_IMODE(os.fstat(descriptor).st_mode)))
        return descriptor

    def fchown(descriptor, uid, gid):
        done.append(("owner", (uid, gid), os.fstat(descriptor).st_size))

    def fchmod(descriptor, mode):
        known["fchmod"](descriptor, mode)
        done.append(("mode", mode, os.fstat(descriptor).st_size))

    def fsync(descriptor):
        path = path_of(descriptor)
        content = None if os.path.isdir(path) else files.read_file(path)
        done.append(("flush", os.path.basename(path), content))
        known["fsync"](descriptor)

    def replace(old, new):
        done.append(("rename", os.path.basename(new), files.read_file(old)))
        known["replace"](old, new)

    for name, function in (("open", opened), ("fchown", fchown), ("fchmod", fchmod), ("fsync", fsync), ("replace", replace)):
        monkeypatch.setattr(os, name, function)
    before = os.umask(0)
    yield done
    os.umask(before)


def test_mode_and_owner_then_content_then_the_name_each_flushed(tmp_path, calls):
    path = tmp_path / "secret"
    path.write_bytes(b"old")
    del calls[:]
    files.write_file(str(path), b"new", mode=0o644, uid=5, gid=6)
    new = f".secret.{os.getpid()}.new"
    assert sorted(calls[1:3]) == [("mode", 0o644, 0), ("owner", (5, 6), 0)]
    assert [calls[0], *calls[3:]] == [("create", new, 0o600), ("flush", new, b"new"), ("rename", "secret", b"new"), ("flush", tmp_path.name, None)]
    assert path.read_bytes() == b"new" and stat.S_IMODE(path.stat().st_mode) == 0o644


def test_without_flush_there_is_still_the_rename(tmp_path, calls):
    files.write_file(str(tmp_path / "file"), b"new", flush=False)
    assert [call[0] for call in calls] == ["create", "mode", "rename"]


def test_it_is_written_in_another_directory_if_asked(tmp_path, calls):
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / ".file.999999999.new").touch()
    files.write_file(str(tmp_path / "file"), b"new", beside=str(tmp_path / "beside"), flush=False)
    assert calls[0][0] == "create" and (tmp_path / "file").read_bytes() == b"new"
    assert os.listdir(tmp_path / "beside") == []


def test_what_somebody_puts_in_the_way_is_not_written_to(tmp_path, monkeypatch):
    """After what is left over has been removed, as one who knows the number of the process can."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"whole")
    new = tmp_path / f".file.{os.getpid()}.new"
    monkeypatch.setattr(files, "remove_left_over", lambda *_arguments: new.symlink_to(victim))
    with pytest.raises(FileExistsError):
        files.write_file(str(tmp_path / "file"), b"new")
    assert victim.read_bytes() == b"whole" and not (tmp_path / "file").exists()


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fails(_old, _new):
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="the disk is broken"):
        files.write_file(str(path), b"new")
    assert os.listdir(tmp_path) == ["file"] and path.read_bytes() == b"old"


def test_what_ended_processes_left_goes_and_what_others_write_stays(tmp_path):
    ours, theirs, dead = (f".file.{number}.new" for number in (os.getpid(), os.getppid(), 999999999))
    for name in (ours, theirs, dead, ".other.999999999.new", "file.999999999.new", ".file.x.new"):
        (tmp_path / name).touch()
    files.write_file(str(tmp_path / "file"), b"new")
    assert sorted(os.listdir(tmp_path)) == sorted(["file", theirs, ".other.999999999.new", "file.999999999.new", ".file.x.new"])
    files.remove_left_over(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == sorted(["file", theirs, "file.999999999.new", ".file.x.new"])


@pytest.mark.parametrize(("number", "fails"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_a_file_system_that_cannot_flush_a_directory(tmp_path, monkeypatch, number, fails):
    def fsync(_descriptor):
        raise OSError(number, "no")

    monkeypatch.setattr(os, "fsync", fsync)
    if fails:
        with pytest.raises(OSError, match="no"):
            files.flush_directory(str(tmp_path))
    else:
        files.flush_directory(str(tmp_path))


def test_a_lock_is_one_holder_s_and_names_it(tmp_path):
    path = str(tmp_path / "lock")
    with files.lock(path):
        with pytest.raises(OtpError) as caught, files.lock(path, timeout=0.0):
            raise AssertionError("two have it")
        assert path in str(caught.value) and str(os.getpid()) in str(caught.value)
    with files.lock(path, timeout=0.0):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_shorter_number_in_the_lock_file_takes_the_place_of_a_longer_one(tmp_path):
    (tmp_path / "lock").write_text("12345678901234567890\n")
    with files.lock(str(tmp_path / "lock")):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_lock_is_waited_for(tmp_path):
    path = str(tmp_path / "lock")
    order = []

    def second():
        with files.lock(path, timeout=600.0):
            order.append("second")

    with files.lock(path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive() and order == []
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_lock_that_its_holder_has_removed_is_not_held(tmp_path):
    """Another process may hold a new file of this name."""
    path, told = str(tmp_path / "lock"), []

    def second():
        try:
            with files.lock(path, timeout=600.0):
                told.append("held")
        except OtpError as error:
            told.append(str(error))

    with files.lock(path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        os.unlink(path)
    thread.join()
    assert told == [f"{path} is gone: the run that held it has failed, and has removed the new directory again. Run again."]


def test_a_lock_follows_no_link(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("whole")
    (tmp_path / "lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"), files.lock(str(tmp_path / "lock")):
        raise AssertionError("it was followed")
    assert victim.read_text() == "whole"


@pytest.mark.parametrize("user", [0, 1000])
def test_a_lock_that_root_makes_belongs_to_the_owner_of_the_directory(tmp_path, calls, monkeypatch, user):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    owner = os.stat(tmp_path)
    with files.lock(str(tmp_path / "lock")):
        pass
    # -1 is nobody.
    given = [call[1] for call in calls if call[0] == "owner" and call[1] != (-1, -1)]
    assert given == ([(owner.st_uid, owner.st_gid)] if user == 0 else [])


def test_a_file_without_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGE", str(tmp_path))
    with files.unnamed_file() as file:
        assert os.listdir(tmp_path) == [] and path_of(file.fileno()).startswith(str(tmp_path))
