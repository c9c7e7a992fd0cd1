# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/restart.yml, start.yml, stop.yml, and deploy.yml where it restarts: batch by batch, with gates and hooks, and back.

The tests stand in the order of a fleet's life, and share one site.
"""

from __future__ import annotations

import tempfile
import typing as t
from pathlib import Path

import pytest
from upgrade_site import HOSTS, Site, upgrade_site

from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator

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
