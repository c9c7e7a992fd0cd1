# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which release a system is rolled back to."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.filter.previous_release import FilterModule

previous_release = FilterModule().filters()["previous_release"]


def entry(before, release, action="commit", outcome="ok"):
    return {"action": action, "release": release, "from": before, "outcome": outcome}


def info(permanent, old, *history):
    releases = [{"version": version, "status": "old"} for version in old]
    return {"releases": [*releases, {"version": permanent, "status": "permanent"}], "history": list(history)}


UP = (entry("1", "2"), entry("2", "3"))


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        (info("3", ["2", "1"], *UP), "2"),
        (info("2", ["3", "1"], *UP, entry("3", "2")), "1"),
        (info("1", ["3", "2"], *UP, entry("3", "2"), entry("2", "1")), ""),
        (info("1", ["3", "2"], *UP, entry("3", "1", "reboot")), ""),
        (info("3", ["1"], *UP, entry("3", "2"), entry("2", "3")), "1"),
        (info("2", ["1"], entry("1", "2", "offline")), "1"),
        (info("2", ["1"], entry("1", "2"), entry("2", "3", "install"), entry("2", "3", "commit", "failed")), "1"),
        (info("2", ["1"]), "1"),
        (info("3", ["1", "2"]), ""),
        (info("1", []), ""),
        (info("9", ["8", "7"], *UP, entry("8", "9")), "8"),
        (info("1", [], entry(None, "1", "offline")), ""),
    ],
)
def test_the_release_below_the_permanent_one(system, expected):
    assert previous_release(system) == expected


@pytest.mark.parametrize("wrong", [None, [], {}, "text"])
def test_what_is_no_result_of_the_info_module_is_refused(wrong):
    with pytest.raises(AnsibleFilterError, match="otp_release_info"):
        previous_release(wrong)
