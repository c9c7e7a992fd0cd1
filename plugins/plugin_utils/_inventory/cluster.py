# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the variables of a cluster: how many nodes must run, its gates, and its group."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.cluster import least_of

Variables = t.Mapping[str, t.Any]

DEFAULT = "otp"


def cluster(variables: Variables) -> t.Iterator[str]:
    """Sentences, each with the variable at fault and the way out."""
    rule, soak, hold = variables.get("otp_min_available"), variables.get("otp_soak") or 0, variables.get("otp_hold", 3600)
    try:
        least_of(rule or 0, 1)
    except ValueError:
        yield f"otp_min_available is {rule!r}: give a number of nodes, or a fraction of them up to 1, such as 2/3."
    if soak < 0:
        yield f"otp_soak is {soak}: give a number of seconds, or 0."
    elif 0 < hold <= soak:
        yield f"otp_soak is {soak} and otp_hold is {hold}: the mark of the run would expire while it watches the nodes. Set otp_hold to more seconds."


def of_clusters(hostvars: t.Mapping[str, Variables], hosts: t.Iterable[str]) -> t.Iterator[str]:
    """Clusters with which a rule is set, and whose hosts the inventory does not name as such. hosts: those of the run."""
    for host in hosts:
        variables = hostvars[host]
        if not (variables.get("otp_min_available") or variables.get("otp_cluster_gates")):
            continue
        name = str(variables.get("otp_cluster") or DEFAULT)
        members = (variables.get("groups") or {}).get(name) or []
        if host not in members:
            yield f"{host}: otp_cluster is {name!r}, and the host is not in a group of that name: set it to the group that has all hosts of its cluster."
        others = [other for other in members if str(hostvars[other].get("otp_cluster") or DEFAULT) != name]
        if others:
            yield f"{host}: the group {name} is its otp_cluster, and not that of {', '.join(others)}: give all hosts of a cluster the same one."
