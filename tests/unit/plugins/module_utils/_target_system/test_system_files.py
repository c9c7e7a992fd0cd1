# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: everything belongs to the service user, with the modes of docs; neither the cookie nor a secret file nor sys.config with secrets is
in the diff; a run directory that is in the way is not replaced.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._target_system.options import File
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._target_system.target_host import SCRIPT, Host
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.reachable import reachable


@pytest.fixture
def host(tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch)


def test_the_diff_has_files_but_no_secret_ones_and_no_cookie(host):
    files = (SCRIPT, File("etc/key", "very private", 0o600, True))
    dummy, actions, system = host.settle(files=files)
    assert {entry["after_header"] for entry in system.diff} == {"releases", host.root + "/bin/start"}, "an environment without variables"
    assert "very private" not in str(system.diff) + str(actions) and "secret" not in str(system.diff) + str(actions)


def test_the_environment_is_a_file_of_the_service_user_whose_secrets_are_in_no_diff(host):
    host.node = host.node._replace(environment={"LANG": "C", "MOVES": "very private 1"})
    dummy, actions, system = host.settle(environment_secrets={"KEY": "very private 2"})
    path = host.root + "/bin/environment"
    with open(path) as file:
        assert file.read() == "KEY=very private 2\nLANG=C\nMOVES=very private 1\n"
    assert os.stat(path).st_mode & 0o777 == 0o400
    assert actions.index(f"write {path}") < actions.index(f"write {host.root}/bin/start")
    assert system.diff[-1]["after"] != "KEY=********\nLANG=C\nMOVES=very private 1\n"
    # A variable that becomes a secret, and another value of one.
    host.node = host.node._replace(environment={"LANG": "D", "MOVES": "very private 1"})
    for secrets in ({"KEY": "very private 2", "MOVES": "very private 3"}, {"KEY": "very private 4", "MOVES": "very private 3"}):
        dummy, actions, system = host.settle(environment_secrets=secrets)
        assert actions == [f"write {path}"] and "very private" not in str(system.diff)
        assert f"runs with an earlier version of {path}" in system.warnings[0]
    assert host.settle(environment_secrets=secrets)[1] == []
    host.node = host.node._replace(environment={"LANG": "D"})
    assert host.settle(environment_secrets={"KEY": "very private 5", "MOVES": "x"})[2].diff == []


def test_a_configuration_with_secrets_is_not_in_the_diff(host):
    secret = {"sys_config": '[{pea,[{key,"very private"}]}].\n', "vm_args": None, "variables": {}, "secrets": {"KEY": "very private"}}
    dummy, actions, system = host.settle(configuration=secret)
    assert "very private" not in str(system.diff) + str(actions)
    with open(host.root + "/releases/FIRST/sys.config") as file:
        assert "very private" in file.read()


def test_directories_have_their_modes_and_the_run_directory_its_link(host, tmp_path):
    run = str(tmp_path / "volatile")
    host.node = host.node._replace(log_directory=str(tmp_path / "logs"))
    host.settle(run_directory=run, pipe_directory=run + "/pipe")
    modes = {path: os.stat(path).st_mode & 0o777 for path in (host.node.home, host.node.log_directory, run, run + "/pipe")}
    assert list(modes.values()) == [0o750, 0o750, 0o755, 0o700]
    assert os.readlink(host.root + "/run") == run
    assert host.settle(run_directory=run, pipe_directory=run + "/pipe")[1] == []


def test_a_run_directory_of_an_earlier_deployment_is_in_the_way(host, tmp_path):
    host.settle()
    with pytest.raises(OtpError, match=r"/run is a directory, and otp_run_dir is .*: stop the node and remove"):
        host.settle(run_directory=str(tmp_path / "volatile"))
    host.pid = None
    shutil.rmtree(host.root + "/run")
    host.settle(run_directory=str(tmp_path / "volatile"), pipe_directory=str(tmp_path / "volatile/pipe"))
    assert os.readlink(host.root + "/run") == str(tmp_path / "volatile")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_everything_belongs_to_the_service_user(host, tmp_path):
    user = pwd.getpwnam("daemon")
    reachable(tmp_path)
    host.node = host.node._replace(user="daemon")
    host.settle(group=grp.getgrgid(user.pw_gid).gr_name, run_directory=str(tmp_path / "volatile"), pipe_directory=str(tmp_path / "volatile/pipe"))
    trees = [host.root, host.node.home, str(tmp_path / "volatile")]
    paths = [os.path.join(path, name) for tree in trees for path, names, files in os.walk(tree) for name in names + files]
    # The number of the emulator is a file of the test's own node.
    owners = {path: os.lstat(path)[4:6] for path in [*trees, *paths] if not path.endswith("emulator.pid")}
    assert {path: owner for path, owner in owners.items() if owner != (user.pw_uid, user.pw_gid)} == {}
