# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a file is written and shown once; a place that leads elsewhere is refused before anything is changed; what is not listed any more goes, unless it was
changed; a running node is called once for a change, also when the run that made it was killed; a call that fails takes it back.
"""

from __future__ import annotations

import os
import pwd
import tempfile
import time
import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import Check
from ansible_collections.erlang.otp.plugins.module_utils._target_system import own_files as _own_files
from ansible_collections.erlang.otp.plugins.module_utils._target_system.own_files import OwnFile, OwnFiles, parse_files
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.extra_files import list_of
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import contents_of
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._target_system.target_host import SCRIPT, Host
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import checksum, release_members, write_package

CALL = Check("config", "reload", [], Atom("ok"))
FILE = OwnFile("etc/a.conf", b"one\n")


@pytest.fixture
def host(tmp_path, monkeypatch):
    host = Host(tmp_path, monkeypatch)
    host.called = []
    host.value = lambda: Atom("ok")

    class Node:
        def __enter__(self):
            return self

        def __exit__(self, *dummy):
            pass

        def call(self, module, function, arguments, timeout):
            host.called.append(place(host).read())
            return host.value()

    monkeypatch.setattr(_own_files, "connect", lambda address, timeout: Node())
    monkeypatch.setattr(_own_files, "started_at", lambda pid: host.started)
    host.started = time.time_ns()
    return host


def place(host, path="etc/a.conf") -> t.Any:
    return open(os.path.join(host.root, path))


def of_kind(actions: list[str], *words: str) -> list[str]:
    return [action for action in actions if action.startswith(words)]


def test_written_once_foretold_and_shown(host):
    host.settle()
    for content in (b"one\n", b"two\n"):
        told = host.settle(check_mode=True, own_files=(FILE._replace(content=content),))
        dummy, actions, system = host.settle(own_files=(FILE._replace(content=content),))
        assert told[1] == actions and told[2].diff == system.diff and system.diff[0]["after"] == content.decode()
        assert place(host).read() == content.decode() and os.stat(host.root + "/etc/a.conf").st_mode & 0o777 == 0o640
        assert host.settle(own_files=(FILE._replace(content=content),))[1] == []
    assert "".join(system.diff[0][key] for key in ("before", "after")) == "one\ntwo\n"


@pytest.mark.parametrize("where", ["controller", "host"])
def test_each_directory_is_foretold_once_where_a_step_before_makes_it(host, tmp_path, where):
    """By the installation, also of the package's extra files, and by what the options say; with those above it."""
    host.node = host.node._replace(home=host.root + "/home/erlang")
    package = write_package(tmp_path / "extra.tar.gz", {**release_members(), "etc/pea/words": b"words"})
    known = {"package": package, "checksum": None, "release": None}
    if where == "controller":
        known = {"package": None, "checksum": checksum(package), "release": contents_of(package)}
    paths = ("etc/pea/a.conf", "etc/other/a.conf", "home/a.conf", "home/erlang/a.conf", "share/a", "share/a.b/c", "run/x/a")
    files = tuple(OwnFile(path, b"one\n") for path in paths)
    told = host.settle(check_mode=True, own_files=files, package=known)[1]
    done = host.settle(own_files=files, package={**known, "package": package})[1]
    kinds = ("create the directory", "set the mode", "give the directory", f"write {host.root}")
    assert of_kind(told, *kinds) == of_kind(done, *kinds) and not os.path.exists(f"{host.root}/etc/other/pea")
    made = of_kind(done, "create the directory")
    assert len({*made}) == len(made) and f"create the directory {host.root}/etc/pea" not in made and f"create the directory {host.root}/home/erlang" in made


def test_a_secret_and_what_is_no_text_are_in_no_diff(host):
    host.settle()
    files = (FILE._replace(secret=True), OwnFile("etc/b", b"\xff\0"))
    assert host.settle(own_files=files)[2].diff == []
    with open(host.root + "/etc/b", "rb") as file:
        assert file.read() == b"\xff\0"


