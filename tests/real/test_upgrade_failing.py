# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/upgrade.yml when something is wrong: what becomes of the host, of its batch, of the later ones, and what is told.

The tests stand in the order of a fleet's life, and share one site.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import tempfile
import threading
import typing as t
from pathlib import Path

import pytest
import yaml
from upgrade_site import CORES, Run, Site, upgrade_site
from waiting import free_port

ALL_AT_ONCE = {"otp_serial": "100%"}
# Settings of Ansible's that would switch the rollback and the report off.
SETTINGS = {"ANSIBLE_ANY_ERRORS_FATAL": "true", "ANSIBLE_STRATEGY": "free", "ANSIBLE_PRIVATE_ROLE_VARS": "true", "ANSIBLE_NO_LOG": "true"}
each_core = pytest.mark.parametrize("programs", CORES, ids=lambda programs: programs.parent.name)


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    """Three nodes that run release FIRST."""
    with upgrade_site(Path(tempfile.mkdtemp(prefix="otp-failing-"))) as site:
        yield site


def outcomes(run: Run) -> dict[str, str]:
    return {host: row[3] for host, row in run.rows.items() if host != "HOST"}


def write_hooks(site: Site, **more: list[dict[str, t.Any]]) -> dict[str, str]:
    """Hooks that write down when they were run, and do more then. Each play begins a new list."""
    (site.directory / "hooks").write_text("")
    paths = {}
    for name in ("before", "gate", "committed", "failed", "after"):
        path = site.directory / f"{name}.yml"
        line = f"{name} {{{{ inventory_hostname }}}} {{{{ upgrade_outcome.outcome | replace(' ', '-') }}}}"
        write = {"name": f"Hook {name}", "ansible.builtin.shell": f"echo {line} >> {site.directory}/hooks", "delegate_to": "localhost"}
        path.write_text(yaml.safe_dump([write, *more.get(name, [])]))
        paths[name] = str(path)
    return paths


def hooks_of(site: Site, host: str) -> list[str]:
    """Which hooks were run, with the outcome by then."""
    lines = (line.split() for line in (site.directory / "hooks").read_text().splitlines())
    return [f"{name} {outcome}" for name, of, outcome in lines if of == host]


def failing_on(host: str) -> list[dict[str, t.Any]]:
    return [{"name": "Fail", "ansible.builtin.fail": {"msg": "it is raining"}, "when": f"inventory_hostname == '{host}'"}]


@contextlib.contextmanager
def no_way_for(site: Site, host: str) -> t.Iterator[None]:
    """Without the relup of SECOND, through which the host would go, no relup leads from FIRST to THIRD."""
    relup = Path(site.root(host), "releases/SECOND/relup")
    kept = relup.rename(site.directory / "relup")
    yield
    kept.rename(relup)


