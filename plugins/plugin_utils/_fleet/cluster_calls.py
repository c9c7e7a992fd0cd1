# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to call the nodes of a cluster, also on hosts that the run does not come to: from the inventory alone, with the defaults of the role target_system."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.values import texts

Variables = t.Mapping[str, t.Any]


def cluster_calls(
    hostvars: t.Mapping[str, Variables], hosts: t.Sequence[str], gates: t.Sequence[Variables], nodes: t.Sequence[str], more: Variables
) -> list[dict[str, t.Any]]:
    """A call for each host and each gate. The documentation of the filter cluster_calls has the options and the result."""
    named = {host: address(hostvars[host])["node"] for host in {*hosts, *nodes}} if any("expect_nodes" in gate["rpc"] for gate in gates) else {}
    return [
        {
            **more,
            "host": host,
            # The node of a client is called from the host of its master, as everywhere.
            "place": str(hostvars[host].get("otp_master") or host),
            **address(hostvars[host]),
            "gate": str(gate.get("name") or "{module}:{function}".format(**gate["rpc"])),
            **{key: gate["rpc"][key] for key in ("module", "function", "arguments", "expect") if key in gate["rpc"]},
            **expected_nodes(gate["rpc"], host, nodes, named),
        }
        for host in hosts
        for gate in gates
    ]


def expected_nodes(rpc: Variables, host: str, nodes: t.Sequence[str], named: t.Mapping[str, str]) -> dict[str, list[str]]:
    """The names of all nodes, or of the others. One without a name is in no list of nodes."""
    if "expect_nodes" not in rpc:
        return {}
    return {"expect_nodes": [named[other] for other in nodes if named[other] and (other != host or rpc["expect_nodes"] == "all")]}


def address(variables: Variables) -> dict[str, t.Any]:
    """node, pipe_dir and epmd_port of the node of a host, each as the role target_system has it. The cookie is not in it: what it is in may be shown."""
    run_dir = variables.get("otp_run_dir") or f"{variables.get('otp_root') or ''}/run"
    port = variables.get("otp_epmd_port") or (variables.get("otp_environment") or {}).get("ERL_EPMD_PORT") or 4369
    pipe_dir = "" if variables.get("otp_master") else str(variables.get("otp_pipe_dir") or f"{run_dir}/pipe")
    return {"node": node_name(variables), "pipe_dir": pipe_dir, "epmd_port": int(port)}


def node_name(variables: Variables) -> str:
    """What the inventory says, or else the package of the inventory."""
    if variables.get("otp_node_name") is not None or not variables.get("otp_package"):
        return str(variables.get("otp_node_name") or "")
    # Lazy, as every fork of Ansible loads all filters of the collection for any of them.
    from ansible_collections.erlang.otp.plugins.plugin_utils._package.node_name import node_name_of

    try:
        return node_name_of(str(variables["otp_package"]), texts("otp_config_variables", dict(variables.get("otp_config_variables") or {}))).name
    except OSError:
        # A URL, or a file that the checks report: the node is called through its pipes.
        return ""
