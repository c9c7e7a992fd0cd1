# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/restart.yml, start.yml, stop.yml, and deploy.yml where it restarts: batch by batch, with gates and hooks, and back.

The tests stand in the order of a fleet's life, and share one site.
"""

from __future__ import annotations

import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from upgrade_site import HOSTS, Site, upgrade_site
from upgrade_walk import kill
from waiting import free_port, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator, find_starters

RESTART = {"otp_restart_on_change": True, "otp_serial": 1}
# An emulator that gets it does not start.
BAD = "+no_such_flag\n"
GOOD = "+P 70000\n"


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    """Three nodes that run release FIRST."""
    with upgrade_site(Path(tempfile.mkdtemp(prefix="otp-restart-"))) as site:
        yield site


def limit_of(site: Site, host: str) -> str:
    """The limit of processes, as another program asks the emulator's own command line."""
    words = Path(f"/proc/{find_emulator(site.root(host))}/cmdline").read_text().split("\0")
    return words[words.index("-P") + 1] if "-P" in words else ""


def file_of(site: Site, host: str, name: str = "releases/FIRST/vm.args") -> Path:
    return Path(site.root(host), name)


def test_what_does_not_boot_takes_the_canary_back_and_no_other_node_is_touched(site: Site) -> None:
    pids = site.pids()
    site.write_inventory("FIRST", otp_vm_args=BAD, **{"otp_start_timeout": 20})
    run = site.play("deploy", code=2, **RESTART)
    assert {host: run.rows[host][3] for host in HOSTS} == {"north": "rolled back", "south": "not restarted", "west": "not restarted"}
    assert site.pids()["south"] == pids["south"] and site.pids()["west"] == pids["west"]
    assert site.pids()["north"] not in (None, pids["north"]) and site.ask("north", "version") == "version 1.0"
    assert not file_of(site, "north").exists() and not Path(site.root("north"), ".previous").exists()
    assert file_of(site, "south").read_text() == BAD


def test_what_is_right_goes_to_all_and_a_second_run_restarts_none(site: Site) -> None:
    pids = site.pids()
    site.write_inventory("FIRST", otp_vm_args=GOOD)
    foreseen = site.play("deploy", "--check", **RESTART)
    assert {foreseen.rows[host][3] for host in HOSTS} == {"would restart"} and site.pids() == pids
    run = site.play("deploy", **RESTART)
    assert {run.rows[host][3] for host in HOSTS} == {"restarted"} and not set(pids.values()) & set(site.pids().values())
    assert [limit_of(site, host) for host in HOSTS] == ["70000"] * 3
    pids = site.pids()
    again = site.play("deploy", **RESTART)
    assert {again.rows[host][3] for host in HOSTS} == {"unchanged"} and site.pids() == pids


def test_a_gate_that_fails_takes_the_node_back_and_ends_the_run(site: Site) -> None:
    pids = site.pids()
    site.write_inventory("FIRST", otp_vm_args="+P 80000\n")
    brought = site.play("deploy")
    assert {brought.rows[host][3] for host in HOSTS} == {"changed"} and site.pids() == pids
    gate = {"name": "not in the south", "command": "test {{ inventory_hostname }} != south"}
    run = site.play("restart", code=2, otp_gates=[gate], otp_serial=1)
    assert [run.rows[host][3] for host in HOSTS] == ["done", "rolled back", "not reached"]
    assert [limit_of(site, host) for host in HOSTS] == ["80000", "70000", "70000"] and site.pids()["west"] == pids["west"]
    assert file_of(site, "south").read_text() == GOOD and "south: Run the commands: not in the south: " in run.output
    assert not Path(site.root("north"), ".previous").exists() and Path(site.root("west"), ".previous").exists()


def test_a_call_that_fails_takes_the_whole_batch_back(site: Site) -> None:
    gate = {"rpc": {"module": "erlang", "function": "node", "expect": "south@localhost"}}
    site.play("deploy")
    run = site.play("restart", "--limit", "south,west", code=2, otp_gates=[gate], otp_verify_timeout=3, otp_rollback_batch=True, otp_serial="100%")
    assert run.rows["south"][3] == run.rows["west"][3] == "rolled back" and "south: another host of its batch failed" in run.output
    assert limit_of(site, "south") == limit_of(site, "west") == "70000"


