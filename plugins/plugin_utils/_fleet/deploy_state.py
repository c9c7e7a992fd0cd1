# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of the hosts of a deployment, which of their nodes are started and restarted next, and the report at the end. Plain data in and out."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.outcomes import RESTARTED
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.summary import summary_lines
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.upgrade_outcome import has_failed, outcome_of
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.upgrade_state import down_time, shown

Data = t.Mapping[str, t.Any]
HEADER = ["HOST", "BEFORE", "NOW", "SECONDS", "OUTCOME", "STATE", "DOWN", "AT BOOT"]


def deploy_state(
    hosts: t.Sequence[Data], *, check_mode: bool = False, down: str = "fail", max_fail_percentage: float = 0, playing: t.Collection[str] | None = None
) -> dict[str, t.Any]:
    """The state of the hosts. The documentation of the filter deploy_state has the options and the result.

    hosts: of the variables of each, ``_otp_system`` (what otp_target_system returned), ``_otp_system_before_start`` (the same, before the hook start), and
    what the role upgrade knows of a restart.
    """
    systems = [host.get("_otp_system") or {} for host in hosts]
    failed = sum("node" not in system for system in systems)
    goes = not check_mode and failed * 100 <= float(max_fail_percentage) * len(hosts)
    rows = [row(host, check_mode=check_mode, down=down, playing=playing) for host in hosts]
    return {
        "starts": any(node_of(system).get("to_start") for system in systems),
        "to_restart": [host["inventory_hostname"] for host, system in zip(hosts, systems) if goes and node_of(system).get("to_restart")],
        "hosts": [{"outcome": cells[4], **state} for cells, state in rows],
        "is_well": not any(state["is_bad"] for _cells, state in rows),
        "report": [dict(zip(("host", "before", "now", "seconds", "outcome", "reason"), (*cells[:5], state["reason"]))) for cells, state in rows],
        "lines": summary_lines(HEADER, [(cells, state["reason"]) for cells, state in rows]),
    }


def node_of(system: Data) -> Data:
    return system.get("node") or {}


def row(host: Data, *, check_mode: bool, down: str, playing: t.Collection[str] | None) -> tuple[list[t.Any], dict[str, t.Any]]:
    """The cells of a host; and the note below the table, whether it counts as failed, and whether Ansible has shown why."""
    name, system = host["inventory_hostname"], host.get("_otp_system") or {}
    brought = host.get("_otp_system_before_start") or system
    seconds, node = system.get("seconds"), system.get("node")
    if node is None:
        outcome = "unreachable" if system.get("unreachable") else "failed" if has_failed(system) else "not reached"
        return [name, None, None, seconds, outcome, None, None, None], state_of(system.get("msg") or "", is_bad=outcome != "not reached")
    if system.get("is_removed"):
        removed = "would be removed" if check_mode else "removed"
        return [name, system["before"], None, seconds, removed if system["changed"] else "unchanged", "not there", None, "no"], state_of()
    changed = "would change" if check_mode else "changed"
    outcome = changed if system["changed"] or brought["changed"] else "unchanged"
    now = node["release"] if "release" in node else system["before"] if system["pending"] else system["release"]["version"]
    # A restart ends both.
    second = "" if node.get("to_restart") else node_of(brought).get("second_emulator")
    state = state_of("; ".join(filter(None, (second, system["pending"], node.get("note")))))
    without_answer, pid = None, node.get("pid")
    if node.get("to_restart") and check_mode:
        outcome = "would restart"
    elif node.get("to_restart"):
        restart = outcome_of(host, down=down)
        what, why = shown(host, restart, playing)
        outcome = outcome if what == "unchanged" else RESTARTED.get(what, what)
        if outcome == "not restarted":
            why = f"the node runs with an earlier version of {', '.join(node['outdated'])}"
        is_lost = what == "lost"
        state = state_of(
            "; ".join(filter(None, (why, state["reason"]))),
            is_bad=restart["is_bad"] or is_lost,
            is_shown=restart["is_shown"] or is_lost and not restart["is_lost"],
        )
        pid, without_answer = restart["pid"] or pid, down_time(restart)
        seconds = (seconds or 0) + (restart["seconds"] or 0)
    running = f"running, pid {pid}" if pid else "to be started" if node["running"] else "stopped"
    # What a client's host was not asked for.
    running = node.get("state") or running
    return [name, brought["before"], now, seconds, outcome, running, without_answer, system["at_boot"] or "no"], state


def state_of(reason: str = "", *, is_bad: bool = False, is_shown: bool = True) -> dict[str, t.Any]:
    return {"reason": reason, "is_bad": is_bad, "is_shown": is_shown}
