# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Of client nodes, too, check mode says what the run says; and what a table says is what the nodes and the kernel say.

As test_table_of_truth.py. The clients are of one master, which the tests leave alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from handler_site import Releases
from truth_site import Fleet
from waiting import LIMIT, free_port

CLIENTS = ("amy", "ben", "coy", "dot", "eli", "flo")
# Those of the verbs.
OF_CLIENTS: dict[str, t.Any] = {"otp_hosts": "otp_clients", "otp_serial": "100%", "otp_max_fail_percentage": 100}
AWAY = {"otp_master": "away"}


class Clients(Fleet):
    """The hosts are clients of north; away is a name of that master under which it is not reached."""

    def root(self, host: str) -> str:
        """The directory that a node boots from."""
        master = f"{self.directory}/north"
        return master if host in ("north", "away") else f"{master}/clients/{host}@localhost"

    def write(self, of_hosts: t.Mapping[str, t.Mapping[str, t.Any]] | None = None, **of_all: t.Any) -> None:
        super().write()
        everything = yaml.safe_load(self.inventory.read_text())["all"]["children"]["otp"]["vars"]
        everything.update(otp_cookie=self.cookie, otp_epmd_port=self.epmd_port, otp_root=self.root("north"), otp_node_name="north@localhost")
        north = {"otp_home": f"{self.directory}/home-north", "otp_package": self.packages["FIRST"]}
        away = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": free_port()}
        clients = {
            host: {
                "otp_node_name": f"{host}@localhost",
                **{f"otp_client_{name}": f"{self.directory}/{host}/{name.partition('_')[0]}" for name in ("home", "run_dir", "log_dir")},
                **(of_hosts or {}).get(host, {}),
            }
            for host in self.hosts
        }
        groups = {
            "otp": {"hosts": {"north": north}},
            "masters": {"hosts": {"away": away}},
            "otp_clients": {"hosts": clients, "vars": {"otp_master": "north", **of_all}},
        }
        self.inventory.write_text(yaml.safe_dump({"all": {"children": groups, "vars": everything}}))

    def programs_of_hosts(self) -> dict[str, dict[str, list[int]]]:
        """All of them run programs of the master's."""
        hosts = {f"RELDIR={self.root(host)}/releases".encode(): host for host in self.hosts}
        found: dict[str, dict[str, list[int]]] = {}
        for name, pids in super().programs_of_hosts().get("north", {}).items():
            for pid in pids:
                try:
                    variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                except (FileNotFoundError, ProcessLookupError):
                    continue
                for host in (hosts[variable] for variable in variables if variable in hosts):
                    found.setdefault(host, {}).setdefault(name, []).append(pid)
        return found

    def end(self, host: str) -> None:
        """Stop the node, as by hand."""
        subprocess.run([f"{self.root(host)}/bin/stop"], check=True, timeout=LIMIT)


@pytest.fixture(scope="module")
def site(releases: Releases) -> t.Iterator[Clients]:
    site = Clients(Path(tempfile.mkdtemp(prefix="otp-truth-clients-")), CLIENTS, releases)
    for client in CLIENTS:
        (site.directory / client / "home").mkdir(parents=True)
    subprocess.run(["epmd", "-address", "127.0.0.1", "-port", str(site.epmd_port), "-daemon", "-relaxed_command_check"], check=True)
    try:
        site.write()
        site.play("deploy")
        yield site
    finally:
        for host in ("north", *CLIENTS):
            if os.path.exists(f"{site.root(host)}/bin/stop"):
                site.end(host)
        subprocess.run(["epmd", "-port", str(site.epmd_port), "-kill"], stdout=subprocess.DEVNULL, check=True)
        shutil.rmtree(site.directory)


def test_clients_that_were_not_there(site: Clients) -> None:
    """The master of eli is away, and the one of flo has not the release."""
    site.write({"coy": {"otp_state": "stopped"}, "dot": {"otp_state": "present"}, "eli": AWAY, "flo": {"otp_release": "THIRD"}})
    outcomes = site.drive("clients", code=2)
    assert outcomes == {**dict.fromkeys(("amy", "ben", "coy", "dot"), "changed"), "eli": "unreachable", "flo": "failed"}


def test_clients_that_are_changed_or_down(site: Clients) -> None:
    """amy is down, and so is coy, which is to run now; the configurations of ben and dot have changed."""
    site.end("amy")
    configured = {"otp_sys_config": {"counter": {"size": 1}}}
    site.write({"ben": {**configured, "otp_restart_on_change": True}, "dot": configured})
    assert site.drive("clients", "--limit", "amy,ben,coy,dot") == {"amy": "changed", "ben": "restarted", "coy": "changed", "dot": "changed"}
    # Without otp_restart_on_change.
    site.write({"amy": {"otp_state": "stopped"}, "ben": configured, "coy": configured})
    assert site.drive("clients", "--limit", "amy,ben,coy") == {"amy": "changed", "ben": "unchanged", "coy": "changed"}


def test_clients_are_restarted_stopped_and_started(site: Clients) -> None:
    """amy is down, the master of dot is away, and flo has no directory there."""
    site.write({"dot": AWAY})
    outcomes = site.drive("restart", "--limit", "amy,ben,dot,flo", code=2, **OF_CLIENTS)
    assert outcomes == {"amy": "refused", "ben": "done", "dot": "refused", "flo": "refused"}
    assert "start it, by the playbook erlang.otp.start" in site.notes["amy"] and "cannot be reached" in site.notes["dot"]
    assert "make it first, by the playbook erlang.otp.clients" in site.notes["flo"]
    # The ways out of all three.
    site.write()
    assert site.drive("start", "--limit", "amy,ben", **OF_CLIENTS) == {"amy": "done", "ben": "unchanged"}
    assert site.run("clients", "--limit", "flo") == {"flo": "changed"}
    assert site.run("restart", "--limit", "amy,dot,flo", **OF_CLIENTS) == dict.fromkeys(("amy", "dot", "flo"), "done")
    assert site.drive("stop", "--limit", "amy", **OF_CLIENTS) == {"amy": "done"}


def test_clients_that_do_not_boot_or_pass_their_gates(site: Clients) -> None:
    """Nobody foresees it."""
    site.write({"ben": {"otp_sys_config": {"kernel": {"logger": 7}}}}, otp_restart_on_change=True, otp_start_timeout=15)
    assert site.run("clients", "--limit", "ben", code=2) == {"ben": "rolled back"}
    assert f"The end of {site.directory}/ben/log/erlang.log." in site.notes["ben"]
    # coy runs with what was before its last change of configuration, and dot with all that it has.
    of_coy = Path(site.root("coy"), "releases/FIRST/sys.config")
    assert "size" in of_coy.read_text()
    outcomes = site.run("restart", "--limit", "coy,dot", code=2, otp_gates=[{"command": "false"}], **OF_CLIENTS)
    assert outcomes == {"coy": "rolled back", "dot": "failed"}
    assert "size" not in of_coy.read_text()