def test_a_run_that_was_killed_in_the_middle_is_finished_by_the_next(site: Site) -> None:
    site.play("deploy", "--limit", "south,west")
    command = site.command("deploy", "--limit", "south", otp_gates=[{"command": "sleep 100000"}], **RESTART)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        wait_until(lambda: find_emulator(site.root("south")) and limit_of(site, "south") == "80000", "south is restarted", running=running)
        kill(running, modules=True)
    site.start("south") if find_emulator(site.root("south")) is None else wait_until(lambda: site.releases("south"), "south answers")
    pid = find_emulator(site.root("south"))
    run = site.play("deploy", "--limit", "south", otp_gates=[{"command": "true"}], **RESTART)
    assert run.rows["south"][3] == "restarted" and find_emulator(site.root("south")) == pid, "its gates were due, and no other restart"
    assert not Path(site.root("south"), ".previous").exists()


def test_stopped_and_started_with_hooks(site: Site) -> None:
    hooks = {name: str(site.directory / f"{name}-hook.yml") for name in ("before", "start", "after")}
    for name, path in hooks.items():
        line = f"echo {name} {{{{ inventory_hostname }}}} >> {site.directory}/called"
        Path(path).write_text(yaml.safe_dump([{"name": f"Hook {name}", "ansible.builtin.shell": line, "changed_when": False}]))
    pids = site.pids()
    # One of them is made as an image, and the others are named by --limit from here on.
    inventory = site.inventory.read_text()
    site.inventory.write_text(inventory.replace(f"{site.directory}/west\n", f"{site.directory}/west\n          otp_destdir: /image\n"))
    refused = site.play("stop", code=2)
    assert "west: in an image (otp_destdir) nothing runs. Leave these hosts out, with --limit or otp_hosts." in " ".join(refused.output.split())
    foreseen = site.play("stop", "--check", "--limit", "north", otp_hooks=hooks)
    assert foreseen.rows["north"][3] == "would change" and site.pids() == pids
    run = site.play("stop", "--limit", "north,south", otp_hooks=hooks, otp_serial=1)
    assert run.rows["north"][:2] == ["FIRST", "-"] and run.rows["north"][3] == "done" and site.pids()["west"] == pids["west"]
    assert not any(find_emulator(site.root(host)) or find_starters(site.root(host)) for host in ("north", "south"))
    assert site.play("stop", "--limit", "north", otp_hooks=hooks).rows["north"][3] == "unchanged"
    refused = site.play("restart", "--limit", "north", code=2)
    assert refused.rows["north"][3] == "refused" and "start it, by the playbook erlang.otp.start" in refused.output
    run = site.play("start", "--limit", "north", otp_hooks=hooks, otp_gates=[{"command": "true"}])
    assert run.rows["north"][:2] == ["-", "FIRST"] and run.rows["north"][3] == "done" and site.ask("north", "version") == "version 1.0"
    # deploy has the hook as well.
    assert site.play("deploy", "--limit", "south", otp_hooks=hooks).rows["south"][3] == "changed"
    called = (site.directory / "called").read_text().split("\n")[:-1]
    assert called == ["before north", "before south", "start north", "after north", "start south"]
    site.inventory.write_text(inventory)


def test_a_hook_that_fails_or_loses_its_host_leaves_the_node_down_and_the_table_comes(site: Site) -> None:
    away = {"delegate_to": "balancer", "vars": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": free_port()}}
    for host, task in (("north", {"ansible.builtin.command": "false"}), ("south", {"ansible.builtin.ping": {}, **away})):
        (site.directory / f"{host}-hook.yml").write_text(yaml.safe_dump([{"name": "Hook start", **task}]))
        site.stop(host)
    run = site.play("deploy", "--limit", "north,south", code=2, otp_hooks={"start": f"{site.directory}/{{{{ inventory_hostname }}}}-hook.yml"})
    assert [run.rows[host][3] for host in HOSTS[:2]] == ["failed"] * 2, run.output
    assert not any(site.pids()[host] for host in HOSTS[:2])
    assert "north: Hook start: " in run.output and "hook start: Hook start: a host cannot be reached" in " ".join(run.output.replace('",\n', "").split())
