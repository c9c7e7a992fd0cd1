# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/upgrade.yml and rollback.yml, as an operator runs them: three nodes of this machine, one by one.

The tests stand in the order of a fleet's life, and share one site.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from upgrade_site import CORES, HOSTS, Site, upgrade_site
from upgrade_walk import kill
from waiting import wait_until

from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator

ONE_BY_ONE = {"otp_serial": 1}


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    """Three nodes that run release FIRST."""
    with upgrade_site(Path(tempfile.mkdtemp(prefix="otp-upgrade-"))) as site:
        yield site


def write_hooks(site: Site) -> dict[str, str]:
    """Hooks that write down when they were run."""
    paths = {}
    for name in ("before", "after"):
        path = site.directory / f"{name}.yml"
        tasks = [
            {"name": f"Hook {name}", "ansible.builtin.shell": f"echo {name} {{{{ inventory_hostname }}}} >> {site.directory}/hooks", "changed_when": False}
        ]
        path.write_text(yaml.safe_dump(tasks))
        paths[name] = str(path)
    return paths


def test_rolled_one_by_one_with_hooks_and_without_a_restart(site: Site) -> None:
    pids = site.pids()
    site.write_inventory("SECOND", "FIRST")
    gate = {"rpc": {"module": "release_handler", "function": "which_releases", "arguments": ["current"], "expect": "_"}}
    run = site.play("upgrade", otp_hooks=write_hooks(site), otp_gates=[gate, {"command": "true"}], **ONE_BY_ONE)
    assert site.pids() == pids
    for host in HOSTS:
        assert site.releases(host) == {("SECOND", "permanent"), ("FIRST", "old")}
        assert site.ask(host, "version") == "version 2.0"
        assert run.rows[host][:2] == ["FIRST", "SECOND"] and run.rows[host][3] == "done"
        # No more than the thin package was sent.
        assert '"full"' in Path(site.root(host), "releases/SECOND/package.json").read_text()
    assert (site.directory / "hooks").read_text().split("\n")[:-1] == [f"{when} {host}" for host in HOSTS for when in ("before", "after")]


def test_a_second_run_changes_nothing(site: Site) -> None:
    run = site.play("upgrade", **ONE_BY_ONE)
    assert run.changed == {"builder": 0, "north": 0, "south": 0, "west": 0}
    assert {run.rows[host][3] for host in HOSTS} == {"unchanged"}


@pytest.mark.one_of(2)
@pytest.mark.parametrize("programs", CORES, ids=lambda programs: programs.parent.name)
def test_a_gate_that_fails_takes_the_host_back_and_ends_the_run(site: Site, programs: Path) -> None:
    """On each ansible-core. For the second one the north is there already."""
    pids = site.pids()
    site.write_inventory("THIRD", "SECOND")
    gate = {"name": "not in the south", "command": "test {{ inventory_hostname }} != south"}
    run = site.play("upgrade", code=2, programs=programs, otp_gates=[gate], **ONE_BY_ONE)
    assert site.releases("north") == {("THIRD", "permanent"), ("SECOND", "old"), ("FIRST", "old")}
    assert ("SECOND", "permanent") in site.releases("south") and site.ask("south", "version") == "version 2.0"
    assert site.releases("west") == {("SECOND", "permanent"), ("FIRST", "old")}
    assert site.pids() == pids
    assert run.rows["north"][3] == ("done" if programs == CORES[0] else "unchanged")
    assert run.rows["south"][3] == "rolled back" and run.rows["west"][3] == "not reached"
    assert not os.path.exists(f"{site.root('west')}/releases/THIRD")
    assert "south: Run the commands: not in the south: " in run.output


def test_check_mode_tells_and_brings_nothing(site: Site) -> None:
    run = site.play("upgrade", "--check", "--limit", "west", **site.package("THIRD"))
    assert run.rows["west"][:2] == ["SECOND", "THIRD"] and run.rows["west"][3] == "would change"
    assert site.releases("west") == {("SECOND", "permanent"), ("FIRST", "old")}
    assert not os.path.exists(f"{site.root('west')}/releases/THIRD")


