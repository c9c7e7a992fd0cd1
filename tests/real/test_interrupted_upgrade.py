# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/upgrade.yml killed at the steps of the role, then run again: it comes to its end, and nothing is lost.

At each step that changes a node, and at every twelfth of the others; at each with OTP_TESTS=full (``make test-full``).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from upgrade_site import Site, upgrade_site
from upgrade_walk import Case, Walk, cases_of, make_packages, tasks_on_hosts

HOSTS = ("north", "south")
STRIDE = 1 if os.environ.get("OTP_TESTS") == "full" else 12
# Those that no undisturbed run comes to; they have tests of their own.
BACK = "Roll back while the node runs"
BACK_BY_REBOOT = "Reboot the node into the release before"
# Of clients.
REBOOT = "Reboot into the release"
STEP = "Install the release until it is committed"
OFFLINE = "Make the release boot next"
# A question that one batch does not ask, and a gate as the commands are.
HARMLESS = {"Check whether the host can be upgraded", "Get the URLs", "Clear the mark of this run on a host that still has it", "Ask what runs"}
# Of a watch, before which the release is committed, and what other runs are told: test_cluster_gates.py and test_jobs.py.
OF_OTHERS = {
    "Ask the nodes of the cluster whether they run",
    "Call the node",
    "Call the nodes of the cluster",
    "Get the number of error reports of the node",
    "Get the number of error reports of the node before it is changed",
    "Stop the other runs of this change",
    "Wait until the next look",
}
# Of restart, start and stop, and of a node that was down: test_restart.py.
OF_NODES = {
    "Ask for the state of the node",
    "Change the node",
    "Change the node until it is committed",
    "Remove the files kept for a rollback of the node",
    "Roll the node back",
    "Start the node",
}
# Without per-host steps one task does the whole upgrade.
PLAIN = "Install the release"
NO_STEPS: dict[str, t.Any] = {"otp_hooks": {}, "otp_gates": []}


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    """Two nodes that run FIRST, and packages of the three releases."""
    directory = Path(tempfile.mkdtemp(prefix="otp-walk-"))
    with pytest.MonkeyPatch.context() as patch, upgrade_site(directory, hosts=HOSTS) as site:
        patch.setenv("ANSIBLE_HOME", str(directory / "ansible"))
        patch.setenv("ANSIBLE_PIPELINING", "1")
        # Who is killed leaves things there.
        (directory / "tmp").mkdir()
        patch.setenv("TMPDIR", str(directory / "tmp"))
        make_packages(site)
        yield site


@pytest.fixture(scope="module")
def walks(site: Site) -> t.Iterator[list[Walk]]:
    walks = [Walk(site, host) for host in HOSTS]
    yield walks
    for walk in walks:
        walk.idle.close()


@pytest.fixture(scope="module")
def cases(walks: list[Walk]) -> list[Case]:
    """The steps of a run that nobody disturbs."""
    for walk in walks:
        walk.go()
        walk.check_all()
    # From now on there is a release to be removed.
    return [*cases_of(walks[0].go()), Case(PLAIN), Case(PLAIN, is_alone=True)]


def test_every_task_of_the_role_is_walked(cases: list[Case]) -> None:
    walked = {case.name for case in cases}
    assert set(tasks_on_hosts()) - walked == HARMLESS | OF_OTHERS | OF_NODES | {BACK, BACK_BY_REBOOT, REBOOT, OFFLINE}


def test_killed_at_its_steps_and_run_again(walks: list[Walk], cases: list[Case], record_property: t.Callable[[str, str], None]) -> None:
    """The steps are shared out among the nodes, as a run is one process at work most of the time."""
    tasks = tasks_on_hosts()
    failures: list[str] = []
    others = [case for case in cases if not (case.name in tasks and tasks[case.name].changes)]
    cases = [case for case in cases if case not in others or others.index(case) % STRIDE == 0]

    def go(walk: Walk, mine: list[Case]) -> None:
        pid = walk.pid
        for case in mine:
            try:
                walk.interrupt(case, **(NO_STEPS if case.name == PLAIN else {}))
                walk.dial()
                walk.go()
                walk.check_all()
                assert walk.pid == pid
            except AssertionError as error:
                failures.append(f"{case}: {error}")

    with ThreadPoolExecutor(len(walks)) as pool:
        list(pool.map(go, walks, [cases[index :: len(walks)] for index in range(len(walks))]))
    assert not failures, "\n".join(failures)
    too_late = sum(len(walk.too_late) for walk in walks)
    assert too_late < len(cases) / 4, [str(case) for walk in walks for case in walk.too_late]
    record_property("figure", f"upgrades killed at {len(cases)} steps ({too_late} just after) and run again: {len(cases)} came to their end, 0 calls forgotten")


