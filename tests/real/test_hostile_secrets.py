# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values out of Ansible Vault in variables that are not for secrets, and a cookie in a release's own vm.args: nothing shows them, on any way.

The ways: diffs and all else that Ansible writes, arguments of processes, files that others can read, the log of the host; without pipelining.
"""

from __future__ import annotations

import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from secrecy import Syslog, Watch, files_with, open_to_others
from upgrade_site import BIN, Run, Site, upgrade_site

from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator

HOST = "north"
SAYS_ALL = ("-vvvv", "--diff")
# Of an encrypted file, encrypted alone, and of the package.
IN_FILE, ALONE, OF_PACKAGE = 'it\'s of a "file" $HOME', "valueencryptedalone", "cookieofthepackage"
CONFIG = '[{{exchange,[{{port,{port}}}]}},{{other,[{{a,"<{{{{ vault_in_file }}}}>"}},{{b,"{{{{ vault_alone }}}}"}}]}}].\n'


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    directory = Path(tempfile.mkdtemp(prefix="otp-hostile-"))
    directory.chmod(0o755)
    with upgrade_site(directory, hosts=[HOST]) as site, pytest.MonkeyPatch.context() as patch:
        (directory / "password").write_text("password of the vault\n")
        (directory / "password").chmod(0o600)
        patch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(directory / "password"))
        patch.setenv("ANSIBLE_LOG_PATH", str(directory / "ansible.log"))
        patch.setenv("ANSIBLE_REMOTE_TMP", str(directory / "remote"))
        (directory / "vm.args").write_text(f"+K true\n-setcookie {OF_PACKAGE}\n")
        (directory / "vm.args").chmod(0o600)
        yield site


def vault(*arguments: str, given: str = "") -> str:
    return subprocess.run([BIN / "ansible-vault", *arguments], text=True, input=given, capture_output=True, check=True).stdout


def write_inventory(site: Site, day: str) -> None:
    """Values of that day in variables for everybody's eyes."""
    variables = site.directory / "group_vars" / "otp"
    variables.mkdir(parents=True, exist_ok=True)
    (variables / "file.yml").write_text(yaml.safe_dump({"vault_in_file": f"{IN_FILE} {day}"}))
    vault("encrypt", str(variables / "file.yml"))
    (variables / "alone.yml").write_text(vault("encrypt_string", "--stdin-name", "vault_alone", given=f"{ALONE}{day}"))
    (site.directory / "sys.config.j2").write_text(CONFIG.format(port=site.ports[HOST]).replace("vault_in_file", "vault_in_file | replace('\"', '\\\\\"')"))
    site.write_inventory(
        "SECOND",
        "FIRST",
        ansible_pipelining=False,
        otp_sys_config_template=str(site.directory / "sys.config.j2"),
        otp_environment={"ERL_EPMD_PORT": site.epmd_port, "PLAIN": "{{ vault_alone }}", "COMPOSED": "a{{ vault_in_file }}b"},
        otp_vm_args="" if day == "monday" else "-env VAULTED '{{ vault_alone }}'\n",
    )


def test_nothing_shows_a_value_of_vault_and_no_node_the_cookie_of_its_release(site: Site) -> None:
    outputs: list[str] = []

    def play(playbook: str, **options: t.Any) -> Run:
        run = site.play(playbook, *SAYS_ALL, otp_release_vm_args=str(site.directory / "vm.args"), **options)
        outputs.append(run.output)
        return run

    values = [f"{value}{day}" for value in (f"{IN_FILE} ", ALONE) for day in ("monday", "tuesday")]
    with Watch(OF_PACKAGE, of_environment=[*values[:3]]) as watch, Syslog() as syslog:
        write_inventory(site, "monday")
        upgrade = play("upgrade")
        restart = play("deploy", otp_restart_on_change=True)
        write_inventory(site, "tuesday")
        changed = play("deploy")
    assert "which would show the cookie to every user of the host" in upgrade.output
    # The attack: the values have reached the files of the system, by ways that Ansible does not know to be secret.
    environment = Path(site.root(HOST), "bin/environment")
    assert f"COMPOSED=a{IN_FILE} tuesdayb\n" in environment.read_text() and environment.stat().st_mode & 0o777 == 0o400
    config = Path(site.root(HOST), "releases/SECOND/sys.config").read_text()
    assert f"{ALONE}tuesday" in config and "file" in config
    assert (restart.changed[HOST], changed.changed[HOST]) == (2, 1)
    assert f"write {environment}" in changed.output

    words = ("monday", "tuesday", ALONE, OF_PACKAGE)
    for output in outputs:
        assert not [word for word in words if word in output]
    assert not [word for word in words if word.encode() in syslog.heard]
    assert not watch.seen
    for path in open_to_others(site.directory):
        # Everybody may read the template, which has no value.
        assert not [word for word in words if word.encode() in path.read_bytes()], path
    pid = find_emulator(site.root(HOST))
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    assert b"-setcookie" not in arguments and b"-K" in arguments
    assert files_with(Path(site.root(HOST)), OF_PACKAGE) == set()
    assert "version 2.0" == site.ask(HOST, "version")
