# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/upgrade.yml and rollback.yml where the emulator has to restart: refused, or awaited and verified.

The tests stand in the order of a node's life.
"""

from __future__ import annotations

import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from upgrade_site import Run, Site, upgrade_site

# Up by a restart, and not down at all.
APPUP = '{"2.0", [{"1.0", [restart_emulator]}], []}.\n'
HOST = "north"


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    """One node that runs release FIRST; SECOND restarts it, and has no way down."""
    with upgrade_site(Path(tempfile.mkdtemp(prefix="otp-restart-")), hosts=[HOST]) as site:
        (site.directory / "exchange-source/2.0/ebin/exchange.appup").write_text(APPUP)
        site.write_inventory("SECOND", "FIRST", way_down=False)
        yield site


def said(run: Run) -> str:
    """The output, with the lines of the summary as long as they were."""
    return run.output.replace('",\n        "  ', " ")


def test_an_upgrade_that_restarts_is_refused_unless_it_is_allowed(site: Site) -> None:
    run = site.play("upgrade", code=2)
    assert run.rows[HOST][3] == "refused"
    assert "the package's relup restarts the emulator (restart_emulator), which is not allowed. Set otp_allow_restart" in said(run)
    assert site.releases(HOST) == {("FIRST", "permanent")}


def test_an_upgrade_that_restarts_is_awaited_and_verified(site: Site) -> None:
    pids = site.pids()
    gate = {"rpc": {"module": "exchange_switch", "function": "calls", "arguments": ['<<"nobody">>'], "expect": "0"}}
    run = site.play("upgrade", otp_allow_restart=True, otp_gates=[gate])
    assert run.rows[HOST][:2] == ["FIRST", "SECOND"] and run.rows[HOST][3] == "done"
    seconds, unit = run.rows[HOST][4].split()
    assert float(seconds) > 0 and unit == "s"
    assert site.pids()[HOST] not in (None, pids[HOST])
    assert site.releases(HOST) == {("SECOND", "permanent"), ("FIRST", "old")} and site.ask(HOST, "version") == "version 2.0"


def test_a_rollback_without_a_way_down_says_what_would_go(site: Site) -> None:
    pids = site.pids()
    run = site.play("rollback", code=2)
    assert run.rows[HOST][3] == "refused"
    assert "there is no way from release SECOND to FIRST" in said(run) and "or have the node restarted: set otp_allow_restart" in said(run)
    assert site.pids() == pids and ("SECOND", "permanent") in site.releases(HOST)


def test_a_rollback_that_fails_its_gate_boots_the_release_before_again(site: Site) -> None:
    run = site.play("rollback", code=2, otp_allow_restart=True, otp_gates=[{"name": "rain", "command": "false"}])
    assert run.rows[HOST][:2] == ["SECOND", "SECOND"] and run.rows[HOST][3] == "rolled back"
    assert site.releases(HOST) == {("SECOND", "permanent"), ("FIRST", "old")} and site.ask(HOST, "version") == "version 2.0"


def test_a_rollback_without_a_way_down_boots_the_old_release_where_that_is_allowed(site: Site) -> None:
    pids = site.pids()
    run = site.play("rollback", otp_allow_restart=True, otp_gates=[{"command": "true"}])
    assert run.rows[HOST][:2] == ["SECOND", "FIRST"] and run.rows[HOST][3] == "done" and run.rows[HOST][4].endswith(" s")
    assert site.pids()[HOST] not in (None, pids[HOST])
    assert site.releases(HOST) == {("FIRST", "permanent"), ("SECOND", "old")} and site.ask(HOST, "version") == "version 1.0"


def test_the_role_in_a_play_of_ones_own(site: Site) -> None:
    play = {"name": "Upgrade", "hosts": "otp", "gather_facts": False, "max_fail_percentage": 0, "roles": ["erlang.otp.upgrade"]}
    (site.directory / "own.yml").write_text(yaml.safe_dump([play]))
    # The configuration that the release has is kept where the inventory's is not to be written.
    config = Path(site.root(HOST), "releases/SECOND/sys.config")
    before = config.read_bytes()
    kept = {"otp_configure": False, "otp_config_variables": {"EXCHANGE_PORT": 1}}
    run = site.play(f"{site.directory}/own.yml", otp_allow_restart=True, **kept, **site.package("SECOND"))
    assert config.read_bytes() == before and site.ask(HOST, "version") == "version 2.0"
    assert run.rows[HOST][:2] == ["FIRST", "SECOND"] and run.rows[HOST][3] == "done"
    run = site.play(f"{site.directory}/own.yml", code=2, otp_upgrade_to="THRID")
    assert run.rows[HOST][3] == "refused" and "otp_upgrade_to is THRID" in said(run)


def test_a_run_of_both_playbooks_judges_each_by_itself(site: Site) -> None:
    """The node is on SECOND already; the way back is a restart."""
    upgrade = {"ansible.builtin.import_playbook": "erlang.otp.upgrade", "vars": site.package("SECOND")}
    (site.directory / "both.yml").write_text(yaml.safe_dump([upgrade, {"ansible.builtin.import_playbook": "erlang.otp.rollback"}]))
    run = site.play(f"{site.directory}/both.yml", otp_allow_restart=True)
    assert run.rows[HOST][:2] == ["SECOND", "FIRST"] and run.rows[HOST][3] == "done", run.output
    assert site.releases(HOST) == {("FIRST", "permanent"), ("SECOND", "old")}
