# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: nothing that the node itself needs is hidden or read-only; a line of the inventory comes after all of ours; one variable switches all off."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._target_system.hardening import LINES, hardening
from ansible_collections.erlang.otp.plugins.plugin_utils._target_system.rendering import service
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._target_system.role_variables import VARIABLES

SYSTEMD = {**VARIABLES, "otp_service_manager": "systemd", "otp_node_name": "x@h"}


@pytest.mark.parametrize(
    ("path", "gone", "more"),
    [
        ("/srv/x", "", ""),
        ("/homes/x", "", ""),
        ("/home/x", "ProtectHome=yes", ""),
        ("/root/../root/x", "ProtectHome=yes", ""),
        ("/run/user/1", "ProtectHome=yes", ""),
        ("/tmp/x", "PrivateTmp=yes", ""),
        ("/var/tmp", "PrivateTmp=yes", ""),
        ("/usr/local/a b%n", "", 'ReadWritePaths="-/usr/local/a b%%n"'),
    ],
)
def test_what_the_node_needs_stays(path, gone, more):
    lines = hardening(["/srv/y", path])
    expected = {*LINES, "ProtectSystem=full", "ProtectHome=yes", "PrivateTmp=yes", more} - {gone, ""}
    assert set(lines) == expected
    # What is only named by an argument is not written.
    assert set(hardening(["/srv/y"], [path])) == expected - {more}


@pytest.mark.parametrize("variable", ["otp_root", "otp_run_dir", "otp_pipe_dir", "otp_log_dir", "otp_home"])
def test_each_directory_of_the_system_counts(variable):
    assert "ProtectHome=yes" in service(SYSTEMD)["files"][0]["content"]
    assert "ProtectHome" not in service({**SYSTEMD, variable: "/home/x"})["files"][0]["content"]
    assert "ProtectHome" not in service({**SYSTEMD, "otp_boot_variables": {"LIBS": "/home/x"}})["files"][0]["content"]


def test_a_line_of_the_inventory_is_the_last():
    unit = service({**SYSTEMD, "otp_unit_lines": ["ProtectHome=no"]})["files"][0]["content"]
    assert unit.index("ProtectHome=no") > max(unit.index(line) for line in (*LINES, "ProtectHome=yes", "PrivateTmp=yes", "ProtectSystem=full"))


def test_switched_off():
    node, epmd, *_others = service({**SYSTEMD, "otp_unit_hardening": False})["files"]
    assert not [line for line in LINES if line in node["content"] + epmd["content"]]
    assert all(line in epmd["content"] for line in LINES for epmd in service(SYSTEMD)["files"][:2])
