# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/deploy.yml over SSH: a login user who becomes root by sudo, a service user, and no secret where others could see it.

These tests need root, sshd and sudo.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import secrets
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from secrecy import Watch, files_with
from ssh_host import SshHost, run, ssh_host
from waiting import LIMIT, free_port

from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator

EXCHANGE = Path(__file__).parents[2] / "examples" / "exchange"


class Remote:
    """A host that is reached by SSH, and its inventory."""

    def __init__(self, host: SshHost) -> None:
        self.host = host
        self.directory = directory = host.directory
        self.login, self.user = host.login, host.user
        self.cookie = secrets.token_hex(16)
        self.root = f"{directory}/srv/exchange"
        self.home = f"{directory}/srv/home"
        self.ports = {"ERL_EPMD_PORT": host.epmd_port, "EXCHANGE_PORT": free_port()}

    def write_inventory(self) -> None:
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        of_builder = {
            "otp_release_name": "exchange",
            "otp_release_version": "FIRST",
            "otp_release_applications": ["sasl", "exchange"],
            "otp_code_path": [f"{self.directory}/exchange/ebin"],
            "otp_build_dir": f"{self.directory}/build",
        }
        of_host = {
            "otp_root": self.root,
            "otp_home": self.home,
            "otp_user": self.user,
            "otp_service_manager": "none",
            "otp_node_name": f"{self.user}@localhost",
            "otp_cookie": self.cookie,
            "otp_environment": {"ERL_EPMD_PORT": self.ports["ERL_EPMD_PORT"]},
            "otp_erl_flags": ["-kernel", "inet_dist_use_interface", "{127,0,0,1}"],
            "otp_sys_config": {"exchange": {"port": self.ports["EXCHANGE_PORT"]}},
        }
        groups = {"otp_builders": {"hosts": {"builder": {**local, **of_builder}}}, "otp": {"hosts": {"remote": {**self.host.variables(), **of_host}}}}
        (self.directory / "inventory").mkdir()
        (self.directory / "inventory" / "hosts.yml").write_text(yaml.safe_dump(groups))

    def deploy(self, *, pipelining: bool) -> tuple[str, dict[str, t.Any], int]:
        """Deploy with all that Ansible can be made to say: its output, what otp_target_system returned, how much changed."""
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_FORMAT_PRETTY": "0", "ANSIBLE_PIPELINING": str(pipelining)}
        program = Path(sys.executable).parent / "ansible-playbook"
        output = run(program, "-i", self.directory / "inventory", "erlang.otp.deploy", "-vvvv", "--diff", env=environment)
        results = [json.loads(text) for text in re.findall(r"^(?:ok|changed): \[remote\] => (\{.*\})$", output, re.MULTILINE)]
        changed = re.search(r"^remote +: ok=.* changed=(\d+)", output, re.MULTILINE)
        assert changed
        return output, next(result for result in results if "actions" in result), int(changed.group(1))

    def remove(self) -> None:
        _node.stop(self.root)
        shutil.rmtree(self.directory / "srv", ignore_errors=True)


@pytest.fixture(scope="module")
def remote() -> t.Iterator[Remote]:
    with ssh_host() as host:
        remote = Remote(host)
        shutil.copytree(EXCHANGE / "1.0", host.directory / "exchange", ignore=shutil.ignore_patterns("*.beam"))
        run("erlc", "-o", host.directory / "exchange/ebin", *sorted((host.directory / "exchange/src").glob("*.erl")))
        remote.write_inventory()
        try:
            yield remote
        finally:
            remote.remove()


@pytest.mark.parametrize("pipelining", [False, True], ids=["files", "pipelining"])
def test_a_deploy_over_ssh(remote: Remote, pipelining: bool) -> None:
    remote.remove()
    with Watch(remote.cookie) as watch:
        output, result, changed = remote.deploy(pipelining=pipelining)
        again, unchanged, changed_again = remote.deploy(pipelining=pipelining)
    assert changed == 1 and result["transferred"] and result["node"]["release"] == "FIRST"
    assert changed_again == 0 and unchanged["actions"] == [] and unchanged["transferred"] is False
    assert unchanged["node"]["pid"] == result["node"]["pid"] == find_emulator(remote.root)
    assert Path(f"/proc/{result['node']['pid']}").stat().st_uid == pwd.getpwnam(remote.user).pw_uid

    assert "as an inventory source" not in output + again, "the package is taken for an inventory"
    assert remote.cookie not in output and remote.cookie not in again
    assert watch.rounds > 10 and not watch.seen
    assert files_with(remote.directory, remote.cookie) == {"inventory/hosts.yml", "srv/home/.erlang.cookie"}
    assert Path(remote.home, ".erlang.cookie").stat().st_mode & 0o777 == 0o400
    assert not list((remote.directory / "login" / ".ansible" / "tmp").glob("*")), "files are left behind where the login user lives"


