# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: root works in a directory of another user with that user's rights and groups alone, and refuses one that many can write; programs lose
root for good, and signals are sent without it; an error in the middle gives no rights; what root itself does is in a list here.
"""

from __future__ import annotations

import ast
import builtins
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core import identity as _identity
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import (
    ROOT,
    Identity,
    as_owner,
    as_root,
    find_writer,
    give_up_root,
    identity_of,
    in_image,
    kill,
    owner_of,
    working_as,
)
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner, ensure_directory
from ansible_collections.erlang.otp.plugins.module_utils._core.run import run

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can take on the rights of others")

USER = pwd.getpwnam("daemon")
OTHER = pwd.getpwnam("bin")
PLUGINS = Path(_identity.__file__).parents[2]
# What root itself does, as the guide "Whom the collection trusts" has it.
STILL_ROOT = {
    ("_core/identity.py", "as_owner"),  # finds whose rights are enough
    ("_core/ownership.py", "_place_of"),  # the same
    ("_drift/put_back.py", "put_back"),  # the package of the operator
    ("_install/install.py", "_downloaded"),  # a package from a URL; the key of a client certificate may be root's
    ("_install/install.py", "_opened"),  # the package of a task with remote_src
    ("_node/listening.py", "_has_epmd"),  # of a process, in its environment
    ("_node/listening.py", "_has_our_network"),  # of a process
    ("_tree/processes.py", "runs_as"),  # its program
    ("_node/service.py", "_run_as_root"),  # units and init scripts
    ("_target_system/removal.py", "_as_accounts"),  # accounts
    ("_target_system/removal.py", "_unlink_as_root"),  # units and init scripts
    ("_target_system/service_user.py", "make_once"),  # accounts
    ("_target_system/service_user.py", "share_user"),  # the record of accounts
    ("_tree/root_directory.py", "ensure_root_directory"),  # $ROOT itself
}


@pytest.fixture
def place():
    """A directory of root, which all may enter."""
    directory = Path(tempfile.mkdtemp(dir="/var/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def home(place):
    """A directory of USER in it."""
    (place / "home").mkdir()
    os.chown(place / "home", USER.pw_uid, USER.pw_gid)
    return place / "home"


def in_child(act) -> None:
    """Call the function in a new process, and see that it raises nothing."""
    child = os.fork()
    if child == 0:
        try:
            act()
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def rights() -> tuple:
    return os.getresuid(), os.getegid(), sorted(os.getgroups())


def test_the_owner_has_all_its_groups_and_none_of_root(home: Path) -> None:
    before = rights()
    with as_owner(str(home)):
        user, group, groups = rights()
        assert (user[1], group) == (USER.pw_uid, USER.pw_gid)
        assert groups == sorted(set(os.getgrouplist(USER.pw_name, USER.pw_gid)))
        # The real user stays root: no other user can signal or trace this process.
        assert (user[0], user[2]) == (0, 0)
    assert rights()[:2] == before[:2]


def test_a_file_of_root_behind_a_link_is_not_read(place: Path, home: Path) -> None:
    (place / "secret").touch(mode=0o600)
    (home / "link").symlink_to(place / "secret")
    with as_owner(str(home)), pytest.raises(PermissionError):
        (home / "link").read_bytes()
    assert (home / "link").read_bytes() == b""


def test_rights_follow_the_nesting_and_an_exception_ends_them(place: Path, home: Path) -> None:
    importing = builtins.__import__
    with pytest.raises(KeyError):
        with as_owner(str(home)):
            with as_root():
                assert os.geteuid() == 0
                with working_as(identity_of(OTHER.pw_uid, OTHER.pw_gid)):
                    assert os.geteuid() == OTHER.pw_uid
                assert os.geteuid() == 0
            assert os.geteuid() == USER.pw_uid
            raise KeyError
    assert os.geteuid() == 0 and builtins.__import__ is importing


def test_a_switch_that_fails_gives_no_more_rights(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.setgroups
    with as_owner(str(home)):

        def refuse(groups) -> None:
            if OTHER.pw_gid in groups:
                raise OSError(22, "Invalid argument")
            really(groups)

        monkeypatch.setattr(os, "setgroups", refuse)
        with pytest.raises(OtpError, match="become_user"):
            with working_as(Identity(OTHER.pw_uid, (OTHER.pw_gid,))):
                raise AssertionError
        assert rights()[0][1] == USER.pw_uid and os.getegid() == USER.pw_gid
    assert os.geteuid() == 0


def test_what_only_root_can_read_is_imported(place: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where Ansible has put its modules."""
    (place / "private").mkdir(mode=0o700)
    (place / "private" / "otp_of_root.py").write_text("HERE = 1\n")
    monkeypatch.syspath_prepend(str(place / "private"))
    monkeypatch.delitem(sys.modules, "otp_of_root", raising=False)
    with as_owner(str(home)):
        from otp_of_root import HERE

        assert HERE == 1 and os.geteuid() == USER.pw_uid


def test_a_child_has_lost_root_and_its_terminal() -> None:
    def act() -> None:
        with working_as(identity_of(USER.pw_uid, USER.pw_gid)):
            give_up_root()
            assert os.getresuid() == (USER.pw_uid,) * 3 and os.getresgid() == (USER.pw_gid,) * 3
            assert os.getsid(0) == os.getpid()
            with pytest.raises(PermissionError):
                os.seteuid(0)
            os._exit(0)

    in_child(act)


