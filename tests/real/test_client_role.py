# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/clients.yml, and restart.yml, start.yml and stop.yml for clients: three of one master, with own directories for cookie and logs.

Rules: a client that runs is not restarted, unless otp_restart_on_change is set; then they are, batch by batch. One that does not boot or pass its gates gets
back the files that it was started with, and the others run on; the next run knows which of them run without their changed files. A second run changes
nothing. Whether a client runs is what its host says: a silent epmd says nothing.
"""

from __future__ import annotations

import socket
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from upgrade_site import Run, Site, upgrade_site
from waiting import free_port

from ansible_collections.erlang.otp.plugins.module_utils._client.directory import ensure_client
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.modules.otp_release_client import request_of

# By default, test_table_of_truth_clients has to do.
pytestmark = pytest.mark.full
CLIENTS = ("c1", "c2", "c3")
ROLLED = {"otp_restart_on_change": True, "otp_serial": 1}
# kernel does not start with it.
BAD = {"kernel": {"logger": 7}}


def name_of(client: str) -> str:
    return f"{client}@localhost"


def write_clients(site: Site, **of_all: t.Any) -> None:
    """The inventory, with variables of all clients."""
    inventory = yaml.safe_load(site.inventory.read_text())
    groups = inventory["all"]["children"]
    groups["otp"]["hosts"]["north"]["otp_epmd_port"] = site.epmd_port
    own = {
        client: {
            "otp_node_name": name_of(client),
            "otp_client_home": f"{site.directory}/{client}/home",
            "otp_client_run_dir": f"{site.directory}/{client}/run",
            "otp_client_log_dir": f"{site.directory}/{client}/log",
        }
        for client in CLIENTS
    }
    master = {"otp_master": "north", "otp_root": site.root("north"), "otp_epmd_port": site.epmd_port, "otp_release": "FIRST", "otp_start_timeout": 15}
    groups["otp_clients"] = {"vars": {**groups["otp"]["vars"], **master, "otp_sys_config": {"exchange": {"port": 0}}, **of_all}, "hosts": own}
    site.inventory.write_text(yaml.safe_dump(inventory))


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    with upgrade_site(Path(tempfile.mkdtemp(prefix="otp-client-")), hosts=["north"]) as site:
        for client in CLIENTS:
            (site.directory / client / "home").mkdir(parents=True)
        write_clients(site)
        try:
            run = site.play("clients")
            assert all(run.changed[client] for client in CLIENTS) and outcomes(run) == ["changed"] * 3, run.output
            own = site.directory / "c1"
            assert (own / "home/.erlang.cookie").read_text() == site.cookie and list((own / "log").glob("erlang.log.*"))
            assert not file_of(site, "c1", ".erlang.cookie").exists()
            yield site
        finally:
            site.play("clients", otp_client_state="absent")


def emulators(site: Site, client: str) -> list[int]:
    """The emulators that boot from the directory of the client."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"-root" in words and any(word.startswith(bytes(file_of(site, client, "releases"))) for word in words):
            found.append(int(entry.name))
    return found


def pids(site: Site, *clients: str) -> list[int]:
    """The emulators of the clients, each of which has one."""
    found = [emulators(site, client) for client in clients or CLIENTS]
    assert all(len(each) == 1 for each in found), found
    return [each[0] for each in found]


def outcomes(run: Run) -> list[str]:
    return [run.rows[client][3] for client in CLIENTS]


def file_of(site: Site, client: str, name: str = "releases/FIRST/sys.config") -> Path:
    return Path(site.root("north"), "clients", name_of(client), name)


def line_of(site: Site, client: str) -> str:
    """The variable LINE in the environment of the client's emulator, as the kernel has it."""
    variables = Path(f"/proc/{pids(site, client)[0]}/environ").read_bytes().split(b"\0")
    return next((item.decode() for item in variables if item.startswith(b"LINE=")), "")


