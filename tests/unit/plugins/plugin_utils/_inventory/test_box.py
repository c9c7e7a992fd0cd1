# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of a box. Rules: what a box cannot do is refused with the way out; other hosts are not affected."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.box import box


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"otp_box": False, "otp_service_manager": "systemd", "otp_package": "https://packages.example.com/exchange.tar.gz"},
        {"otp_box": True, "otp_service_manager": "sysv", "otp_package": "packages/exchange.tar.gz"},
    ],
)
def test_nothing_to_say(variables):
    assert list(box(variables)) == []


@pytest.mark.parametrize(
    ("variables", "way_out"),
    [
        ({"otp_service_manager": "systemd"}, "use sysv or none"),
        ({"otp_console": "journal"}, "must be run_erl"),
        ({"otp_package": "https://packages.example.com/exchange.tar.gz"}, "give a file on the controller"),
        ({"otp_boot_variables": {"LIBS": "/opt/libs"}}, "below otp_root"),
    ],
)
def test_problems(variables, way_out):
    (problem,) = box({"otp_box": True, **variables})
    assert problem.startswith(next(iter(variables)))
    assert way_out in problem
