# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback plugin fleet and a host that is reached by SSH and sudo: how much of a package was sent is seen meanwhile."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from recording import Recording
from ssh_host import ssh_host
from upgrade_site import BIN

# Sent through standard input, and uploaded.
SIZES = [pytest.param(12 << 20, id="sent"), pytest.param(150 << 20, id="uploaded", marks=pytest.mark.full)]


@pytest.mark.parametrize("size", SIZES)
def test_how_much_of_a_package_was_sent(tmp_path: Path, size: int) -> None:
    """The package is none, so the module fails when it has all of it."""
    package = tmp_path / "tele-1.tar.gz"
    with package.open("wb") as file:
        file.write(os.urandom(1 << 20))
        file.truncate(size)
    with ssh_host() as host:
        system = {"root": f"{host.directory}/tele", "user": "root", "home": f"{host.directory}/home", "package": str(package)}
        task = {"name": "Ensure the target system", "erlang.otp.otp_target_system": system}
        (tmp_path / "playbook.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))
        (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"north": host.variables()}}}))
        environment = {"ANSIBLE_STDOUT_CALLBACK": "erlang.otp.fleet", "ANSIBLE_PIPELINING": "1", "ANSIBLE_NOCOLOR": "1", "CI": ""}
        with Recording(f"{BIN}/ansible-playbook", "-i", f"{tmp_path}/hosts.yml", f"{tmp_path}/playbook.yml", columns=100, **environment) as recording:
            recording.watch()
        assert not (host.directory / "tele/releases").exists()
    text = recording.written.decode()
    assert recording.code == 2 and "neither a gzip file nor a tar file" in text, text
    percents = [int(number) for number in re.findall(r"north  send the package: (\d+) %", text)]
    # A fast machine draws few of them.
    assert percents and percents == sorted(percents)