def test_without_become_the_message_names_it(remote: Remote) -> None:
    remote.remove()
    program = Path(sys.executable).parent / "ansible-playbook"
    command = [program, "-i", remote.directory / "inventory", "erlang.otp.deploy", "-e", '{"ansible_become": false}']
    said = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
    assert said.returncode == 2 and "use become" in said.stdout.partition("fatal: [remote]")[2].lower()
    assert not os.path.exists(remote.root)


class Hosts:
    """Names for the host of these tests, and a module that predicts a new system there."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        host = yaml.safe_load((remote.directory / "inventory" / "hosts.yml").read_text())["otp"]["hosts"]["remote"]
        self.host = {name: value for name, value in host.items() if name.startswith("ansible_")}
        self.output = ""

    def predict(self, *, pipelining: bool = True, environment: dict[str, str] | None = None, **variables: t.Any) -> list[str]:
        """The warnings of a run on two hosts. self.output: all that Ansible shows."""
        # An interpreter that is not discovered: that gives warnings too.
        hosts = {name: {**self.host, "ansible_python_interpreter": "/usr/bin/python3", **variables} for name in ("one", "two")}
        inventory = self.remote.directory / "two.yml"
        inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        arguments = f"root={self.remote.directory}/srv/new user=root group=root home={self.remote.directory}/srv state=absent"
        command = [Path(sys.executable).parent / "ansible", "-i", inventory, "all", "--check", "-vvvv", "-m", "erlang.otp.otp_target_system", "-a", arguments]
        settings = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": str(pipelining), **(environment or {})}
        done = subprocess.run(command, text=True, capture_output=True, timeout=600, check=False, env=settings)
        self.output = done.stdout + done.stderr
        assert done.returncode == 0 and self.output.count("| SUCCESS =>") == 2, self.output
        return re.findall(r"^\[WARNING\]: (.*)$", self.output.replace("\r", ""), re.MULTILINE)

    def went_ansibles_way(self) -> bool:
        return "Using module file" in self.output


@pytest.fixture
def hosts(remote: Remote) -> Hosts:
    return Hosts(remote)


def test_standard_input_and_the_switch(hosts: Hosts) -> None:
    assert not hosts.predict() and not hosts.went_ansibles_way() and " PUT " not in hosts.output
    assert not hosts.predict(otp_stdin_transport=False) and hosts.went_ansibles_way()
    assert not hosts.predict(environment={"ERLANG_OTP_STDIN_TRANSPORT": "false"}) and hosts.went_ansibles_way()
    assert not hosts.predict(environment={"ERLANG_OTP_STDIN_TRANSPORT": "false"}, otp_stdin_transport=True) and not hosts.went_ansibles_way()


def test_one_warning_for_all_hosts(hosts: Hosts) -> None:
    warnings = hosts.predict(pipelining=False)
    assert hosts.went_ansibles_way() and len(warnings) == 1 and "pipelining is off (set ansible_pipelining to true)" in warnings[0]


def test_a_login_shell_that_writes_before_and_after(hosts: Hosts) -> None:
    shell = hosts.remote.directory / "shell"
    shell.write_text('#!/bin/sh\nprintf "Welcome \\377"\n/bin/sh "$@"\nstatus=$?\necho logout\nexit $status\n')
    shell.chmod(0o755)
    try:
        run("usermod", "--shell", shell, hosts.remote.login)
        warnings = hosts.predict()
    finally:
        run("usermod", "--shell", "/bin/sh", hosts.remote.login)
    assert not hosts.went_ansibles_way() and warnings == ["Module invocation had junk after the JSON data: logout"]


def test_a_large_package_is_uploaded(remote: Remote, tmp_path: Path) -> None:
    """It is not a package, which the module finds out on the host: nothing of it stays there, and the message has its name on the controller."""
    package = tmp_path / "large.tar.gz"
    with package.open("wb") as file:
        file.truncate(17 << 20)
    command = [Path(sys.executable).parent / "ansible", "-i", remote.directory / "inventory", "remote", "-vvvv", "-m", "erlang.otp.otp_release_handler"]
    arguments = f"root={remote.directory}/srv/new release=1.0 state=unpacked transport=offline package={package}"
    done = subprocess.run(
        [*command, "-a", arguments], text=True, capture_output=True, timeout=600, check=False, env={**os.environ, "ANSIBLE_PIPELINING": "true"}
    )
    assert done.returncode == 2 and f"{package}" in done.stdout.partition('"msg": ')[2], done.stdout
    assert " PUT " in done.stdout and "Using module file" not in done.stdout
    assert not list((remote.directory / "login" / ".ansible" / "tmp").glob("*"))
