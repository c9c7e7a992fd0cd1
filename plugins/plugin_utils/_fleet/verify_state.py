# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was found on the hosts that were verified, and the report at the end. Plain data in and out."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.summary import summary_lines
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.upgrade_outcome import has_failed, message

Data = t.Mapping[str, t.Any]
HEADER = ["HOST", "RELEASE", "FILES", "NODE", "INVENTORY", "OUTCOME"]
# Of a host in its note.
LONGEST = 8
# What is to be done, by the kind of a finding.
REPAIR = "To put back what the packages have, run this playbook with -e otp_repair=true."
RESTART = "To load the files of its release, restart the node."
ADDED = "Remove what is in no package, or name it in otp_verify_ignore."
DEPLOY = "To bring what the inventory has, run erlang.otp.deploy."
WAYS = {"changed": REPAIR, "missing": REPAIR, "mode": REPAIR, "owner": REPAIR, "added": ADDED, "module": RESTART}
LOADED = "The node runs with what it had loaded before the repair: restart it."


def verify_state(hosts: t.Sequence[Data], *, check_mode: bool = False) -> dict[str, t.Any]:
    """The state of the hosts. The documentation of the filter verify_state has the options and the result.

    hosts: of the variables of each, ``_otp_verified`` (what otp_release_verify returned), and ``_otp_system`` (otp_target_system, in check mode).
    """
    rows = [row(host, check_mode=check_mode) for host in hosts]
    return {
        "hosts": [
            {"outcome": cells[-1], "reason": notes[0] if notes else "", "is_bad": is_bad, "is_shown": is_shown(host)}
            for host, (cells, notes, is_bad) in zip(hosts, rows)
        ],
        "is_well": not any(is_bad for _cells, _notes, is_bad in rows),
        "report": [
            {"host": cells[0], "before": cells[1], "now": cells[1], "seconds": None, "outcome": cells[-1], "reason": "; ".join(notes)}
            for cells, notes, _is_bad in rows
        ],
        "lines": summary_lines(HEADER, [(cells, "\n".join(notes)) for cells, notes, _is_bad in rows]),
    }


def row(host: Data, *, check_mode: bool) -> tuple[list[t.Any], list[str], bool]:
    """The cells of a host; the lines of the note below the table, the way out first; and whether the host counts as failed."""
    name, found, system = host["inventory_hostname"], host.get("_otp_verified") or {}, host.get("_otp_system") or {}
    if "drift" not in found:
        outcome = "unreachable" if found.get("unreachable") else "failed" if has_failed(found) else "not reached"
        return [name, None, None, None, None, outcome], [message(found)] if found else [], True
    permanent = next((release for release in found["releases"] if release["is_permanent"]), None)
    drift, node, actions = found["drift"], found["node"], [] if has_failed(system) else [*system.get("actions", ())]
    modules = sum(finding["kind"] == "module" for finding in drift)
    cells = [
        name,
        permanent and permanent["version"],
        count_of(len(drift) - modules) if any(release["is_known"] for release in found["releases"]) else "not known",
        _of_node(node, modules),
        "not compared" if "actions" not in system or has_failed(system) else count_of(len(actions)),
    ]
    ways = dict.fromkeys([WAYS[finding["kind"]] for finding in drift] + [DEPLOY for _action in actions])
    unknown = not_verified(found)
    unknown += [f"the inventory was not compared: {message(system)}"] if has_failed(system) else []
    repaired = [] if check_mode else [*found.get("actions", ())]
    unknown += [LOADED] if repaired and node["pid"] else []
    texts = limited([finding["text"] for finding in drift] + actions) + limited(repaired)
    is_known = bool(permanent and permanent["is_known"]) and not node["error"] and not has_failed(system)
    outcome = "drift" if ways else "not verified" if not is_known else "repaired" if repaired else "verified"
    return [*cells, outcome], [*([" ".join(ways)] if ways else []), *unknown, *texts], bool(ways) or not is_known


def not_verified(found: Data) -> list[str]:
    """Of what otp_release_verify returned, a sentence for all that was not compared."""
    unknown = [f"release {release['version']} is not verified: {release['reason']}" for release in found["releases"] if not release["is_known"]]
    unknown += [f"release {release['version']}: the libraries of {name} are not verified" for release in found["releases"] for name in release["left_out"]]
    return unknown + ([found["node"]["error"]] if found["node"]["error"] else [])


def is_shown(host: Data) -> bool:
    """Whether Ansible has shown a failure of the host."""
    return any(has_failed(host.get(name) or {}) for name in ("_otp_verified", "_otp_system"))


def count_of(number: int) -> str:
    return f"{number} {'differs' if number == 1 else 'differ'}" if number else "the same"


def _of_node(node: Data, number: int) -> str:
    if node["pid"] is None:
        return "stopped"
    return "no answer" if node["error"] else "not asked" if node["modules"] is None else count_of(number)


def limited(texts: t.Sequence[str]) -> list[str]:
    return [*texts[:LONGEST], *([f"and {len(texts) - LONGEST} more"] if len(texts) > LONGEST else [])]
