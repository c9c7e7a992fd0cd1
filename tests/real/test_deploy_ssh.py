# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/deploy.yml over SSH: a login user who becomes root by sudo, a service user, and no secret where others could see it.

The sshd is the tests' own, with a configuration, keys and a port of its own; these tests need root, sshd and sudo.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from secrecy import Watch, files_with
from waiting import LIMIT, free_port

from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator

EXCHANGE = Path(__file__).parents[2] / "examples" / "exchange"
SSHD_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/login_key.pub
PidFile {directory}/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
Subsystem sftp internal-sftp
"""


def run(*command: str | Path, **options: t.Any) -> str:
    done = subprocess.run([*command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False, **options)
    assert done.returncode == 0, done.stdout
    return done.stdout


class Remote:
    """A host that is reached by SSH, and its inventory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.login = f"login{os.getpid()}"
        self.user = f"otps{os.getpid()}"
        self.cookie = secrets.token_hex(16)
        self.root = f"{directory}/srv/exchange"
        self.home = f"{directory}/srv/home"
        self.port = free_port()
        self.ports = {"ERL_EPMD_PORT": free_port(), "EXCHANGE_PORT": free_port()}

    def write_inventory(self) -> None:
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        ssh = {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": self.login,
            "ansible_ssh_private_key_file": f"{self.directory}/login_key",
            "ansible_ssh_common_args": "-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ControlPath=none",
            "ansible_become": True,
        }
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
        groups = {"otp_builders": {"hosts": {"builder": {**local, **of_builder}}}, "otp": {"hosts": {"remote": {**ssh, **of_host}}}}
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
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")
    assert sshd and shutil.which("sudo") and os.geteuid() == 0, "these tests need root, openssh-server and sudo"
    # pytest's own directories are closed to other users.
    directory = Path(tempfile.mkdtemp(prefix="otp-ssh-"))
    directory.chmod(0o755)
    remote = Remote(directory)
    sudoers = Path("/etc/sudoers.d", remote.login)
    # The node would start one that outlives it.
    epmd = subprocess.Popen(["epmd", "-address", "127.0.0.1", "-port", str(remote.ports["ERL_EPMD_PORT"])], stdout=subprocess.DEVNULL)
    try:
        shutil.copytree(EXCHANGE / "1.0", directory / "exchange", ignore=shutil.ignore_patterns("*.beam"))
        run("erlc", "-o", directory / "exchange/ebin", *sorted((directory / "exchange/src").glob("*.erl")))
        for key in ("host_key", "login_key"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / key)
        # "*" is no password, and yet not locked: sshd lets nobody in who is.
        run("useradd", "--home-dir", directory / "login", "--create-home", "--shell", "/bin/sh", "--password", "*", remote.login)
        sudoers.write_text(f"{remote.login} ALL=(ALL) NOPASSWD: ALL\n")
        (directory / "sshd_config").write_text(SSHD_CONFIG.format(port=remote.port, directory=directory))
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        run(sshd, "-f", directory / "sshd_config", "-E", directory / "sshd.log")
        remote.write_inventory()
        yield remote
    finally:
        remote.remove()
        epmd.terminate()
        epmd.wait(LIMIT)
        if (directory / "sshd.pid").exists():
            os.kill(int((directory / "sshd.pid").read_text()), signal.SIGTERM)
        sudoers.unlink(missing_ok=True)
        for user in (remote.user, remote.login):
            subprocess.run(["userdel", user], check=False, capture_output=True)
        shutil.rmtree(directory)


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