class Health(http.server.ThreadingHTTPServer):
    """A service that says 503 as often as it is told, by path, and then 200."""

    def __init__(self, failures: dict[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.failures = failures
        self.asked: dict[str, int] = {}


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        health = t.cast(Health, self.server)
        health.asked[self.path] = health.asked.get(self.path, 0) + 1
        self.send_response(503 if health.asked[self.path] <= health.failures.get(self.path, 0) else 200)
        self.end_headers()

    def log_message(self, format: str, *args: t.Any) -> None:
        """Say nothing."""


def test_what_is_wrong_with_the_variables_ends_the_run_before_any_host(site: Site) -> None:
    site.write_inventory("SECOND", "FIRST", of_hosts={"south": {"otp_root": site.root("north")}})
    run = site.play("upgrade", code=2)
    assert f"otp_root: the hosts north and south are one system, {site.root('north')} on this machine" in run.output
    site.write_inventory("SECOND", "FIRST")
    run = site.play("upgrade", code=2, **{**site.package("FIRST"), "otp_upgrade_to": "FRIST"})
    assert "otp_upgrade_to is 'FRIST'" in run.output and "which has release FIRST" in run.output
    run = site.play("upgrade", code=2, otp_package="/no/such.tar.gz", otp_upgrade_to="SECOND")
    assert "otp_package is '/no/such.tar.gz', which does not exist on the controller" in run.output


def test_check_mode_judges_a_release_that_is_not_built_yet(site: Site) -> None:
    run = site.play("upgrade", "--check", **ALL_AT_ONCE)
    assert outcomes(run) == {"north": "would change", "south": "would change", "west": "would change"}
    run = site.play("deploy", "--check")
    assert {row[3] for host, row in run.rows.items() if host != "HOST"} == {"would change"}
    assert "north: release SECOND is installed, but FIRST is permanent: upgrade the node to it" in run.output
    assert not os.path.exists(f"{site.directory}/build/SECOND/exchange.tar.gz") and not os.path.exists(site.package("SECOND")["otp_package"])
    site.write_inventory("SECOND")
    # Without otp_upgrade_from, the relup leads from what the hosts run.
    assert set(outcomes(site.play("upgrade", "--check")).values()) == {"would change"}


def test_gates_of_urls_are_tried_again_and_fail_in_the_end(site: Site) -> None:
    site.write_inventory("SECOND", "FIRST")
    health = Health({"/south": 2, "/west": 1000})
    threading.Thread(target=health.serve_forever, daemon=True).start()
    gate = {"name": "healthy", "url": f"http://127.0.0.1:{health.server_port}/{{{{ inventory_hostname }}}}"}
    run = site.play("upgrade", code=2, otp_gates=[gate], otp_gate_retries=2, **ALL_AT_ONCE)
    health.shutdown()
    health.server_close()
    assert outcomes(run) == {"north": "done", "south": "done", "west": "rolled back"}
    assert "west: Get the URLs: healthy: Status code was 503 and not [200]" in run.output
    # Each is asked before the commit and after it.
    assert health.asked == {"/north": 2, "/south": 4, "/west": 3}
    assert [site.ask(host, "version") for host in site.hosts] == ["version 2.0", "version 2.0", "version 1.0"]
    assert ("FIRST", "permanent") in site.releases("west")


@pytest.mark.one_of(2, first=1)
@each_core
def test_a_node_without_a_way_is_named_before_any_is_touched(site: Site, programs: Path) -> None:
    site.write_inventory("THIRD", "SECOND")
    with no_way_for(site, "west"):
        run = site.play("upgrade", code=2, programs=programs, otp_hooks=write_hooks(site))
    assert outcomes(run) == {"north": "not reached", "south": "not reached", "west": "refused"}
    assert "west: there is no way from release FIRST to THIRD: the package has no way up from FIRST, only SECOND" in run.output.replace('",\n        "  ', " ")
    assert not (site.directory / "hooks").read_text()
    assert not any(os.path.exists(f"{site.root(host)}/releases/THIRD") for host in site.hosts)


def test_a_share_of_the_hosts_may_fail_where_the_operator_says_so(site: Site) -> None:
    with no_way_for(site, "west"):
        run = site.play("upgrade", code=2, otp_max_fail_percentage="34", otp_keep_releases="2", **ALL_AT_ONCE)
    assert outcomes(run) == {"north": "done", "south": "done", "west": "refused"}
    # FIRST was not kept.
    assert site.releases("north") == site.releases("south") == {("THIRD", "permanent"), ("SECOND", "old")}
    assert not os.path.exists(f"{site.root('north')}/releases/FIRST") and os.path.exists(f"{site.root('west')}/releases/FIRST")


def test_hooks_that_fail(site: Site) -> None:
    pids = site.pids()
    hooks = write_hooks(site, before=failing_on("west"), gate=failing_on("south"), after=failing_on("north"))
    run = site.play("upgrade", code=2, otp_hooks=hooks, environment=SETTINGS, **site.package("SECOND"), **ALL_AT_ONCE)
    assert outcomes(run) == {"north": "not finished", "south": "rolled back", "west": "rolled back"}
    assert all(f"{host}: Fail: it is raining" in run.output for host in site.hosts)
    assert hooks_of(site, "west") == ["before unchanged", "failed rolled-back", "after rolled-back"]
    assert hooks_of(site, "south") == ["before unchanged", "gate unchanged", "failed rolled-back", "after rolled-back"]
    assert hooks_of(site, "north") == ["before unchanged", "gate unchanged", "gate unchanged", "committed unchanged", "after done"]
    assert [site.ask(host, "version") for host in site.hosts] == ["version 2.0", "version 3.0", "version 1.0"]
    assert site.pids() == pids


def cut_off(host: str) -> dict[str, t.Any]:
    """From here on Ansible goes to the host by a port where nobody listens."""
    facts = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": free_port()}
    return {"name": "Cut off", "ansible.builtin.set_fact": facts, "when": f"inventory_hostname == '{host}'"}


PING: dict[str, t.Any] = {"name": "Ping", "ansible.builtin.ping": {}}


@pytest.mark.one_of(2, first=1)
@each_core
def test_a_host_that_a_hook_cannot_reach_has_failed(site: Site, programs: Path) -> None:
    """It is the whole batch, so that Ansible would end the run. SECOND runs in the north already."""
    hooks = write_hooks(site, before=[cut_off("south"), PING, *failing_on("south")])
    run = site.play("upgrade", code=2, programs=programs, otp_hooks=hooks, otp_serial=1, **site.package("SECOND"))
    assert outcomes(run) == {"north": "unchanged", "south": "failed", "west": "not reached"}
    assert "south: Check that the hook reached its hosts: hook before: Ping: a host cannot be reached: " in run.output.replace('",\n        "  ', " ")
    assert hooks_of(site, "south") == ["before unchanged", "failed failed"] and hooks_of(site, "west") == []
    assert hooks_of(site, "north") == ["after unchanged"] and ("THIRD", "permanent") in site.releases("south")


def test_a_balancer_that_a_hook_cannot_reach_is_no_passed_hook(site: Site) -> None:
    away = {"delegate_to": "balancer", "vars": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": free_port()}}
    hooks = write_hooks(site, gate=[{**PING, **away, "when": "inventory_hostname == 'south'"}], after=[{**PING, **away}])
    run = site.play("upgrade", code=2, otp_hooks=hooks, **site.package("SECOND"), **ALL_AT_ONCE)
    assert outcomes(run) == {"north": "not finished", "south": "rolled back", "west": "not finished"}
    assert hooks_of(site, "south") == ["before unchanged", "gate unchanged", "failed rolled-back", "after rolled-back"]
    assert ("THIRD", "permanent") in site.releases("south")
    site.play("rollback", "--limit", "west")


@pytest.mark.one_of(2)
@each_core
def test_a_hook_that_fails_for_all_rolls_all_back(site: Site, programs: Path) -> None:
    hooks = write_hooks(site, gate=[{"name": "Fail", "ansible.builtin.fail": {"msg": "it is raining"}, "any_errors_fatal": True}])
    run = site.play("upgrade", "--limit", "south:west", code=2, programs=programs, otp_hooks=hooks, **site.package("SECOND"), **ALL_AT_ONCE)
    assert outcomes(run) == {"south": "rolled back", "west": "rolled back"}
    for host, release in (("south", "THIRD"), ("west", "FIRST")):
        assert hooks_of(site, host)[-2:] == ["failed rolled-back", "after rolled-back"] and (release, "permanent") in site.releases(host)


def test_a_host_that_cannot_be_reached_any_more_has_failed(site: Site) -> None:
    hooks = write_hooks(site, before=[cut_off("south")])
    run = site.play("upgrade", code=2, otp_hooks=hooks, otp_serial=[2, 1], **site.package("SECOND"))
    assert outcomes(run) == {"north": "unchanged", "south": "failed", "west": "not reached"}
    assert "south: Check that the host was reached to install it: the host cannot be reached: " in run.output.replace('",\n        "  ', " ")
    assert hooks_of(site, "south") == ["before unchanged", "failed failed"] and hooks_of(site, "west") == []


def test_a_host_that_cannot_be_reached_is_named_before_any_is_touched(site: Site) -> None:
    away = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": free_port()}
    site.write_inventory("SECOND", "FIRST", of_hosts={"west": away})
    run = site.play("upgrade", code=2, **site.package("SECOND"))
    assert outcomes(run) == {"north": "not reached", "south": "not reached", "west": "refused"}
    assert "west: the host cannot be reached: " in run.output
    run = site.play("upgrade", otp_down="skip", **site.package("SECOND"), **ALL_AT_ONCE)
    assert outcomes(run) == {"north": "unchanged", "south": "done", "west": "down, left alone"}


@pytest.mark.parametrize(("task", "code"), [("Install the release", 1), ("Roll the node back with its batch", 2)])
def test_a_run_that_begins_in_the_middle_is_refused(site: Site, task: str, code: int) -> None:
    before = {host: site.releases(host) for host in ("north", "south")}
    run = site.play("upgrade", "--limit", "north:south", "--start-at-task", task, code=code, **site.package("FIRST"))
    assert "The run has not begun at its beginning (--start-at-task, --step)" in run.output and not any(run.changed.values())
    assert {host: site.releases(host) for host in ("north", "south")} == before
