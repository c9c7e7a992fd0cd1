# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role clients does on a master for all of its clients: the list of the boot server, and directories without a client. Plain data in and out."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.client import boot_server_clients

Variables = t.Mapping[str, t.Any]


def master_plan(variables: Variables, hostvars: t.Mapping[str, Variables]) -> dict[str, t.Any]:
    """The plan for the master of a client. The documentation of the filter client_plan has the variables and the result."""
    master = variables["otp_master"]
    given = hostvars[master].get("otp_boot_server_clients")
    listed = boot_server_clients(hostvars, master, variables["ansible_play_hosts_all"]) if given is None else given
    served = [address_of(pair) for pair in variables["_otp_clients_result"].get("result") or []]
    nodes = {each.get("otp_node_name") for each in hostvars.values() if each.get("otp_master") == master}
    unnamed = [each for each in variables["_otp_info_result"].get("clients") or [] if each["client"] not in nodes]
    prunes = variables["otp_clients_prune"]
    warning = (
        f"{master} has directories of clients that the inventory does not have: {', '.join(each['client'] for each in unnamed)}."
        " Remove them with -e otp_clients_prune=true."
    )
    return {
        "added": [address for address in listed if address not in served],
        "removed": [address for address in served if address not in listed],
        "pruned": unnamed if prunes else [],
        "warnings": [warning] if unnamed and not prunes else [],
    }


def address_of(pair: t.Mapping[str, t.Any]) -> str:
    """The IPv4 address in a pair of a mask and an address, as erl_boot_server:which_slaves/0 returns it."""
    return ".".join(str(number) for number in pair["$tuple"][1]["$tuple"])
