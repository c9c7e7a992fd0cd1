# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the service. Rules: names, lines of the unit, numbers and ports are those that systemd, run_erl and EPMD take."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.service import service


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"otp_service_manager": "systemd", "otp_service_name": "exchange-1.eu", "otp_unit_lines": ["MemoryMax=2G"]},
        {"otp_service_manager": "sysv", "otp_init_script": "/etc/init.d/S80exchange"},
        {"otp_service_manager": "none", "otp_service_name": "what is asked of nobody"},
        {"otp_dist_ports": 9100},
        {"otp_dist_ports": 9100, "otp_epmd": False},
        {"otp_dist_ports": "9100-9105", "otp_epmd_port": 4370, "otp_log_generations": 1000, "otp_log_max_size": 1000},
        {"otp_console": "journal", "otp_node_name": "exchange@localhost"},
    ],
)
def test_nothing_to_say(variables):
    assert list(service(variables)) == []


@pytest.mark.parametrize(
    ("variables", "name", "way_out"),
    [
        ({"otp_service_manager": "systemd", "otp_service_name": "my system"}, "otp_service_name", "such as exchange"),
        ({"otp_service_manager": "systemd", "otp_service_name": "-x"}, "otp_service_name", "such as exchange"),
        ({"otp_service_manager": "sysv", "otp_init_script": "init.d/x"}, "otp_init_script", "absolute path"),
        ({"otp_unit_lines": ["[Install]"]}, "otp_unit_lines", "MemoryMax=2G"),
        ({"otp_unit_lines": ["MemoryMax=2G\nUser=root"]}, "otp_unit_lines", "MemoryMax=2G"),
        ({"otp_console": "journal"}, "otp_console", "otp_node_name"),
        ({"otp_epmd_port": 0}, "otp_epmd_port", "from 1 to 65535"),
        ({"otp_log_generations": 1}, "otp_log_generations", "from 2 to 1000"),
        ({"otp_log_max_size": 999}, "otp_log_max_size", "from 1000"),
        ({"otp_dist_ports": "9100-"}, "otp_dist_ports", "9100-9105"),
        ({"otp_dist_ports": "9105-9100"}, "otp_dist_ports", "9100-9105"),
        ({"otp_dist_ports": "9100-70000"}, "otp_dist_ports", "9100-9105"),
        ({"otp_dist_ports": "0"}, "otp_dist_ports", "9100-9105"),
        ({"otp_epmd": False, "otp_dist_ports": "9100-9105"}, "otp_dist_ports to one port", "9100"),
        ({"otp_epmd": False}, "otp_epmd", "otp_dist_ports to one port"),
    ],
)
def test_a_problem_and_its_way_out(variables, name, way_out):
    (sentence,) = service(variables)
    assert name in sentence and way_out in sentence
