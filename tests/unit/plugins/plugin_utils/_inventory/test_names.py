# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a path on a host, whichever variable has it, and a name that systemd, sh, Ansible or OTP would read otherwise, is refused on the controller."""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.checks import problems

GOOD = {"otp_root": "/srv/exchange", "otp_node_name": "exchange@localhost", "otp_cookie": "s3cret"}
PATHS = ("otp_root otp_home otp_run_dir otp_pipe_dir otp_log_dir otp_destdir otp_client_home otp_client_run_dir otp_client_log_dir otp_client_unit_dir").split()


def found(**variables):
    return problems({**GOOD, **variables})


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("part", ['"', "\\", "$HOME", "`id`", ":", "\n", "\t", "\0", "\x1b[0m", "\u2028", "\udcff", "..", "."])
def test_a_path_that_is_read_otherwise(name, part):
    (sentence,) = found(**{name: f"/srv/a/{part}/b"})
    assert sentence.startswith(f"{name} is ")


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("part", ["'", " ", "%n", "*", "?[a]", "~", "-n", "#;&!(){}<>|=,@+^", "ρίζα", "根"])
def test_a_path_that_works_everywhere(name, part):
    assert found(**{name: f"/srv/{part}"}) == []


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"otp_boot_variables": {"LIBS": "/opt/$HOME"}}, "otp_boot_variables.LIBS"),
        ({"otp_boot_variables": {"LIBS": "libs"}}, "otp_boot_variables.LIBS"),
        ({"otp_boot_variables": {"A B": "/opt"}}, "otp_boot_variables"),
        ({"otp_user": "x" * 32}, "otp_user"),
        ({"otp_user": "-x"}, "otp_user"),
        ({"otp_group": "x\n"}, "otp_group"),
        ({"otp_group": "%i"}, "otp_group"),
        ({"otp_node_name": "a'b@host"}, "otp_node_name"),
        ({"otp_node_name": "a@host\n"}, "otp_node_name"),
        ({"otp_service_manager": "systemd", "otp_service_name": "x" * 201}, "otp_service_name"),
        ({"otp_service_manager": "systemd", "otp_service_name": "-x"}, "otp_service_name"),
        ({"otp_service_manager": "systemd", "otp_service_name": "a%b"}, "otp_service_name"),
        ({"otp_service_manager": "sysv", "otp_init_script": "/etc/init.d/-x"}, "otp_init_script"),
        ({"otp_service_manager": "sysv", "otp_init_script": "/etc/$HOME/x"}, "otp_init_script"),
        ({"otp_unit_lines": ["MemoryMax=2G\\"]}, "otp_unit_lines"),
        ({"otp_unit_lines": ["MemoryMax=2G\nExecStart=/bin/false"]}, "otp_unit_lines"),
        ({"otp_epmd_address": "10.0.0.1 ExecStart=x"}, "otp_epmd_address"),
        ({"otp_environment": {"ERL_EPMD_ADDRESS": "a b"}}, "otp_environment.ERL_EPMD_ADDRESS"),
        ({"otp_environment": {"ERL_EPMD_PORT": "4369 x"}}, "otp_environment.ERL_EPMD_PORT"),
    ],
)
def test_a_name_that_is_read_otherwise(variables, name):
    (sentence,) = found(**variables)
    assert sentence.startswith(f"{name} ")


def test_names_that_work():
    more = {"otp_service_manager": "systemd", "otp_service_name": "x" * 200, "otp_user": "x" * 31, "otp_unit_lines": ["Environment=A=%%h"]}
    assert found(**more, otp_epmd_address="127.0.0.1,::1", otp_environment={"ERL_EPMD_PORT": 4370}) == []
