# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/clients.yml: a client node beside its master, with own directories for its cookie and its logs.

Rules: otp_client_home and otp_client_log_dir are where the node reads and writes; a second run changes nothing. A client that was started before
its configuration changed has a warning of Ansible, and is restarted with otp_restart_on_change. Whether it runs is what its host says: a silent
epmd says nothing.
"""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from upgrade_site import Site, upgrade_site
from waiting import free_port, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._client.directory import ensure_client
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.modules.otp_release_client import request_of


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    with upgrade_site(Path(tempfile.mkdtemp(prefix="otp-client-")), hosts=["north"]) as site:
        yield site


def emulators(name: str) -> list[int]:
    """The emulators whose node has the name."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"-root" in words and name.encode() in words:
            found.append(int(entry.name))
    return found


def a_client_is_not_down_because_epmd_is_silent(site: Site, name: str) -> None:
    """Nor because there is none. Its directory stays until its host has stopped it."""
    directory = Path(site.root("north"), "clients", name)
    where = {"root": site.root("north"), "client": name, "type": None, "masters": [], "owner": None, "group": None, "mode": "0640", "host": None}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for epmd_port in (port, free_port()):
            request = request_of({**where, "epmd_port": epmd_port, "stopped": False})._replace(state="absent")
            with pytest.raises(OtpError, match=f"it is not known whether client {name} runs"):
                ensure_client(request, Changes())
            assert emulators(name) and (directory / "releases/RELEASES").exists()
        run = site.play("clients", otp_epmd_port=port, otp_client_state="absent")
        assert not emulators(name) and not directory.exists(), run.output


def test_a_client_with_own_directories(site: Site) -> None:
    inventory = yaml.safe_load(site.inventory.read_text())
    groups = inventory["all"]["children"]
    own = site.directory / "client"
    (own / "home").mkdir(parents=True)
    name = "client@localhost"
    groups["otp_clients"] = {
        "vars": groups["otp"]["vars"],
        "hosts": {
            "beside": {
                "otp_root": site.root("north"),
                "otp_node_name": name,
                "otp_master": "north",
                "otp_service_manager": "none",
                "otp_heart": False,
                "otp_release": "FIRST",
                "otp_epmd_port": site.epmd_port,
                "otp_client_home": str(own / "home"),
                "otp_client_run_dir": str(own / "run"),
                "otp_client_log_dir": str(own / "log"),
                "otp_sys_config": {"exchange": {"port": free_port()}},
            }
        },
    }
    groups["otp"]["hosts"]["north"]["otp_epmd_port"] = site.epmd_port
    site.inventory.write_text(yaml.safe_dump(inventory))
    try:
        run = site.play("clients")
        assert run.changed["beside"] > 0 and len(emulators(name)) == 1
        assert (own / "home/.erlang.cookie").read_text() == site.cookie
        assert list((own / "log").glob("erlang.log.*")) and not Path(site.root("north"), "clients", name, ".erlang.cookie").exists()
        assert site.play("clients").changed["beside"] == 0
        before = emulators(name)
        groups["otp_clients"]["hosts"]["beside"]["otp_environment"] = {"LINE": "2"}
        site.inventory.write_text(yaml.safe_dump(inventory))
        run = site.play("clients")
        assert f"[WARNING]: {name} was started before its scripts or its configuration changed" in " ".join(run.output.split()) and emulators(name) == before
        # A warning comes with the change alone, as a restart does.
        run = site.play("clients", otp_environment={"LINE": "3"}, otp_restart_on_change=True)
        # Ansible may have warnings of its own, as of a task that it tries again.
        assert f"[WARNING]: {name}" not in run.output and len(emulators(name)) == 1 and emulators(name) != before
        a_client_is_not_down_because_epmd_is_silent(site, name)
    finally:
        for pid in emulators(name):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not emulators(name), "the client is down")
