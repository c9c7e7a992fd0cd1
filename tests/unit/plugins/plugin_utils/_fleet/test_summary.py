# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table at the end of playbooks/deploy.yml, from what otp_target_system returned for each host.

Rules: a row for each host, also for one that failed or was not reached; columns as wide as their widest cell; what starts the node at boot; what is left
to do, and why a host failed, is below the table on lines of 88 characters; check mode reports what would change.
"""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.filter.deploy_summary import FilterModule


def system(**more):
    node = {"name": "a@localhost", "running": True, "pid": 4711, "release": "FIRST"}
    release = {"name": "exchange", "version": "FIRST"}
    return {
        "before": "FIRST",
        "release": release,
        "pending": None,
        "node": node,
        "seconds": 0.44,
        "changed": False,
        "unreachable_seconds": None,
        "at_boot": "systemd",
        **more,
    }


def summary(check_mode=False, **hosts):
    known = [{"inventory_hostname": host, **({"_otp_system": result} if result else {})} for host, result in hosts.items()]
    return FilterModule().filters()["deploy_summary"](known, check_mode=check_mode)


def test_a_row_for_each_host():
    assert summary(
        new=system(before=None, changed=True, seconds=2.06),
        same=system(),
        restarted=system(changed=True, unreachable_seconds=1.25),
        stopped=system(changed=True, node={"name": "", "running": False}, at_boot=None),
    ) == [
        "HOST       BEFORE  NOW    SECONDS  OUTCOME    STATE              DOWN   AT BOOT",
        "new        -       FIRST  2.1      changed    running, pid 4711  -      systemd",
        "same       FIRST   FIRST  0.4      unchanged  running, pid 4711  -      systemd",
        "restarted  FIRST   FIRST  0.4      restarted  running, pid 4711  1.2 s  systemd",
        "stopped    FIRST   FIRST  0.4      changed    stopped            -      no",
    ]


def test_what_is_left_to_do_is_below():
    waits = system(changed=True, release={"name": "exchange", "version": "SECOND"}, pending="upgrade to SECOND")
    silent = {**waits, "node": {"name": "", "running": True, "pid": 4711}}
    lines = summary(north=waits, south=silent)
    assert lines[1].split()[:3] == ["north", "FIRST", "FIRST"] and lines[2].split()[:3] == ["south", "FIRST", "FIRST"]
    assert lines[3:] == ["north: upgrade to SECOND", "south: upgrade to SECOND"]


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
    assert lines[4:] == ["broken: no room on the disk", "lost: no route"]


def test_check_mode_reports_what_would_change():
    lines = summary(check_mode=True, north=system(before=None, changed=True, node={"name": "", "running": True}))
    assert lines[1] == "north  -       FIRST  0.4      would change  to be started  -     systemd"
