# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: what is removed is of this system; a unit of another system stays, and so does a directory in which others write; EPMD that other nodes use
runs on; a user goes only if it was created here and no other system has it; links are not followed; an interrupted removal is completed.

tests/real/test_remove.py removes real systems with the playbook.
"""

from __future__ import annotations

import os
import pwd

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.lifecycle import Node
from ansible_collections.erlang.otp.plugins.module_utils._node.service import Service, ServiceFile
from ansible_collections.erlang.otp.plugins.module_utils._target_system import removal as _removal
from ansible_collections.erlang.otp.plugins.module_utils._target_system import service_user as _service_user
from ansible_collections.erlang.otp.plugins.module_utils._target_system import user_record as _user_record
from ansible_collections.erlang.otp.plugins.module_utils._target_system.options import SystemOptions
from ansible_collections.erlang.otp.plugins.module_utils._target_system.removal import Removal
from ansible_collections.erlang.otp.plugins.module_utils._target_system.user_record import UserRecord, add_to_user_record, path_of, read_user_record

USER = pwd.getpwuid(os.getuid()).pw_name
UNIT = "# Managed by Ansible (role erlang.otp.target_system)\nDescription=Erlang/OTP target system {}\n"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host whose accounts are changed by nobody: the commands are in the list."""
    commands = []
    monkeypatch.setattr(_user_record, "PLACE", str(tmp_path / "users"))
    monkeypatch.setattr(_removal, "ACCOUNTS", str(tmp_path / "accounts.lock"))
    monkeypatch.setattr(_removal, "run_first", lambda ways: commands.append(ways[0]))
    monkeypatch.setattr(_removal._service, "must", commands.append)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(_removal, "find_group", lambda name: True)
    for path in ("srv/x/releases/1.0", "srv/x/lib", "log", "home"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "log/erlang.log.1").touch()
    (tmp_path / "home/.erlang.cookie").touch()
    return tmp_path, commands


def removal(directory, *services, check_mode=False, root="srv/x"):
    node = Node(root=f"{directory}/{root}", user=USER, home=f"{directory}/home", log_directory=f"{directory}/log", name="x@localhost")
    options = SystemOptions(
        node=node,
        group="x",
        manage_user=True,
        pipe_directory=f"{directory}/{root}/run/pipe",
        run_directory=f"{directory}/{root}/run",
        package={"package": None, "checksum": None, "variables": {}},
        configuration={},
        files=(),
        cookie=None,
        state="absent",
        start_timeout=1,
        restart_on_change=False,
    )
    return Removal(options, Changes(check_mode=check_mode), services)


def test_the_system_is_removed_and_then_nothing_is_left_to_do(host):
    directory, commands = host
    (directory / "srv/x/way").symlink_to(directory / "log")
    told = removal(directory, check_mode=True)
    told.apply()
    assert (directory / "srv/x/way").is_symlink()
    done = removal(directory)
    assert done.apply()["is_removed"] is True and done.changes.actions == told.changes.actions
    assert not (directory / "srv/x").exists() and not (directory / "log").exists()
    # Nobody knows who created this user.
    assert (directory / "home/.erlang.cookie").exists() and "no record" in done.warnings[0] and commands == []
    again = removal(directory)
    assert again.apply()["is_removed"] is True and again.changes.actions == [] and again.warnings == []


def test_an_interrupted_removal_is_completed(host, monkeypatch):
    directory, dummy = host
    remove, removed = _removal._remove, []

    def interrupted(path, names):
        for name in names:
            remove(path, [name])
            removed.append(name)
            if name == "lib":
                raise KeyboardInterrupt

    monkeypatch.setattr(_removal, "_remove", interrupted)
    with pytest.raises(KeyboardInterrupt):
        removal(directory).apply()
    assert (directory / "srv/x/releases").is_dir() and removed == ["lib"]
    monkeypatch.setattr(_removal, "_remove", remove)
    removal(directory).apply()
    assert not (directory / "srv/x").exists()


def test_what_is_no_system_and_the_system_of_clients_are_refused(host):
    directory, dummy = host
    with pytest.raises(OtpError, match="has no directory releases"):
        removal(directory, root="srv").apply()
    (directory / "srv/x/clients/post@h").mkdir(parents=True)
    with pytest.raises(OtpError, match="post@h, whose nodes .* erlang.otp.clients"):
        removal(directory).apply()
    assert (directory / "srv/x/lib").is_dir()