@pytest.mark.parametrize("is_last", [True, False])
def test_a_link_on_the_way_is_refused_before_anything_is_changed(host, tmp_path, is_last):
    host.settle()
    os.makedirs(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/a.conf").write_text("other\n")
    if is_last:
        os.mkdir(host.root + "/etc")
        os.symlink(tmp_path / "elsewhere/a.conf", host.root + "/etc/a.conf")
    else:
        os.symlink(tmp_path / "elsewhere", host.root + "/etc")
    files = (OwnFile("first", b""), FILE)
    with pytest.raises(OtpError, match="is a link on this host. Nothing has been changed. Remove it, or choose another path"):
        host.settle(own_files=files)
    assert not os.path.exists(host.root + "/first") and (tmp_path / "elsewhere/a.conf").read_text() == "other\n"
    os.unlink(host.root + "/etc/a.conf" if is_last else host.root + "/etc")
    host.settle(own_files=files)
    assert place(host).read() == "one\n"


def test_a_directory_in_the_place_of_a_file_is_refused(host):
    host.settle()
    os.makedirs(host.root + "/etc/a.conf")
    with pytest.raises(OtpError, match="a.conf is not a file on this host"):
        host.settle(own_files=(FILE,))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work as another user")
def test_what_the_user_of_the_node_cannot_read_is_refused():
    """Its content could be neither compared nor kept."""
    user = pwd.getpwnam("nobody").pw_uid
    with tempfile.TemporaryDirectory() as root:
        os.mkdir(f"{root}/etc")
        with open(f"{root}/etc/a.conf", "w", opener=lambda path, flags: os.open(path, flags, 0o600)):
            pass
        for directory in (root, f"{root}/etc"):
            os.chown(directory, user, -1)
        files = OwnFiles((FILE,), Tree(root), Changes(check_mode=True), lambda path: None)
        with as_owner(root), pytest.raises(OtpError, match="a.conf cannot be read by the user of the node on this host. Nothing has been changed. Remove"):
            files.check_places()
        os.chown(f"{root}/etc/a.conf", user, -1)
        with as_owner(root):
            files.check_places()


def test_the_run_directory_may_be_a_link_of_ours(host, tmp_path):
    run = str(tmp_path / "run")
    for _time in range(2):
        host.settle(own_files=(OwnFile("run/a.conf", b"x"),), run_directory=run, pipe_directory=run + "/pipe")
    assert (tmp_path / "run/a.conf").read_text() == "x"


def test_what_is_not_listed_any_more_goes_unless_it_was_changed(host):
    others = (OwnFile("etc/b", b"b"), OwnFile("etc/c", b"c"))
    host.settle(own_files=(FILE, *others))
    with open(host.root + "/etc/b", "w") as file:
        file.write("by hand")
    told = host.settle(check_mode=True, own_files=(FILE,))[1]
    dummy, actions, system = host.settle(own_files=(FILE,))
    assert told == actions and of_kind(actions, "remove") == [f"remove {host.root}/etc/c, which is not in otp_files any more"]
    assert sorted(os.listdir(host.root + "/etc")) == ["a.conf", "b"]
    assert [warning for warning in system.warnings if "etc/b is not in otp_files any more, and stays" in warning]
    dummy, actions, system = host.settle(own_files=(FILE,))
    assert actions == [] and system.warnings == [], "told once"
    host.settle()
    assert not os.path.exists(host.root + "/releases/own_files") and host.settle()[1] == []


def test_a_running_node_is_called_once_for_all_files_of_a_call(host):
    files = (FILE._replace(call=CALL), OwnFile("etc/b", b"b", call=CALL))
    host.settle(own_files=files)
    assert host.called == [], "it has not run"
    files = (files[0]._replace(content=b"two\n"), files[1]._replace(content=b"c"))
    told = host.settle(check_mode=True, own_files=files)[1]
    assert host.called == []
    actions = host.settle(own_files=files)[1]
    sentence = f"call config:reload/0 in the node, which reads {host.root}/etc/a.conf, {host.root}/etc/b by it"
    assert told == actions and of_kind(actions, "call") == [sentence] and host.called == ["two\n"]
    assert host.settle(own_files=files)[1] == [] and host.called == ["two\n"]
    host.pid = None
    host.settle(own_files=(files[0]._replace(content=b"three\n"), files[1]), state="present")
    assert host.called == ["two\n"], "a node that is down gets the file alone"


@pytest.mark.parametrize("fails", [True, False])
def test_a_call_that_fails_takes_the_change_back(host, fails):
    file = FILE._replace(call=CALL)
    host.settle(own_files=(file,))
    host.value = lambda: Atom("ok" if place(host).read() == "one\n" and not fails else "bad")
    how = "and the same call fails with it as well: config:reload/0 returned bad" if fails else "and the node has read it by the same call."
    with pytest.raises(OtpError, match=f"returned bad, and ok was expected. The earlier file is back, {how}"):
        host.settle(own_files=(file._replace(content=b"two\n"),))
    assert host.called == ["two\n", "one\n"] and place(host).read() == "one\n"
    assert of_kind(host.settle(check_mode=True)[1], "remove"), "it is as it was written"
    host.value = lambda: Atom("ok")
    host.settle(own_files=(file._replace(content=b"three\n"),))
    assert host.called[2:] == ["three\n"]
    with pytest.raises(OtpError, match="The earlier file is back"):
        host.value = lambda: Atom("bad")
        host.settle(own_files=(file._replace(content=b"three\n"), OwnFile("etc/new", b"", call=CALL)))
    assert not os.path.exists(host.root + "/etc/new"), "there was none"


def test_the_call_of_a_run_that_was_killed_is_made_by_the_next_one(host):
    file = FILE._replace(call=CALL)
    host.settle(own_files=(file,))
    host.value = lambda: (dummy for dummy in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        host.settle(own_files=(file._replace(content=b"two\n"),))
    host.value = lambda: Atom("ok")
    told = host.settle(check_mode=True, own_files=(file._replace(content=b"two\n"),))[1]
    actions = host.settle(own_files=(file._replace(content=b"two\n"),))[1]
    assert told == actions and of_kind(actions, "call") and host.called == ["two\n", "two\n"]


def test_what_is_due_is_called_for_unless_the_node_has_started_since(host):
    file = FILE._replace(call=CALL)
    host.settle(own_files=(file,))
    path = host.root + "/releases/own_files"
    with open(path) as file_of_list:
        due = file_of_list.read().replace(" - ", " due ")
    for started, called in ((0, ["one\n"]), (time.time_ns() + 10**12, ["one\n"])):
        with open(path, "w") as file_of_list:
            file_of_list.write(due)
        host.started = started
        host.settle(own_files=(file,))
        assert host.called == called and host.settle(own_files=(file,))[1] == []
    host.started, host.value = 0, lambda: Atom("bad")
    with open(path, "w") as file_of_list:
        file_of_list.write(due)
    with pytest.raises(OtpError, match="no earlier file can be put back. Correct the file or the node, and run it again"):
        host.settle(own_files=(file,))
    host.value = lambda: Atom("ok")
    assert len(of_kind(host.settle(own_files=(file,))[1], "call")) == 1


def test_a_node_that_must_be_restarted_to_be_called_is_not_called(host):
    file = FILE._replace(call=CALL)
    host.settle(own_files=(file,))
    host.silence = "it has another name"
    files = {"files": (host_script(),), "own_files": (file._replace(content=b"two\n"),)}
    assert not of_kind(host.settle(**files)[1], "call") and host.called == []
    host.silence, host.started = "", 0
    assert of_kind(host.settle(**files)[1], "call") and host.called == ["two\n"]


def host_script():
    return SCRIPT._replace(content="#!/bin/sh\n# other\n")


def test_what_a_node_reads_at_its_start_is_kept_and_outdates_it(host):
    file = FILE._replace(restart=True)
    host.settle(own_files=(file,))
    result, actions, dummy = host.settle(check_mode=True, own_files=(file._replace(content=b"two\n"),), restart_on_change=True)
    assert result["node"]["to_restart"] and result["node"]["outdated"] == [host.root + "/etc/a.conf"]
    result, done, dummy = host.settle(own_files=(file._replace(content=b"two\n"),), restart_on_change=True)
    assert actions == done and result["node"]["to_restart"] and place(host, ".previous/etc/a.conf").read() == "one\n"
    result, dummy, system = host.settle(own_files=())
    assert result["node"]["outdated"] == [host.root + "/etc/a.conf"] and "restart it" in system.warnings[-1], "it has read the one that is gone"
    assert place(host, ".previous/etc/a.conf").read() == "one\n"
    result, actions, dummy = host.settle(own_files=())
    assert result["node"]["outdated"] == [host.root + "/etc/a.conf"] and actions == [], "until it is restarted"


def entry(path: str, **more: t.Any) -> dict[str, t.Any]:
    return {"path": path, "content": "x", "encoding": "text", "mode": "0640", "secret": False, "on_change": None, **more}


def test_the_option_as_the_module_has_it():
    rpc = {"module": "config", "function": "reload", "arguments": ["1"], "expect": "ok"}
    files = parse_files([entry("a", on_change={"restart": True, "rpc": None}), entry("b", content="/wA=", encoding="base64", on_change={"rpc": rpc})])
    assert files == (OwnFile("a", b"x", restart=True), OwnFile("b", b"\xff\0", call=Check("config", "reload", [1], Atom("ok"))))
    for wrong, words in (
        ({"on_change": {"restart": True, "rpc": rpc}}, "b: on_change has restart and rpc"),
        ({"on_change": {"rpc": {**rpc, "expect": "{"}}}, r"b: on_change.rpc\[0\].expect"),
        ({"mode": "rw"}, "b: mode: 'rw'"),
        ({"content": "?", "encoding": "base64"}, "b: "),
    ):
        with pytest.raises(OtpError, match=words):
            parse_files([entry("a"), entry("b", **wrong)])
    with pytest.raises(OtpError, match=r"otp_files \(option own_files\) has 'a' twice"):
        parse_files([entry("a"), entry("a")])


def test_the_address_is_that_of_the_node(host):
    host.settle()
    system = host.settle()[2]
    assert system.node.address() == NodeAddress("a@localhost", cookie_file=host.node.cookie_file, root=host.root)
    system.node.node = host.node._replace(name="")
    assert system.node.address() == NodeAddress(pipe_dir=host.root + "/run/pipe")
    assert Changes().actions == []


def test_an_earlier_file_that_cannot_be_put_back_hides_no_reason(host, monkeypatch):
    file = FILE._replace(call=CALL)
    host.settle(own_files=(file,))
    host.value = lambda: Atom("bad")
    refused = PermissionError(1, "Operation not permitted")
    with monkeypatch.context() as patch, pytest.raises(OtpError, match="bad, and ok was expected. The earlier .*/etc/a.conf cannot be put back .Operation not"):
        patch.setattr(_own_files, "_put_back", lambda *dummy: (dummy for dummy in ()).throw(refused))
        host.settle(own_files=(file._replace(content=b"two\n"),))
    host.value = lambda: Atom("ok")
    assert of_kind(host.settle(own_files=(file._replace(content=b"two\n"),))[1], "call"), "the next run calls again"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can take on the rights of others")
def test_an_earlier_file_of_root_comes_back_as_the_users():
    user = pwd.getpwnam("daemon")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        place = os.path.join(directory, "a")
        with open(place, "w") as file:
            file.write("of root")
        os.chown(directory, user.pw_uid, user.pw_gid)
        earlier = _own_files._content_of(place)
        with as_owner(place):
            _own_files._put_back(place, earlier)
        with open(place) as file:
            assert file.read() == "of root" and os.fstat(file.fileno()).st_uid == user.pw_uid


@pytest.mark.parametrize("restart", [False, True])
def test_the_file_of_the_package_comes_back(host, restart):
    host.settle(own_files=(FILE._replace(restart=restart),))
    of_package = f"{host.root}/releases/FIRST/extra/etc/a.conf"
    os.makedirs(os.path.dirname(of_package))
    with open(of_package, "w") as file:
        file.write("of the package")
    with open(f"{host.root}/releases/FIRST/extra_files", "wb") as file:
        file.write(list_of(f"{host.root}/releases/FIRST/extra"))
    told = host.settle(check_mode=True)[1]
    result, actions, dummy = host.settle()
    assert told == actions and of_kind(actions, "bring") and place(host).read() == "of the package"
    assert result["node"]["outdated"] == ([host.root + "/etc/a.conf"] if restart else [])
    dummy, actions, system = host.settle()
    assert not [action for action in actions if "etc/a.conf" in action] and not [
        warning for warning in system.warnings if "not in otp_files any more" in warning
    ]
    host.settle(own_files=(FILE,))
    assert place(host).read() == "one\n"
