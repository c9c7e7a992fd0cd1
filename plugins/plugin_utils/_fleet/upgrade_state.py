# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What follows for a batch, and for the whole run, from the outcomes of its hosts; and the report at the end. Plain data in and out."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.cluster import broken_gate, reports_before, running, shortages
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.summary import summary_lines
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.upgrade_outcome import Data, outcome_of

HELD_BACK = "another host of its batch was refused, so no node of the batch was changed"
LEFT_OUT = "a task of the run was left out (--step). Run the playbook again: it goes on from where the host is."
LOST = "Ansible could not go on with the host, see above. Run the playbook again: it goes on from where the host is."


def upgrade_state(
    hosts: t.Sequence[Data],
    *,
    down: str = "fail",
    check_mode: bool = False,
    max_fail_percentage: float = 0,
    playing: t.Collection[str] | None = None,
    serial: t.Any = 1,
) -> dict[str, t.Any]:
    """The state of these hosts, which are a batch or the fleet. The documentation of the filter upgrade_state has the options and the result."""
    outcomes = [outcome_of(host, down=str(down), check_mode=check_mode) for host in hosts]
    batch: Data = next((host["_otp_batch"] for host in hosts if host.get("_otp_batch")), {})
    # As they were when the batch was decided on; before that, as they are.
    short = batch["short"] if "short" in batch else shortages(hosts, outcomes)
    broken = batch.get("broken") or broken_gate(hosts)

    def too_many(count: int) -> bool:
        return count * 100 > float(max_fail_percentage) * len(outcomes)

    stop = next((str(host["_otp_stop"]) for host in hosts if host.get("_otp_stop")), "")
    rows = [row(host, outcome, playing) for host, outcome in zip(hosts, outcomes)]
    return {
        "hosts": outcomes,
        "is_refused": too_many(sum(outcome["outcome"] == "refused" for outcome in outcomes)),
        "is_failed": bool(short or broken) or too_many(sum(outcome["is_bad"] or outcome["is_due"] for outcome in outcomes)),
        "short": short,
        "broken": broken,
        "running": running(hosts),
        "watched": [host.get("inventory_hostname") for host in hosts if host.get("_otp_watch")],
        "reports_before": reports_before(hosts),
        "has_failed": any(outcome["outcome"] in ("rolled back", "failed") for outcome in outcomes),
        "is_over": all(outcome["is_over"] for outcome in outcomes),
        "is_well": not any(outcome["is_bad"] or outcome["is_lost"] for outcome in outcomes) and not stop,
        "stop": stop,
        "cause": next((cause for host, outcome in zip(hosts, outcomes) if (cause := cause_of(host, outcome))), ""),
        "is_reached": all(host.get("_otp_batch") and not outcome["is_lost"] for host, outcome in zip(hosts, outcomes)),
        "is_one_batch": is_one_batch(serial, len(hosts)),
        "report": [
            dict(zip(("host", "before", "now", "seconds", "outcome", "down", "reason"), (*cells, reason or (stop if cells[4] == "not reached" else ""))))
            for cells, reason in rows
        ],
        "lines": summary_lines(["HOST", "BEFORE", "NOW", "SECONDS", "OUTCOME", "DOWN"], rows),
    }


def cause_of(host: Data, outcome: Data) -> str:
    """In one line, why runs beside this one are to stop: what has failed on the host; empty if nothing has."""
    if not outcome["is_bad"]:
        return ""
    reason = outcome["reason"].split("\n")[0]
    return clean(f"{host.get('inventory_hostname')}: {outcome['outcome']}: {reason}")


def row(host: Data, outcome: Data, playing: t.Collection[str] | None) -> tuple[list[t.Any], str]:
    """The cells of a host, and the reason below the table."""
    what, reason = shown(host, outcome, playing)
    now = outcome["before"] if what == "held back" else outcome["now"]
    if what == "lost":
        now = found_at_the_end(host, "?" if outcome["is_lost"] else outcome["before"])
    if what == "not reached":
        now = found_at_the_end(host, outcome["before"])
        reason = f"it runs {now} now, which this run has not done" if outcome["before"] and now not in ("", outcome["before"]) else reason
    return [host.get("inventory_hostname"), outcome["before"], now, outcome["seconds"], what, down_time(outcome)], reason


def down_time(outcome: Data) -> str | None:
    """For how long the node has not answered, "?" where that is not known."""
    return f"{outcome['down']:.1f} s" if outcome["down"] else "?" if outcome["is_another"] else None


def found_at_the_end(host: Data, before: str) -> str:
    """The release of a host that the run did not come to, as otp_release_info found it at the end; else as it was."""
    asked = host.get("_otp_found_result") or {}
    if "permanent" not in asked:
        return before
    running = asked.get("running") or {}
    is_up = running.get("pid") is not None
    return str((running.get("release") or "?") if is_up else (asked["permanent"] or {}).get("release") or "")


def shown(host: Data, outcome: Data, playing: t.Collection[str] | None) -> tuple[str, str]:
    """The outcome of the host as the report has it, and its reason."""
    what, reason = outcome["outcome"], outcome["reason"]
    if what in ("unchanged", "would change"):
        if not host.get("_otp_batch"):
            return "not reached", ""
        if outcome["can_go"] and not host["_otp_batch"].get("goes", True):
            return "held back", HELD_BACK
        if playing is not None and host.get("inventory_hostname") not in playing:
            return "lost", LOST
        if outcome["is_lost"]:
            return "lost", LEFT_OUT
    return what, reason


def is_one_batch(serial: t.Any, count: int) -> bool:
    """Whether the first batch has all of so many hosts. serial: a number, a percentage, or a list of these; 0 is all."""
    first = str(serial[0] if isinstance(serial, (list, tuple)) else serial)
    size = int(first.rstrip("%")) * count // 100 if first.endswith("%") else int(first)
    return first == "0" or count <= max(1, size)