def test_the_unit_of_this_system_is_removed_and_no_other(host, monkeypatch):
    directory, commands = host
    monkeypatch.setattr(_removal._service, "is_at_boot", lambda service: True)
    texts = {"own": UNIT.format(f"{directory}/srv/x"), "other": UNIT.format(f"{directory}/srv/x2"), "foreign": f"Description=of {directory}/srv/x\n"}
    services = []
    for name, text in texts.items():
        for path, content in ((f"{name}.service", text), (f"{name}-epmd.service", text.splitlines()[0])):
            (directory / path).write_text(content)
        files = tuple(ServiceFile(f"{directory}/{name}{suffix}.service", "", 0o644) for suffix in ("", "-epmd"))
        services.append(Service("systemd", name, True, files))
    done = removal(directory, *services)
    done.apply()
    assert sorted(path.name for path in directory.glob("*.service")) == ["foreign-epmd.service", "foreign.service", "other-epmd.service", "other.service"]
    assert commands == [["systemctl", "disable", "--quiet", "own.service"], ["systemctl", "daemon-reload"]]
    # The file that shows whose they are goes last.
    assert [action for action in done.changes.actions if action.endswith(".service")][-1] == f"remove {directory}/own.service"


@pytest.mark.skipif(os.getuid() != 0, reason="the service user must be root")
def test_in_a_directory_of_root_only_what_the_system_has_written_is_removed(host):
    directory, dummy = host
    (directory / "log/of another one.log").touch()
    done = removal(directory)
    done.apply()
    assert [path.name for path in (directory / "log").iterdir()] == ["of another one.log"]
    assert "stays, because it has of another one.log" in " ".join(done.warnings)


@pytest.mark.parametrize(("others", "is_stopped"), [([], True), (["x"], True), (["x", "y"], False)])
def test_epmd_runs_on_for_other_nodes(host, monkeypatch, others, is_stopped):
    directory, dummy = host
    killed = []
    add_to_user_record(USER, f"{directory}/srv/x", f"{directory}/home", "user")
    monkeypatch.setattr(_removal, "_is_epmd", lambda pid, root: pid == os.getpid())
    monkeypatch.setattr(_removal, "names_at", lambda address, port: others)
    monkeypatch.setattr(_removal, "kill", lambda pid, number: killed.append(pid))
    done = removal(directory)
    done.apply()
    assert killed == ([os.getpid()] if is_stopped else []) and ("EPMD of this system" in " ".join(done.warnings)) is not is_stopped
    # EPMD runs as the user.
    assert os.path.exists(path_of(USER)) is not is_stopped


def test_a_user_goes_with_its_last_system_and_only_what_was_created_here(host):
    directory, commands = host
    for root in ("x", "y"):
        add_to_user_record(USER, f"{directory}/srv/{root}", f"{directory}/home", "user" if root == "x" else "")
    (directory / "srv/y/releases").mkdir(parents=True)
    done = removal(directory)
    done.apply()
    assert commands == [] and read_user_record(USER) == UserRecord(["user"], {f"{directory}/srv/y": f"{directory}/home"})
    assert (directory / "home/.erlang.cookie").exists() and done.warnings == []
    add_to_user_record(USER, f"{directory}/srv/y", f"{directory}/home", "group")
    done = removal(directory, root="srv/y")
    done.apply()
    assert commands == [["userdel", USER], ["groupdel", "x"]] and not (directory / "users").exists()
    assert done.changes.actions[-1] == f"remove the system user {USER} and the group x"


def test_a_user_that_is_created_is_recorded_first_and_once(host, monkeypatch):
    directory, dummy = host
    monkeypatch.setattr(_service_user, "LOCK", str(directory / "lock"))
    seen = []
    monkeypatch.setattr(_service_user, "run_first", lambda ways: seen.append(read_user_record("new-user")))
    for root in ("/srv/x", "/srv/y"):
        _service_user.ensure_user("new-user", "new-group", "/home/x", manage=True, changes=Changes(), root=root)
        monkeypatch.setattr(_service_user, "find_user", lambda name: pwd.getpwuid(0))
        monkeypatch.setattr(_service_user, "find_group", lambda name: None if name == "no" else _Group)
    homes = {"/srv/x": "/home/x"}
    assert seen == [UserRecord(["group"], homes), UserRecord(["group", "user"], homes)]
    assert read_user_record("new-user") == UserRecord(["group", "user"], {**homes, "/srv/y": "/home/x"})
    assert read_user_record("another") == UserRecord()


class _Group:
    gr_gid = 0
