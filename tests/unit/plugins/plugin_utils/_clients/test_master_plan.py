# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a master needs for its clients.

Rules: the boot server answers the clients without a disk that the inventory has, and no others; a directory of a client that no host of this
master has is in a warning, or is removed if otp_clients_prune is set.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.erlang.otp.plugins.filter.client_plan import FilterModule

client_plan = FilterModule().filters()["client_plan"]

HOSTVARS: dict[str, dict[str, t.Any]] = {
    "north": {"otp_node_name": "x@north"},
    "line1": {"otp_master": "north", "otp_node_name": "x@line1", "otp_client_loader": "inet", "otp_client_address": "10.0.0.11"},
    "line2": {"otp_master": "north", "otp_node_name": "x@line2", "otp_client_loader": "inet", "otp_client_address": "10.0.0.12"},
    "line3": {"otp_master": "south", "otp_node_name": "x@line3", "otp_client_loader": "inet", "otp_client_address": "10.0.0.13"},
}


def plan(hostvars: t.Any = None, clients: t.Iterable[str] = (), served: t.Iterable[str] = (), prune: t.Any = False) -> dict[str, t.Any]:
    pairs = [{"$tuple": [{"$tuple": [255] * 4}, {"$tuple": [int(part) for part in address.split(".")]}]} for address in served]
    variables = {
        "otp_master": "north",
        "ansible_play_hosts_all": ["line1", "line2"],
        "otp_clients_prune": prune,
        # In check mode the boot server that would be started is not asked.
        "_otp_clients_result": {"result": pairs} if pairs else {"skipped": True},
        "_otp_info_result": {"clients": [{"client": name, "type": "arm64"} for name in clients]},
    }
    return client_plan(variables, hostvars or HOSTVARS)


def test_the_boot_server_answers_exactly_the_clients_of_the_inventory() -> None:
    found = plan(served=["10.0.0.11", "10.0.0.13"])
    assert (found["added"], found["removed"]) == (["10.0.0.12"], ["10.0.0.13"])
    assert plan()["added"] == ["10.0.0.11", "10.0.0.12"]


@pytest.mark.parametrize("given", [["10.0.0.20"], []])
def test_a_list_of_the_inventory_counts(given: list[str]) -> None:
    found = plan({**HOSTVARS, "north": {"otp_boot_server_clients": given}}, served=["10.0.0.11"])
    assert (found["added"], found["removed"]) == (given, ["10.0.0.11"])


def test_a_client_that_leaves_is_removed_from_the_list() -> None:
    found = plan({**HOSTVARS, "line2": {**HOSTVARS["line2"], "otp_client_state": "absent"}}, served=["10.0.0.11", "10.0.0.12"])
    assert (found["added"], found["removed"]) == ([], ["10.0.0.12"])


def test_directories_without_a_host() -> None:
    # line3 is a client of another master.
    found = plan(clients=["x@line1", "x@line3", "x@left"])
    assert found["pruned"] == []
    assert found["warnings"] == [
        "north has directories of clients that the inventory does not have: x@line3, x@left. Remove them with -e otp_clients_prune=true."
    ]
    found = plan(clients=["x@line1", "x@left"], prune="true")
    assert (found["pruned"], found["warnings"]) == ([{"client": "x@left", "type": "arm64"}], [])
    assert plan(clients=["x@line1"])["warnings"] == []
