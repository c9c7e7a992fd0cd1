# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What playbooks/deploy.yml says at its end, from what otp_target_system returned for each host."""

from __future__ import annotations

from pathlib import Path

import pytest

jinja2 = pytest.importorskip("jinja2")

TEMPLATE = Path(__file__).parents[3] / "playbooks" / "templates" / "summary.j2"


def system(**said):
    node = {"name": "a@localhost", "running": True, "pid": 4711, "release": "FIRST"}
    release = {"name": "exchange", "version": "FIRST"}
    return {"before": "FIRST", "release": release, "pending": None, "node": node, "seconds": 0.44, "changed": False, "unreachable_seconds": None, **said}


def summary(check_mode=False, **hosts):
    known = {"ansible_play_hosts_all": list(hosts), "hostvars": {host: {"_otp_system": said} if said else {} for host, said in hosts.items()}}
    # As Ansible reads templates.
    template = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined).from_string(TEMPLATE.read_text())
    return template.render(ansible_check_mode=check_mode, **known).splitlines()


def test_a_row_for_each_host():
    assert summary(
        new=system(before=None, changed=True, seconds=2.06),
        same=system(),
        restarted=system(changed=True, unreachable_seconds=1.25),
        stopped=system(changed=True, node={"name": "", "running": False}),
    ) == [
        "HOST       BEFORE  NOW    SECONDS  OUTCOME    STATE              DOWN",
        "new        -       FIRST  2.1      changed    running, pid 4711  -",
        "same       FIRST   FIRST  0.4      unchanged  running, pid 4711  -",
        "restarted  FIRST   FIRST  0.4      restarted  running, pid 4711  1.2 s",
        "stopped    FIRST   FIRST  0.4      changed    stopped            -",
    ]


def test_what_is_left_to_do_stands_below():
    waits = system(changed=True, release={"name": "exchange", "version": "SECOND"}, pending="upgrade to SECOND")
    silent = {**waits, "node": {"name": "", "running": True, "pid": 4711}}
    said = summary(north=waits, south=silent)
    assert said[1].split()[:3] == ["north", "FIRST", "FIRST"] and said[2].split()[:3] == ["south", "FIRST", "FIRST"]
    assert said[3:] == ["north: upgrade to SECOND", "south: upgrade to SECOND"]


def test_a_host_that_failed_says_why_and_others_what_became_of_them():
    said = summary(
        broken={"failed": True, "msg": "no room\non the disk", "seconds": 3.0, "changed": False},
        lost={"unreachable": True, "msg": "no route", "changed": False},
        later=None,
    )
    assert [line.split() for line in said[1:4]] == [
        ["broken", "-", "-", "3.0", "failed", "-", "-"],
        ["lost", "-", "-", "-", "unreachable", "-", "-"],
        ["later", "-", "-", "-", "not", "reached", "-", "-"],
    ]
    assert said[4:] == ["broken: no room on the disk", "lost: no route"]


def test_check_mode_says_what_would_change():
    said = summary(check_mode=True, north=system(before=None, changed=True, node={"name": "", "running": True}))
    assert said[1] == "north  -       FIRST  0.4      would change  to be started  -"
