# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The release structure chapter's $SECOND_ROOT through deploy.yml: an application that lives outside of the root directory."""

from __future__ import annotations

import getpass
import grp
import json
import os
import shutil
import socket
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from upgrade_site import bring_exchange
from waiting import LIMIT, free_port

from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import parse_releases
from ansible_collections.erlang.otp.plugins.module_utils._node import lifecycle as _node

PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


@pytest.fixture
def variables(tmp_path: Path) -> t.Iterator[dict[str, t.Any]]:
    """Of an exchange whose application lies below $SECOND_ROOT; its node, which is not distributed, is stopped in the end."""
    bring_exchange(tmp_path / "source")
    shutil.copytree(tmp_path / "source" / "1.0", tmp_path / "apps" / "exchange")
    root = str(tmp_path / "exchange")
    yield {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "otp_rel": f"{tmp_path}/source/first.rel",
        "otp_code_path": [f"{tmp_path}/apps/*/ebin"],
        "otp_release_sys_config_src": f"{tmp_path}/source/sys.config.src",
        "otp_release_variables": {"SECOND_ROOT": f"{tmp_path}/apps"},
        "otp_build_dir": f"{tmp_path}/build",
        "otp_packages_dir": f"{tmp_path}/packages",
        "otp_root": root,
        "otp_home": f"{tmp_path}/home",
        "otp_user": getpass.getuser(),
        "otp_service_manager": "none",
        "otp_group": grp.getgrgid(os.getgid()).gr_name,
        "otp_config_variables": {"EXCHANGE_PORT": free_port()},
        "otp_boot_variables": {"SECOND_ROOT": f"{tmp_path}/second"},
    }
    _node.stop(root)


def deploy(variables: dict[str, t.Any], directory: Path) -> str:
    inventory = {"otp_builders": {"hosts": {"here": {}}}, "otp": {"hosts": {"here": {}}, "vars": variables}}
    (directory / "inventory.json").write_text(json.dumps(inventory))
    command = [PLAYBOOK, "-i", directory / "inventory.json", "erlang.otp.deploy"]
    done = subprocess.run(
        command, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False
    )
    return done.stdout


def test_an_application_below_the_second_root(variables: dict[str, t.Any], tmp_path: Path) -> None:
    without = deploy({**variables, "otp_boot_variables": {}}, tmp_path)
    assert "failed=1" in without, without
    assert "has no SECOND_ROOT: add it with its directory to variables (of the role: otp_boot_variables)" in without, without

    said = deploy(variables, tmp_path)
    assert "failed=0" in said, said
    with socket.create_connection(("127.0.0.1", variables["otp_config_variables"]["EXCHANGE_PORT"]), timeout=LIMIT) as connection:
        connection.sendall(b"version\n")
        assert connection.makefile().readline() == "version 1.0\n"
    releases = (tmp_path / "exchange" / "releases" / "RELEASES").read_bytes()
    (release,) = parse_releases(releases, filename="RELEASES")
    (library,) = [library for library in release.libraries if library.name == "exchange"]
    assert library.directory.startswith(f"{tmp_path}/second/")
    assert Path(library.directory, "ebin", "exchange.app").exists()
    assert not (tmp_path / "exchange" / "lib" / "exchange-1.0").exists()

    again = deploy(variables, tmp_path)
    assert "changed=0" in again and "changed=1" not in again, again
