# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: the flags are those of the variables, and what is given goes over them; each script is one for sh, whatever the variables have, and has no value
of the environment; a service has its files and no others.
"""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.erlang.otp.plugins.plugin_utils._target_system.rendering import environment, flags, named, options, scripts, service
from ansible_collections.erlang.otp.tests.unit.plugins.plugin_utils._target_system.role_variables import VARIABLES


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "-mode embedded"),
        ({"otp_heart": True}, "-heart -mode embedded"),
        ({"otp_node_name": "x@h"}, "-sname x@h -mode embedded"),
        ({"otp_node_name": "x@h.example", "otp_long_names": True}, "-name x@h.example -mode embedded"),
        ({"otp_node_name": "x@h", "otp_service_manager": "systemd"}, "-sname x@h -start_epmd false -mode embedded"),
        ({"_otp_tls": "mutual", "otp_root": "/srv/x"}, "-proto_dist inet_tls -ssl_dist_optfile /srv/x/bin/ssl_dist.conf -mode embedded"),
        (
            {"_otp_tls": "one-way", "otp_root": "/srv/x", "otp_erl_flags": ["-proto_dist", "inet6_tls"]},
            "-ssl_dist_optfile /srv/x/bin/ssl_dist.conf -mode embedded -proto_dist inet6_tls",
        ),
        ({"otp_node_name": "x@h", "otp_epmd": False, "otp_dist_ports": 9100}, "-sname x@h -start_epmd false -erl_epmd_port 9100 -mode embedded"),
        ({"otp_node_name": "x"}, "-sname x -mode embedded"),
        ({"otp_code_mode": "interactive"}, "-mode interactive"),
        ({"otp_dist_ports": 9100}, "-kernel inet_dist_listen_min 9100 inet_dist_listen_max 9100 -mode embedded"),
        ({"otp_dist_ports": "9100-9105"}, "-kernel inet_dist_listen_min 9100 inet_dist_listen_max 9105 -mode embedded"),
        ({"otp_boot_variables": {"B": "/b", "A": "/a"}}, "-boot_var A /a -boot_var B /b -mode embedded"),
        ({"otp_console": "journal"}, "-noinput -mode embedded"),
        ({"otp_boot_server": True, "otp_root": "/srv/x"}, "-mode embedded -args_file /srv/x/bin/boot_server.args"),
        ({"otp_heart": True, "otp_console": "journal", "otp_erl_flags": ["+S", 1]}, "-heart -noinput -mode embedded +S 1"),
    ],
)
def test_flags(given, expected):
    assert " ".join(flags({**VARIABLES, **given})) == expected


def test_options_have_the_values_of_variables_with_their_names() -> None:
    variables = {"otp_root": "/srv/x", "otp_state": "", "otp_manage_user": False, "otp_boot_variables": {}, "otp_heart": True}
    found = named(variables, {"root": {}, "state": {}, "manage_user": {}, "boot_variables": {}, "home": {}})
    assert found == {"root": "/srv/x", "manage_user": False, "boot_variables": {}}


def test_the_environment_says_where_epmd_is_and_what_is_given_goes_over_it():
    assert environment(VARIABLES) == {"ERL_EPMD_PORT": 4369}
    given = {"otp_epmd_address": "127.0.0.1", "otp_environment": {"LANG": "C", "ERL_EPMD_PORT": 4370}}
    assert environment({**VARIABLES, **given}) == {"ERL_EPMD_PORT": 4370, "ERL_EPMD_ADDRESS": "127.0.0.1", "LANG": "C"}


@pytest.mark.parametrize("given", [{}, {"otp_heart": True, "otp_environment": {"A": "it's", "B": True}}, {"otp_console": "journal", "otp_open_files": "99"}])
@pytest.mark.parametrize("manager", ["none", "systemd", "sysv"])
def test_each_script_is_one_for_sh(given, manager):
    variables = {**VARIABLES, **given, "otp_service_manager": manager}
    found = scripts(variables)
    assert [file["path"] for file in found] == ["bin/start", "bin/start_erl", "bin/stop", "bin/{release}"]
    assert {file["mode"] for file in found} == {"0755"}
    for file in [*found, *((service(variables) or {"files": []})["files"] if manager == "sysv" else [])]:
        subprocess.run(["sh", "-n"], input=file["content"], text=True, check=True)


def test_no_value_is_in_a_script():
    given = {"otp_environment": {"A": "very private"}, "otp_service_manager": "systemd", "otp_node_name": "x@h"}
    assert "very private" not in str([scripts({**VARIABLES, **given}), service({**VARIABLES, **given})])


@pytest.mark.parametrize(
    ("given", "server", "client"),
    [
        ("mutual", ',{cacertfile,"/r/tls/ca.pem"},{verify,verify_peer},{fail_if_no_peer_cert,true}', ',{cacertfile,"/r/tls/ca.pem"},{verify,verify_peer}'),
        ("one-way", ",{verify,verify_none}", ",{verify,verify_none}"),
    ],
)
def test_the_options_of_tls(given, server, client):
    files = '{certfile,"/r/tls/certificate.pem"},{keyfile,"/r/tls/key.pem"}'
    found = {file["path"]: file["content"] for file in options({**VARIABLES, "otp_root": "/r", "_otp_tls": given})["files"]}
    coding, dummy, text = found["bin/ssl_dist.conf"].partition("\n")
    assert coding == "%% coding: utf-8" and "".join(text.split()) == f"[{{server,[{files}{server}]}},{{client,[{files}{client}]}}]."


def test_the_list_of_the_boot_server_is_a_file_of_its_own():
    given = {"otp_boot_server": True, "otp_boot_server_clients": ["10.0.0.9", "10.0.0.11"]}
    file = scripts({**VARIABLES, **given})[-1]
    assert (file["path"], file["mode"]) == ("bin/boot_server.args", "0644")
    assert file["content"] == "-kernel start_boot_server true\n-kernel boot_server_slaves [{10,0,0,9},{10,0,0,11}]\n"


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ({"otp_service_manager": "sysv"}, ["/etc/init.d/S80exchange"]),
        ({"otp_service_manager": "systemd"}, ["/etc/systemd/system/ex.change.service", "/etc/needrestart/conf.d/ex.change.conf"]),
        (
            {"otp_service_manager": "systemd", "otp_node_name": "x@h"},
            ["/etc/systemd/system/ex.change.service", "/etc/systemd/system/ex.change-epmd.service", "/etc/needrestart/conf.d/ex.change.conf"],
        ),
        (
            {"otp_service_manager": "systemd", "otp_node_name": "x@h", "otp_epmd": False, "otp_dist_ports": 9100},
            ["/etc/systemd/system/ex.change.service", "/etc/needrestart/conf.d/ex.change.conf"],
        ),
        (
            {"otp_service_manager": "systemd", "otp_node_name": "x@h", "otp_erl_flags": ["-start_epmd", "false", "-erl_epmd_port", "9100"]},
            ["/etc/systemd/system/ex.change.service", "/etc/needrestart/conf.d/ex.change.conf"],
        ),
    ],
)
def test_the_files_of_a_service(given, paths):
    found = service({**VARIABLES, **given})
    assert [file["path"] for file in found["files"]] == paths
    assert found["name"] == "ex.change"
    assert found["at_boot"] is True


def test_a_host_that_chooses_gets_the_files_of_each_manager():
    given = {**VARIABLES, "otp_node_name": "x@h", "otp_init_script": "/etc/init.d/ex.change"}
    found = options({**given, "otp_service_manager": "auto"})
    for manager, kind in (("systemd", "systemd"), ("sysv", "sysv"), ("rcS", "sysv"), ("none", "none")):
        variables = {**given, "otp_service_manager": kind}
        if manager == "rcS":
            variables["otp_init_script"] = "/etc/init.d/S80ex.change"
        expected = options(variables)
        for name, files in (("files", found["files"]), ("service", found["service"]["files"])):
            for_it = [{**file, "managers": 0} for file in files if manager in file.get("managers", [manager])]
            of_it = expected["files"] if name == "files" else (expected["service"] or {"files": []})["files"]
            assert for_it == [{**file, "managers": 0} for file in of_it], (manager, name)
    assert found["service"]["manager"] == "auto" and len(found["files"]) == 7
    own = options({**given, "otp_service_manager": "auto", "otp_init_script": "/etc/init.d/S10x"})["service"]["files"]
    assert [file["path"] for file in own if file["managers"] != ["systemd"]] == ["/etc/init.d/S10x"] * 2


def test_a_unit_has_limits_lines_and_percent_signs_as_systemd_wants_them():
    given = {"otp_service_manager": "systemd", "otp_root": "/srv/50%", "otp_open_files": 4096, "otp_unit_lines": ["MemoryMax=2G"]}
    unit, needrestart = (file["content"] for file in service({**VARIABLES, **given})["files"])
    assert 'ExecStart=/bin/sh "/srv/50%%/bin/start"\n' in unit
    assert "\nLimitNOFILE=4096\n" in unit and unit.index("MemoryMax=2G\n") > unit.index("LimitNOFILE")
    assert r"^ex\.change(-epmd)?\.service$" in needrestart


def test_no_service_where_none_is_wanted():
    assert options(VARIABLES)["service"] is None