def test_a_failure_takes_its_batch_back_and_is_remembered(site: Site) -> None:
    third = site.package("THIRD")
    gate = {"rpc": {"module": "erlang", "function": "node", "expect": "south@localhost"}}
    again = {**third, "otp_serial": "100%"}
    run = site.play("upgrade", "--limit", "south,west", code=2, otp_gates=[gate], otp_rollback_batch=True, otp_verify_timeout=5, **again)
    assert run.rows["south"][3] == run.rows["west"][3] == "rolled back"
    assert ("SECOND", "permanent") in site.releases("south") and ("SECOND", "permanent") in site.releases("west")
    assert "south: another host of its batch failed" in run.output
    refused = site.play("upgrade", "--limit", "south,west", code=2, **again)
    assert refused.rows["west"][3] == "refused" and ("SECOND", "permanent") in site.releases("south")


def test_a_node_that_cannot_go_stops_its_batch_before_any_is_touched(site: Site) -> None:
    third = {**site.package("THIRD"), "otp_force": True}
    site.stop("west")
    run = site.play("upgrade", "--limit", "south,west", code=2, otp_serial="100%", **third)
    assert ("SECOND", "permanent") in site.releases("south")
    assert run.rows["west"][3] == "refused" and "west: the node is down: " in run.output
    skipped = site.play("upgrade", "--limit", "west", otp_down="skip", **third)
    assert skipped.rows["west"][3] == "down, left alone"
    offline = {"otp_down": "offline", **third}
    gate = {"rpc": {"module": "exchange_switch", "function": "version", "expect": "9.0"}}
    back = site.play("upgrade", "--limit", "west", code=2, otp_gates=[gate], otp_verify_timeout=5, **offline)
    assert back.rows["west"][:4:3] == ["SECOND", "rolled back"] and ("SECOND", "permanent") in site.releases("west")
    site.stop("west")
    only = site.play("upgrade", "--limit", "west", otp_state="stopped", **offline)
    assert only.rows["west"][:2] == ["SECOND", "THIRD"] and find_emulator(site.root("west")) is None
    told = site.play("upgrade", "--limit", "west", otp_state="stopped", **offline)
    assert told.rows["west"][3] == "unchanged" and "west: the node is down" in told.output
    foreseen = site.play("upgrade", "--check", "--limit", "west", **offline)
    assert foreseen.rows["west"][3] == "would change" and "west: its node is down, and would be started" in foreseen.output
    started = site.play("upgrade", "--limit", "west", **offline)
    assert started.rows["west"][3] == "done" and site.ask("west", "version") == "version 3.0"


def test_rollback_goes_to_the_release_that_each_node_came_from(site: Site) -> None:
    pids = site.pids()
    run = site.play("rollback", "--limit", "north,south")
    assert run.rows["north"][:2] == ["THIRD", "SECOND"] and run.rows["south"][:2] == ["SECOND", "FIRST"]
    assert site.ask("north", "version") == "version 2.0" and site.ask("south", "version") == "version 1.0"
    site.play("rollback", "--limit", "north", otp_upgrade_to="FIRST")
    assert ("FIRST", "permanent") in site.releases("north") and site.ask("north", "version") == "version 1.0"
    assert site.pids() == pids
    # A release that was installed by hand is in no history.
    site.call("north", "release_handler", "install_release", "SECOND")
    by_hand = site.play("rollback", "--limit", "north")
    assert by_hand.rows["north"][:2] == ["SECOND", "FIRST"] and site.ask("north", "version") == "version 1.0"
    none_left = site.play("rollback", "--limit", "north", code=2)
    assert none_left.rows["north"][3] == "refused" and "there is nothing to roll back to: no release before FIRST" in none_left.output
    assert "otp_builders" not in none_left.output


def test_a_run_that_was_killed_before_the_commit_is_taken_back_or_finished(site: Site) -> None:
    pids = site.pids()
    second = site.package("SECOND")
    command = site.command("upgrade", "--limit", "south", **second, otp_gates=[{"command": "sleep 100000"}])

    def cut_short() -> None:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            wait_until(lambda: ("SECOND", "current") in site.releases("south"), "south runs SECOND", running=running)
            kill(running, modules=True)
        assert site.releases("south") >= {("SECOND", "current"), ("FIRST", "permanent")}

    cut_short()
    back = site.play("rollback", "--limit", "south")
    assert back.rows["south"][:2] == ["SECOND", "FIRST"] and back.rows["south"][3] == "done"
    assert site.ask("south", "version") == "version 1.0" and site.pids() == pids
    cut_short()
    run = site.play("upgrade", "--limit", "south", **second)
    assert run.rows["south"][:2] == ["SECOND", "SECOND"] and run.rows["south"][3] == "done"
    assert site.releases("south") >= {("SECOND", "permanent"), ("FIRST", "old")} and site.pids() == pids