@contextlib.contextmanager
def no_way_but_a_reboot(walk: Walk) -> t.Iterator[str]:
    """A command that takes away all relups. They are back afterwards."""
    try:
        yield f"for relup in {walk.root}/releases/*/relup; do mv $relup $relup.away; done"
    finally:
        for path in walk.root.glob("releases/*/relup.away"):
            path.rename(path.with_suffix(""))


def check_all(walk: Walk, pid: int | None) -> None:
    """A node that was rebooted meanwhile has forgotten the calls, and that only."""
    if walk.pid != pid:
        walk.connect()
    walk.check_all()


@pytest.mark.one_of(2)
@pytest.mark.parametrize("is_alone", [True, False])
def test_killed_on_its_way_back(walks: list[Walk], is_alone: bool) -> None:
    walk = walks[0]
    pid = walk.pid
    walk.interrupt(Case(BACK, is_alone=is_alone), otp_gates=[{"command": "false"}])
    walk.go()
    check_all(walk, pid)
    assert walk.pid == pid


@pytest.mark.full
def test_killed_on_its_way_back_by_a_reboot(walks: list[Walk]) -> None:
    walk = walks[0]
    pid = walk.pid
    with no_way_but_a_reboot(walk) as command:
        walk.interrupt(Case(BACK_BY_REBOOT, is_alone=True), otp_gates=[{"command": f"sh -c '{command}; false'"}])
    walk.go()
    check_all(walk, pid)
    assert walk.pid != pid


@pytest.mark.full
def test_killed_on_its_way_to_a_release_by_a_restart(walks: list[Walk]) -> None:
    walk = walks[0]
    pid = walk.pid
    (old,) = (version for version, status in walk.site.releases(walk.host) if status == "old")
    to_old = {"otp_package": "", "otp_upgrade_to": old, "otp_allow_restart": True}
    with no_way_but_a_reboot(walk) as command:
        subprocess.run(["sh", "-c", command], check=True)
        walk.interrupt(Case(STEP, is_alone=True), **to_old)
        walk.go(**to_old)
    check_all(walk, pid)
    assert walk.pid != pid


def test_killed_with_a_node_that_is_down(walks: list[Walk]) -> None:
    walk = walks[1]
    walk.site.stop(walk.host)
    walk.interrupt(Case(OFFLINE, is_alone=True), otp_down="offline")
    walk.go(otp_down="offline")
    assert walk.pid is not None
    walk.connect()
    walk.check_all()


def test_the_emulator_killed_before_the_commit(walks: list[Walk]) -> None:
    """heart brings the release before back by itself; the playbook says so, and refuses the new one until otp_force."""
    walk = walks[0]
    pid = walk.pid
    gate = {"command": f"sh -c 'kill -9 {pid}; while kill -0 {pid}; do sleep 0.1; done'"}
    run = walk.site.play("upgrade", "--limit", walk.host, code=2, **walk.variables(otp_gates=[gate]))
    assert walk.pid not in (None, pid) and dict(walk.site.releases(walk.host))[walk.here] == "permanent", run.output
    assert run.rows[walk.host][:2] == [walk.here, walk.here] and run.rows[walk.host][3] == "rolled back", run.output
    assert f"the emulator ended (process {pid})" in " ".join(run.output.split()), run.output
    refused = walk.site.play("upgrade", "--limit", walk.host, code=2, **walk.variables())
    assert refused.rows[walk.host][3] == "refused" and "set otp_force (option force) to try this one again" in " ".join(refused.output.split()), refused.output
    walk.connect()
    walk.go(otp_force=True)
    walk.check_all()
