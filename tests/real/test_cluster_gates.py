# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gates that look at more than one node: otp_min_available, on three nodes of this machine.

The tests stand in the order of a fleet's life, and share one site.
"""

from __future__ import annotations

import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from upgrade_site import HOSTS, Site, upgrade_site

ONE_BY_ONE = {"otp_serial": 1}


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    """Three nodes that run release FIRST."""
    with upgrade_site(Path(tempfile.mkdtemp(prefix="otp-cluster-"))) as site:
        yield site


def in_a_group(site: Site, **of_all: t.Any) -> None:
    """The inventory, in which the three are the cluster of the group east."""
    site.write_inventory("SECOND", "FIRST", otp_cluster="east", **of_all)
    inventory = yaml.safe_load(site.inventory.read_text())
    inventory["all"]["children"]["east"] = {"hosts": {host: {} for host in HOSTS}}
    site.inventory.write_text(yaml.safe_dump(inventory))


def plain(output: str) -> str:
    return " ".join(output.replace('",\n', "").replace('"', "").split())


def test_no_node_is_taken_away_while_another_one_is_down(site: Site) -> None:
    site.stop("west")
    pids = site.pids()
    in_a_group(site, otp_min_available="2/3")
    run = site.play("upgrade", "--limit", "builder,north,south", code=2, **ONE_BY_ONE)
    assert run.rows["north"][3] == "refused" and run.rows["south"][3] == "not reached"
    assert site.pids() == pids and ("FIRST", "permanent") in site.releases("north") and ("SECOND", "current") not in site.releases("north")
    said = plain(run.output)
    assert "only 1 of 3 nodes of the group east would run without north, and otp_min_available is 2/3, which is 2" in said
    assert "Down are: west (" in said and "The ways out: start west first, by the playbook erlang.otp.start, or lower it for this run" in said
    # The ways out.
    lower = site.play("restart", "--check", "--limit", "north", otp_min_available=1)
    assert lower.rows["north"][3] == "would change"
    site.play("start", "--limit", "west")


def test_a_batch_that_is_too_large_is_refused_and_the_next_size_is_named(site: Site) -> None:
    pids = site.pids()
    run = site.play("restart", "--check", "--limit", "north,south", code=2, otp_serial=2)
    assert {run.rows[host][3] for host in ("north", "south")} == {"refused"} and site.pids() == pids
    assert "All of them run now. The ways out: take fewer at once, with -e otp_serial=1" in plain(run.output)
    smaller = site.play("restart", "--check", "--limit", "north,south", otp_serial=1)
    assert {smaller.rows[host][3] for host in ("north", "south")} == {"would change"}
