# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two runs at once on one fleet: the second one is refused on the host that the first one has in hand, and is told whose it is.

The first run waits in a gate, with its canary installed and not committed, until the test lets it go on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from upgrade_site import Run, Site, run_of, upgrade_site
from waiting import LIMIT, wait_until

ALICE, BOB = {"otp_operator": "alice@laptop", "otp_hold": "600"}, {"otp_operator": "bob@desk"}


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    """Two nodes that run release FIRST, and the package of SECOND."""
    with upgrade_site(Path(tempfile.mkdtemp(prefix="otp-operators-")), hosts=("north", "south")) as site:
        site.write_inventory("SECOND", "FIRST")
        site.play("upgrade", "--tags", "build")
        yield site


class InGate:
    """A run that waits in the gate of its canary."""

    def __init__(self, site: Site, playbook: str, **variables: t.Any) -> None:
        self.site, self.here, self.go = site, site.directory / "here", site.directory / "go"
        self.here.unlink(missing_ok=True)
        self.go.unlink(missing_ok=True)
        gate = site.directory / "gate.yml"
        wait = f"touch {self.here}; while [ -e {self.here} ] && [ ! -e {self.go} ]; do sleep 0.1; done"
        gate.write_text(yaml.safe_dump([{"name": "Wait", "ansible.builtin.shell": wait}]))
        self.said = site.directory / "said"
        command = site.command(playbook, otp_hooks={"gate": str(gate)}, **variables)
        with self.said.open("w") as said:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=site.environment(), start_new_session=True)
        wait_until(self.here.exists, "the run is in its gate", running=self.process)

    def end(self, code: int) -> Run:
        """Let it go on, and see how it ends."""
        self.go.touch()
        assert self.process.wait(LIMIT) == code, self.said.read_text()
        return run_of(code, self.said.read_text())

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(LIMIT)


def outcomes(run: Run) -> dict[str, str]:
    return {host: row[3] for host, row in run.rows.items() if host != "HOST"}


def text(run: Run) -> str:
    """Without the line ends of the report."""
    return run.output.replace('",\n        "  ', " ")


def running(site: Site) -> list[str]:
    return [site.ask(host, "version") for host in site.hosts]


def marks(site: Site) -> list[bool]:
    return [os.path.exists(f"{site.root(host)}/releases/upgrading.json") for host in site.hosts]


def test_the_second_operator_is_refused_and_the_first_ones_result_stays(site: Site) -> None:
    first = InGate(site, "upgrade", **ALICE, **site.package("SECOND"))
    assert ("SECOND", "current") in site.releases("north") and marks(site) == [True, False]
    assert "alice@laptop is upgrading the system to release SECOND" in text(site.play("status"))
    for playbook, variables in (("rollback", {}), ("restart", {}), ("upgrade", {**site.package("SECOND"), "otp_serial": "100%"})):
        second = site.play(playbook, code=2, **BOB, **variables)
        assert outcomes(second)["north"] == "refused" and "north: alice@laptop has been upgrading the system to release SECOND since 20" in text(second)
    second = site.play("deploy", "--limit", "north", code=2, **BOB, **site.package("FIRST"))
    assert "alice@laptop has been upgrading" in text(second)
    assert ("SECOND", "current") in site.releases("north") and running(site) == ["version 2.0", "version 1.0"]
    assert outcomes(first.end(0)) == {"north": "done", "south": "done"}
    assert marks(site) == [False, False] and running(site) == ["version 2.0", "version 2.0"]


def test_a_restart_has_its_host_alone_until_it_has_passed_its_gates(site: Site) -> None:
    pids = site.pids()
    first = InGate(site, "restart", **ALICE)
    assert marks(site) == [True, False] and "alice@laptop is restarting the node" in text(site.play("status"))
    for playbook, variables in (("upgrade", site.package("FIRST")), ("stop", {})):
        second = site.play(playbook, code=2, **BOB, **variables)
        assert outcomes(second)["north"] == "refused" and "north: alice@laptop has been restarting the node since 20" in text(second)
    assert outcomes(first.end(0)) == {"north": "done", "south": "done"}
    assert marks(site) == [False, False] and not set(pids.values()) & set(site.pids().values())
    # Without a gate each host is one call, which gives it back.
    assert outcomes(site.play("stop", "--limit", "north")) == outcomes(site.play("start", "--limit", "north")) == {"north": "done"}
    assert marks(site) == [False, False]


def test_the_mark_of_a_run_that_was_killed_holds_others_off_and_not_its_operator(site: Site) -> None:
    InGate(site, "rollback", **ALICE).kill()
    assert marks(site) == [True, False]
    assert outcomes(site.play("rollback", code=2, **BOB))["north"] == "refused"
    # What is installed and not committed goes back.
    assert outcomes(site.play("rollback", "--limit", "north", **ALICE)) == {"north": "done"}
    assert marks(site) == [False, False] and running(site) == ["version 2.0", "version 2.0"]


def test_who_takes_over_is_not_disturbed_by_the_first_one(site: Site) -> None:
    first = InGate(site, "rollback", **ALICE)
    second = site.play("rollback", otp_take_over="alice@laptop", otp_upgrade_to="FIRST", **BOB)
    assert outcomes(second) == {"north": "done", "south": "done"}
    said = first.end(2)
    assert outcomes(said) == {"north": "failed", "south": "not reached"} and "the mark of this run is gone" in text(said)
    # Asked at the end.
    assert said.rows["south"][:2] == ["SECOND", "FIRST"] and "south: it runs FIRST now, which this run has not done" in text(said)
    assert running(site) == ["version 1.0", "version 1.0"] and marks(site) == [False, False]


def test_a_host_that_was_rolled_back_is_given_back(site: Site) -> None:
    for gate in ({"rpc": {"module": "erlang", "function": "node", "expect": "none"}}, {"command": "false"}):
        failed = site.play("upgrade", code=2, otp_gates=[gate], otp_verify_timeout=1, otp_force=True, **site.package("SECOND"), **ALICE)
        assert outcomes(failed) == {"north": "rolled back", "south": "not reached"} and marks(site) == [False, False]
