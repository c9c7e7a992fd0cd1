# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the nodes of a cluster say together: how many may be taken away, which gate has failed, how many errors are usual. Plain data in and out.

A cluster is the hosts of a group, also those that a run does not come to. Before a batch each of them is asked whether its node runs.
"""

from __future__ import annotations

import fractions
import math
import re
import typing as t

Data = t.Mapping[str, t.Any]

# The ways in which a node may be away for a while, or for good. A hot upgrade is one of them, as a failure may end in a restart.
TAKE_AWAY = ("upgrade", "restart", "reboot", "stop")
RULE = re.compile(r"(\d+)(?:/([1-9]\d*))?", re.ASCII)


def least_of(rule: t.Any, size: int) -> int:
    """How many of so many nodes must run: rule is a number, or a fraction, such as 2/3, which is rounded up. Raises ValueError for anything else."""
    found = RULE.fullmatch(str(rule))
    if not found or found[2] and int(found[1]) > int(found[2]):
        raise ValueError(rule)
    return math.ceil(fractions.Fraction(int(found[1]), int(found[2])) * size) if found[2] else int(found[1])


def answers(hosts: t.Iterable[Data]) -> dict[str, dict[str, t.Any]]:
    """What the nodes of each cluster have answered, by cluster and host: ``item`` (host, cluster, least), and the result of the call init:get_status()."""
    found: dict[str, dict[str, t.Any]] = {}
    for host in hosts:
        for result in (host.get("_otp_members_result") or {}).get("results") or []:
            item = result["item"]
            found.setdefault(item["cluster"], {})[item["host"]] = result
    return found


def runs(answer: Data) -> bool:
    return str(answer.get("text")).startswith("{started,")


def running(hosts: t.Iterable[Data]) -> list[str]:
    """The hosts of all clusters whose nodes ran when the batch began."""
    return [name for members in answers(hosts).values() for name, answer in members.items() if runs(answer)]


def shortages(hosts: t.Sequence[Data], outcomes: t.Sequence[Data]) -> dict[str, str]:
    """The hosts of a batch that cannot be changed, as too few nodes of their cluster would run meanwhile, and why.

    hosts: the variables of those of the batch; outcomes: those of upgrade_outcome.
    """
    ways = {host.get("inventory_hostname"): (host.get("_otp_bring_result") or {}).get("way") for host in hosts}
    due = [host.get("inventory_hostname") for host, outcome in zip(hosts, outcomes) if outcome["can_go"]]
    found = {}
    for cluster, members in answers(hosts).items():
        up = [name for name in members if runs(members[name])]
        away = [name for name in due if name in up and ways[name] in TAKE_AWAY]
        rule = next(iter(members.values()))["item"]["least"]
        least = least_of(rule or 0, len(members))
        if away and len(up) - len(away) < least:
            reason = shortage(cluster, members, away, rule, least)
            found.update({str(name): reason for name in due if name in members})
    return found


def shortage(cluster: str, members: t.Mapping[str, Data], away: t.Sequence[str], rule: t.Any, least: int) -> str:
    """Why these nodes must not be taken away, and the ways out."""
    up = [name for name in members if runs(members[name])]
    down = {name: why_down(members[name]) for name in members if name not in up}
    rest = f"{len(up) - len(away)} of {len(members)} nodes of the group {cluster} would run without {', '.join(away)}"
    needed = f"and otp_min_available is {rule}" + (f", which is {least}" if str(rule) != str(least) else "")
    spare = len(up) - least
    ways = [f"start {', '.join(down)} first, by the playbook erlang.otp.start"] if down else []
    ways += [f"take fewer at once, with -e otp_serial={spare}"] if spare > 0 else []
    ways += ["lower it for this run, with -e otp_min_available=NUMBER"]
    of_down = f" Down are: {'; '.join(f'{name} ({why})' for name, why in down.items())}." if down else " All of them run now."
    return f"only {rest}, {needed}. No node of the batch was taken away.{of_down} The ways out: {', or '.join(ways)}."


def why_down(answer: Data) -> str:
    text = answer.get("text")
    return f"it is {text}" if text else str(answer.get("msg") or "it was not asked").split("\n", maxsplit=1)[0].rstrip(".")


def broken_gate(hosts: t.Iterable[Data]) -> str:
    """The first gate of a cluster that has failed, and what the node has answered; empty if there is none."""
    for host in hosts:
        for result in (host.get("_otp_cluster_result") or {}).get("results") or []:
            if result.get("failed") or result.get("unreachable"):
                return f"cluster gate {result['item']['gate']}, asked of {result['item']['host']}: {result.get('msg') or 'it has not answered'}"
    return ""


def reports_before(hosts: t.Iterable[Data]) -> int:
    """The most error reports that a node of the batch before had while it was watched; 0 before the first batch."""
    watched = [host for host in hosts if (host.get("_otp_watch") or {}).get("reports") is not None]
    last = max((host["_otp_batch"]["began"] for host in watched), default=None)
    return max((int(host["_otp_watch"]["reports"]) for host in watched if host["_otp_batch"]["began"] == last), default=0)