def test_a_program_has_the_rights_of_the_owner_alone(home: Path) -> None:
    with as_owner(str(home)):
        code, output = run(["grep", "-E", "^(Uid|Gid|Groups|CapEff|CapPrm)", "/proc/self/status"], timeout=10)
    shown = {name: value.split() for name, value in (line.split(":") for line in output.splitlines())}
    assert code == 0 and shown["Uid"] == [str(USER.pw_uid)] * 4 and shown["Gid"] == [str(USER.pw_gid)] * 4
    assert "0" not in shown["Groups"] and int(shown["CapEff"][0], 16) == int(shown["CapPrm"][0], 16) == 0


def test_a_signal_reaches_the_processes_of_the_owner_and_none_of_root(home: Path) -> None:
    """A process number can be that of another process by the time of the signal."""
    with as_owner(str(home)):
        owners = subprocess.Popen(["sleep", "600"], preexec_fn=give_up_root)
    roots = subprocess.Popen(["sleep", "600"])
    try:
        with as_owner(str(home)):
            with pytest.raises(PermissionError):
                kill(roots.pid, signal.SIGTERM)
            kill(owners.pid, signal.SIGTERM)
            with pytest.raises(ProcessLookupError):
                kill(2**22 + 1, signal.SIGTERM)
        assert owners.wait(timeout=60) == -signal.SIGTERM and roots.poll() is None
        kill(roots.pid, signal.SIGTERM)
        assert roots.wait(timeout=60) == -signal.SIGTERM
    finally:
        for process in (owners, roots):
            process.kill()
            process.wait()


def test_who_can_exchange_a_path(place: Path, home: Path) -> None:
    (place / "of_root").symlink_to(home)
    (home / "deep").mkdir()
    (home / "away").symlink_to(place)
    found = {path: find_writer(str(path)) for path in (place, place / "missing" / "more", place / "of_root", home / "deep", home / "away" / "shadow")}
    assert [writer and writer.path for writer in found.values()] == [None, None, str(home), str(home), str(home)]


@pytest.mark.parametrize(("mode", "who"), [(0o777, "every user"), (0o775, "group 0")])
def test_a_directory_that_many_can_write_is_refused(place: Path, mode: int, who: str) -> None:
    (place / "common" / "of_root").mkdir(parents=True)
    (place / "common").chmod(mode)
    for path in (place / "common", place / "common" / "of_root", place / "common" / "missing"):
        with pytest.raises(OtpError, match=f"common can be written by {who}, .*chmod go-w {place}/common"):
            owner_of(str(path))
    (place / "common").chmod(mode & ~0o022)
    assert owner_of(str(place / "common" / "system")) == ROOT


def test_in_a_sticky_directory_an_entry_belongs_to_who_made_it(place: Path) -> None:
    sticky = place / "sticky"
    (sticky / "root").mkdir(parents=True)
    sticky.chmod(0o1777)
    (sticky / "link").symlink_to(place)
    os.lchown(sticky / "link", USER.pw_uid, USER.pw_gid)
    assert owner_of(str(sticky / "root")) == ROOT
    assert owner_of(str(sticky / "link")).uid == USER.pw_uid


def test_what_is_missing_in_a_sticky_directory_any_user_could_make(place: Path) -> None:
    sticky = place / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    with pytest.raises(OtpError, match=f"every user.* Run: mkdir -p {sticky}/a;"):
        owner_of(str(sticky / "a" / "system"))
    (sticky / "a").mkdir()
    assert owner_of(str(sticky / "a" / "system")) == ROOT


def test_links_in_a_circle_are_refused(place: Path) -> None:
    (place / "circle").symlink_to("circle")
    with pytest.raises(OtpError, match="too many levels"):
        find_writer(str(place / "circle"))


def test_the_owner_must_be_able_to_get_there(place: Path, home: Path) -> None:
    place.chmod(0o700)
    with pytest.raises(OtpError, match=f"may not enter {place}. Run: chmod o\\+x {place};"):
        as_owner(str(home / "x"))
    assert os.geteuid() == 0


def test_in_an_image_the_rights_stay(home: Path) -> None:
    with as_owner(str(home), "/image"), as_owner(str(home)), as_root():
        assert os.geteuid() == 0
    with in_image():
        assert not _identity.can_switch()
    assert _identity.can_switch()


def test_a_group_that_the_owner_is_not_in_is_not_taken_on() -> None:
    assert 0 not in identity_of(USER.pw_uid, 0).groups
    assert identity_of(4_000_000, 0) == Identity(4_000_000, (_identity.NOGROUP,))


@pytest.mark.parametrize("where", ["home", "sticky"])
def test_a_link_of_a_user_gives_no_directory_away(place: Path, home: Path, where: str) -> None:
    (place / "sticky").mkdir()
    (place / "sticky").chmod(0o1777)
    (place / "of_root").mkdir()
    path = place / where / "run"
    path.symlink_to(place / "of_root")
    os.lchown(path, USER.pw_uid, USER.pw_gid)
    # Also behind a link of root, as /var/log/exchange may be.
    (place / "run").symlink_to(path)
    for name in (path, place / "run"):
        with pytest.raises(OtpError, match="belongs to user 0, not to"):
            ensure_directory(str(name), mode=0o755, owner=Owner(USER.pw_uid, USER.pw_gid), changes=Changes())
        assert (place / "of_root").stat().st_uid == 0


def test_a_directory_of_an_earlier_user_in_one_of_root_is_given(home: Path) -> None:
    ensure_directory(str(home), mode=0o755, owner=Owner(OTHER.pw_uid, OTHER.pw_gid), changes=Changes())
    assert home.stat().st_uid == OTHER.pw_uid


def test_what_root_does_itself_is_listed() -> None:
    found = set()
    for path in PLUGINS.rglob("*.py"):
        for function in (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)):
            calls = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
            if any(getattr(call, "id", getattr(call, "attr", "")) == "as_root" for call in calls):
                found.add(("/".join(path.parts[-2:]), function.name))
    assert found == STILL_ROOT
