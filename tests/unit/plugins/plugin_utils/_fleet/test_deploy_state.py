# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What follows in playbooks/deploy.yml from what otp_target_system returned for each host, and the table at its end.

Rules: a row for each host, also for one that failed or was not reached; columns as wide as their widest cell; what is left to do, and why a
host failed, is below the table on lines of 88 characters, and the lines of a log stay lines; check mode reports what would change. Nodes are restarted when
they are to be and no host has failed, never in check mode; and what became of a restart is the outcome of its host.
"""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.filter.deploy_state import FilterModule


def system(**more):
    node = {"name": "a@localhost", "running": True, "pid": 4711, "release": "FIRST"}
    release = {"name": "exchange", "version": "FIRST"}
    return {"before": "FIRST", "release": release, "pending": None, "node": node, "seconds": 0.44, "changed": False, "at_boot": "systemd", **more}


def state(hosts, **options):
    known = [{"inventory_hostname": host, **({"_otp_system": result} if result else {})} for host, result in hosts.items()]
    return FilterModule().filters()["deploy_state"](known, **options)


def summary(check_mode=False, **hosts):
    return state(hosts, check_mode=check_mode)["lines"]


def test_a_row_for_each_host():
    assert summary(
        new=system(before=None, changed=True, seconds=2.06),
        same=system(),
        stopped=system(changed=True, node={"name": "", "running": False}, at_boot=None),
    ) == [
        "HOST     BEFORE  NOW    SECONDS  OUTCOME    STATE              DOWN  AT BOOT",
        "new      -       FIRST  2.1      changed    running, pid 4711  -     systemd",
        "same     FIRST   FIRST  0.4      unchanged  running, pid 4711  -     systemd",
        "stopped  FIRST   FIRST  0.4      changed    stopped            -     no",
    ]


def test_what_is_left_to_do_is_below():
    waits = system(changed=True, release={"name": "exchange", "version": "SECOND"}, pending="upgrade to SECOND")
    silent = {**waits, "node": {"name": "", "running": True, "pid": 4711}}
    lines = summary(north=waits, south=silent)
    assert lines[1].split()[:3] == ["north", "FIRST", "FIRST"] and lines[2].split()[:3] == ["south", "FIRST", "FIRST"]
    assert lines[3:] == ["north: upgrade to SECOND", "south: upgrade to SECOND"]


def test_a_second_emulator_is_below_unless_a_restart_ends_it():
    node = {"name": "", "running": True, "pid": 4711, "second_emulator": "two"}
    lines = summary(north=system(changed=True, node=node), south=system(changed=True, node={**node, "to_restart": True, "outdated": []}))
    assert [line for line in lines if "two" in line] == ["north: two"]


def test_a_host_that_failed_has_its_reason():
    lines = summary(
        broken={"failed": True, "msg": "no room\non the disk", "seconds": 3.0, "changed": False},
        lost={"unreachable": True, "msg": "no route", "changed": False},
        later=None,
    )
    assert [line.split() for line in lines[1:4]] == [
        ["broken", "-", "-", "3.0", "failed", "-", "-", "-"],
        ["lost", "-", "-", "-", "unreachable", "-", "-", "-"],
        ["later", "-", "-", "-", "not", "reached", "-", "-", "-"],
    ]
    assert lines[4:] == ["broken: no room", "  on the disk", "lost: no route"]


def test_check_mode_reports_what_would_change():
    lines = summary(check_mode=True, north=system(before=None, changed=True, node={"name": "", "running": True}))
    assert lines[1] == "north  -       FIRST  0.4      would change  to be started  -     systemd"


OUTDATED = {"name": "a@localhost", "running": True, "pid": 4711, "release": "FIRST", "outdated": ["/srv/a/bin/start"], "to_restart": True}
DUE = system(changed=True, node=OUTDATED)
BROUGHT = {"outdated": ["/srv/a/bin/start"], "way": "restart", "before": {"running": "FIRST", "permanent": "FIRST", "pid": 4711}, "release": "FIRST"}
AFTER = {"running": "FIRST", "permanent": "FIRST", "pid": 4712}
CHANGED = {"outdated": [], "restarted": True, "rolled_back": False, "unreachable_seconds": 1.25, "ended": 12.0, "after": AFTER}


def test_nodes_are_restarted_unless_a_host_has_failed_or_in_check_mode():
    fleet = {"north": DUE, "same": system(), "south": DUE}
    assert state(fleet)["to_restart"] == ["north", "south"]
    assert state({**fleet, "broken": {"failed": True, "msg": "no room"}})["to_restart"] == []
    assert state({**fleet, "broken": {"failed": True, "msg": "no room"}}, max_fail_percentage=25)["to_restart"] == ["north", "south"]
    told = state(fleet, check_mode=True)
    assert told["to_restart"] == [] and [host["outcome"] for host in told["hosts"]] == ["would restart", "unchanged", "would restart"]


def test_what_became_of_a_restart_is_the_outcome():
    batch = {"began": 10.0, "goes": True}
    host = {"_otp_system": DUE, "_otp_batch": batch, "_otp_bring_result": BROUGHT}
    back = {"_otp_rollback": {"cause": {}, "ended": 13.0}, "_otp_rollback_result": {"after": AFTER, "rolled_back": False}}
    failed = {**CHANGED, "failed": True, "rolled_back": True, "msg": "it does not boot"}
    hosts = [
        {**host, "inventory_hostname": "north", "_otp_install_result": CHANGED},
        {**host, "inventory_hostname": "south", "_otp_install_result": failed, **back},
        {"inventory_hostname": "west", "_otp_system": DUE},
        # A client of which only the processes are known.
        {**host, "inventory_hostname": "xray", "_otp_install_result": {**failed, "unreachable_seconds": None}, **back},
    ]
    told = FilterModule().filters()["deploy_state"](hosts)
    assert [(each["outcome"], each["is_bad"]) for each in told["hosts"]] == [
        ("restarted", False),
        ("rolled back", True),
        ("not restarted", False),
        ("rolled back", True),
    ]
    assert told["lines"][1:5] == [
        "north  FIRST   FIRST  2.4      restarted      running, pid 4712  1.2 s  systemd",
        "south  FIRST   FIRST  3.4      rolled back    running, pid 4712  1.2 s  systemd",
        "west   FIRST   FIRST  0.4      not restarted  running, pid 4711  -      systemd",
        "xray   FIRST   FIRST  3.4      rolled back    running, pid 4712  ?      systemd",
    ]
    because = "Change the node: it does not boot"
    assert told["lines"][5:] == [f"south: {because}", "west: the node runs with an earlier version of /srv/a/bin/start", f"xray: {because}"]


def test_a_node_that_waits_for_the_hook_start_and_is_then_started():
    waits = system(before=None, changed=True, node={"running": False, "to_start": True})
    assert state({"north": waits})["starts"] and not state({"north": system()})["starts"]
    (host,) = FilterModule().filters()["deploy_state"]([{"inventory_hostname": "north", "_otp_system_before_start": waits, "_otp_system": system()}])["hosts"]
    assert host["outcome"] == "changed"


def test_a_system_that_was_removed_is_not_there():
    gone = system(changed=True, is_removed=True, node={"name": "", "running": False})
    failed = {"msg": "no room", "failed": True}
    for check_mode, outcome in ((True, "would be removed"), (False, "removed")):
        found = state({"a": gone, "b": failed}, check_mode=check_mode)
        assert [host["outcome"] for host in found["hosts"]] == [outcome, "failed"] and "not there" in found["lines"][1]