def test_what_does_not_boot_takes_the_canary_back_and_the_others_run_on(site: Site) -> None:
    before, config = pids(site), file_of(site, "c1").read_bytes()
    write_clients(site, otp_sys_config=BAD)
    foreseen = site.play("clients", "--check", **ROLLED)
    assert outcomes(foreseen) == ["would restart"] * 3 and file_of(site, "c1").read_bytes() == config, foreseen.output
    run = site.play("clients", code=2, **ROLLED)
    assert outcomes(run) == ["rolled back", "not restarted", "not restarted"], run.output
    assert file_of(site, "c1").read_bytes() == config and not file_of(site, "c1", ".previous").exists()
    log = f"The end of {site.directory}/c1/log/erlang.log."
    assert log in run.output and "Kernel pid terminated" in run.output.partition(log)[2], run.output
    assert pids(site)[1:] == before[1:] and pids(site)[0] != before[0] and b"{logger,7}" in file_of(site, "c2").read_bytes().replace(b" ", b"")
    assert site.call("c1", "application", "get_env", Atom("exchange"), Atom("port")) == (Atom("ok"), 0), "it answers, with what it ran with before"


def test_the_next_run_knows_who_is_outdated_and_a_gate_ends_it(site: Site) -> None:
    before = pids(site)
    write_clients(site, otp_environment={"LINE": "3", "ERL_EPMD_PORT": site.epmd_port})
    gates = [{"command": "test {{ inventory_hostname }} != c2"}, {"rpc": {"module": "erlang", "function": "is_alive", "expect": "true"}}]
    run = site.play("clients", code=2, otp_gates=gates, **ROLLED)
    assert outcomes(run) == ["restarted", "rolled back", "not restarted"], run.output
    assert [line_of(site, client) for client in CLIENTS] == ["LINE=3", "", ""] and pids(site)[2] == before[2]
    # A plain run brings the files to c2 again, and c3 has them. No file changes for c3, and still it is known.
    before = pids(site)
    run = site.play("clients")
    assert outcomes(run) == ["unchanged", "changed", "unchanged"] and pids(site) == before
    warned = [f"[WARNING]: {name_of(client)} was started before its scripts" in " ".join(run.output.split()) for client in CLIENTS]
    assert warned == [False, True, True], run.output
    run = site.play("clients", otp_restart_on_change=True, otp_serial=["1", "100%"])
    assert outcomes(run) == ["unchanged", "restarted", "restarted"], run.output
    assert [line_of(site, client) for client in CLIENTS] == ["LINE=3"] * 3 and pids(site)[0] == before[0]
    again = site.play("clients", **ROLLED)
    assert not any(again.changed.values()) and outcomes(again) == ["unchanged"] * 3 and not file_of(site, "c3", ".previous").exists()


def test_restarted_stopped_and_started_as_other_nodes_are(site: Site) -> None:
    before = pids(site)
    hosts = {"otp_hosts": "otp_clients", "otp_serial": 1}
    run = site.play("restart", "--limit", "c1,c2", **hosts)
    assert [run.rows[client][3] for client in ("c1", "c2")] == ["done"] * 2 and not set(pids(site, "c1", "c2")) & set(before) and pids(site, "c3") == before[2:]
    run = site.play("stop", "--limit", "c1", **hosts)
    assert run.rows["c1"][:2] == ["FIRST", "-"] and run.rows["c1"][3] == "done" and not emulators(site, "c1")
    run = site.play("start", "--limit", "c1,c3", **hosts)
    assert [run.rows[client][3] for client in ("c1", "c3")] == ["done", "unchanged"] and pids(site, "c1", "c3")[1] == before[2]


def test_a_client_is_not_down_because_epmd_is_silent(site: Site) -> None:
    """Nor because there is none. Its directory stays until its host has stopped it."""
    name = name_of("c3")
    directory = file_of(site, "c3", "")
    where = {"root": site.root("north"), "client": name, "type": None, "masters": [], "owner": None, "group": None, "mode": "0640", "host": None}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for epmd_port in (port, free_port()):
            request = request_of({**where, "epmd_port": epmd_port, "stopped": False})._replace(state="absent")
            with pytest.raises(OtpError, match=f"it is not known whether client {name} runs"):
                ensure_client(request, Changes())
            assert emulators(site, "c3") and (directory / "releases/RELEASES").exists()
        run = site.play("clients", "--limit", "c3", otp_epmd_port=port, otp_client_state="absent")
        assert not emulators(site, "c3") and not directory.exists() and run.rows["c3"][3] == "removed", run.output
