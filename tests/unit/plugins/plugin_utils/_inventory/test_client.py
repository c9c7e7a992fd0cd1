# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients in an inventory.

Rules: a problem names its host, its variable and the way out, and no secret; booleans are read as Ansible reads them; a boot server answers the
clients without a disk of its own host, and no others.
"""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.filter.boot_server_clients import FilterModule as BootServerClients
from ansible_collections.erlang.otp.plugins.filter.fleet_problems import FilterModule as FleetProblems
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.checks import problems
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.client import client
from ansible_collections.erlang.otp.tests.real.authority import Authority

fleet_problems = FleetProblems().filters()["fleet_problems"]
boot_server_clients = BootServerClients().filters()["boot_server_clients"]

SYSTEM = {"otp_root": "/srv/exchange", "otp_cookie": "secret"}
MASTER = {**SYSTEM, "inventory_hostname": "m", "otp_node_name": "exchange@m", "ansible_host": "10.0.0.1", "otp_boot_server": True}
CLIENT = {**SYSTEM, "inventory_hostname": "c", "otp_node_name": "exchange@c", "otp_master": "m"}
DISK_LESS = {**CLIENT, "otp_client_loader": "inet", "otp_client_address": "10.0.0.11"}


@pytest.mark.parametrize("given", [CLIENT, DISK_LESS, {}, {**CLIENT, "otp_client_type": "arm64", "otp_service_manager": "systemd"}])
def test_nothing_to_say_of_a_client(given):
    assert [*client(given)] == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"otp_client_type": "../x"}, "otp_client_type is '../x'"),
        ({"otp_node_name": ""}, "otp_node_name has no host"),
        ({"otp_node_name": "exchange"}, "otp_node_name has no host"),
        ({"otp_service_manager": "sysv"}, "otp_service_manager is sysv"),
        ({"otp_client_loader": "inet", "otp_static_emulator": False}, "otp_static_emulator is false"),
        ({"otp_epmd": False, "otp_dist_ports": 9100}, "otp_epmd is false"),
        ({"otp_dist_tls": Authority().issue("c")}, "otp_dist_tls is set"),
        ({"otp_erl_flags": ["-proto_dist", "inet_tls"]}, "otp_erl_flags: -proto_dist inet_tls has it speak TLS"),
        ({"otp_environment": {"ERL_ZFLAGS": "-proto_dist inet6_tls"}}, "otp_environment.ERL_ZFLAGS: -proto_dist inet6_tls has it"),
    ],
)
def test_each_variable(given, said):
    (problem,) = client({**CLIENT, **given})
    assert problem.startswith(said)
    assert problem in problems({**CLIENT, **given})


@pytest.mark.parametrize(
    ("mine", "master", "said"),
    [
        ({}, {}, []),
        (DISK_LESS, {}, []),
        ({**DISK_LESS, "otp_client_address": "", "ansible_host": "10.0.0.12"}, {}, []),
        ({"otp_master": ""}, {}, ["c: otp_master is not set"]),
        ({"otp_master": "n"}, {}, ["c: otp_master is 'n', which is not a host of the inventory"]),
        ({}, {"otp_master": "x"}, ["c: otp_master is 'm', which is itself a client of x"]),
        ({"otp_root": "/srv/x"}, {}, ["c: otp_root differs from that of its master m"]),
        ({"otp_cookie": "other"}, {}, ["c: otp_cookie differs from that of its master m"]),
        ({}, {"otp_node_name": ""}, ["c: its master m has no otp_node_name with a host"]),
        ({}, {"otp_epmd": "no", "otp_dist_ports": 9100}, ["c: its master m has otp_epmd false"]),
        ({}, {"otp_epmd": "yes", "otp_dist_tls": {}}, []),
        ({}, {"otp_dist_tls": {"certificate": "c", "key": "k"}}, ["c: its master m has otp_dist_tls, and a client speaks"]),
        ({}, {"otp_erl_flags": ["-proto_dist", "inet_tls"]}, ["c: otp_erl_flags of its master m: -proto_dist inet_tls has it speak TLS"]),
        ({}, {"otp_vm_args": "+K true\n-proto_dist  'inet_tls' # x\n"}, ["c: otp_vm_args of its master m: -proto_dist inet_tls"]),
        ({}, {"otp_vm_args": "# -proto_dist inet_tls\n", "otp_erl_flags": ["-proto_dist", "inet6_tcp"]}, []),
        ({}, {"otp_environment": {"ERL_FLAGS": "-proto_dist inet_tls"}}, ["c: otp_environment.ERL_FLAGS of its master m"]),
        ({}, {"otp_erl_flags": ["-start_epmd", "false", "-erl_epmd_port", "9100"]}, ["c: otp_erl_flags of its master m: -start_epmd false has it do"]),
        (DISK_LESS, {"otp_boot_server": 1}, []),
        (DISK_LESS, {"otp_boot_server": "no"}, ["c: it boots from its master m: set otp_boot_server"]),
        ({**DISK_LESS, "otp_client_address": "c.example"}, {}, ["c: otp_client_address is not set"]),
        ({**DISK_LESS, "otp_client_address": "fe80::1"}, {}, ["c: otp_client_address is not set"]),
        (DISK_LESS, {"ansible_host": "m.example"}, ["c: otp_master_address is not set"]),
        ({**DISK_LESS, "otp_master_address": "10.0.0.2"}, {"ansible_host": "m.example"}, []),
    ],
)
def test_clients_and_their_masters(mine, master, said):
    found = fleet_problems({"m": {**MASTER, **master}, "c": {**CLIENT, **mine}}, hosts=["c"], clients=True)
    assert len(found) == len(said), found
    assert all(problem.startswith(beginning) for problem, beginning in zip(found, said))
    assert not any("secret" in problem or "other" in problem for problem in found)


def test_clients_of_one_master_have_names_of_their_own():
    found = fleet_problems({"m": MASTER, "c": CLIENT, "d": CLIENT, "e": {**CLIENT, "otp_node_name": "exchange@e"}}, hosts=["c", "d", "e"], clients=True)
    assert found == ["d: otp_node_name is exchange@c, like that of c: each client of a master needs a different name."]


def test_the_boot_server_answers_its_own_clients_without_a_disk():
    hostvars = {
        "m": MASTER,
        "c": CLIENT,
        "d": {**DISK_LESS, "otp_client_address": "10.0.0.111"},
        "e": {**DISK_LESS, "otp_client_address": "", "ansible_host": "10.0.0.9"},
        "same": DISK_LESS,
        "twice": DISK_LESS,
        "gone": {**DISK_LESS, "otp_client_address": "10.0.0.13", "otp_client_state": "absent"},
        "elsewhere": {**DISK_LESS, "otp_client_address": "10.0.0.14", "otp_master": "n"},
        "unknown": {**DISK_LESS, "otp_client_address": "", "ansible_host": "client.example"},
    }
    assert boot_server_clients(hostvars, "m") == ["10.0.0.9", "10.0.0.11", "10.0.0.111"]
    assert boot_server_clients(hostvars, "o") == []
    # With -e otp_client_state=absent --limit d all of them have it.
    gone = {host: {**variables, "otp_client_state": "absent"} for host, variables in hostvars.items()}
    assert boot_server_clients(gone, "m", hosts=["d", "gone"]) == ["10.0.0.9", "10.0.0.11"]


def test_what_is_no_hostvars():
    for filter in (lambda: fleet_problems([], hosts=[]), lambda: boot_server_clients("x", "m")):
        with pytest.raises(AnsibleFilterError, match="needs hostvars"):
            filter()
