# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of one host whose node was upgraded, restarted, started or stopped, from the results of the role upgrade. Plain data in and out."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.outcomes import BAD

Data = t.Mapping[str, t.Any]

# The variables in which a host has the result of a task: _otp_bring_result and so on.
TASKS = ("inspect", "bring", "install", "commit", "step", "rollback", "reboot", "cleanup")
# The ways of otp_node, of which no release comes.
NODE_WAYS = ("restart", "commit", "start", "stop")
NOTHING_CHANGED = "no file of the node has changed, so there was none to put back"
RESTARTS = "its node would be restarted"
STARTS = "its node is down, and would be started"
ONLY_STARTED = "the node was down, and was only started, so there is no release to go back to"
DOWN = "the node is down"
# Problems that do not end a run, and that an operator is to know before it.
REMARKS = ("second_emulator", "environment")
LEFT_OUT = "none of its tasks was run"
NO_RELEASE = "set otp_upgrade_to to its version, or have it built by the host of the group otp_builders, which --limit must not leave out"


def outcome_of(host: Data, *, down: str = "fail", check_mode: bool = False) -> dict[str, t.Any]:
    """The outcome of one host.

    host: of its variables, ``_otp_batch`` (``began``, whether it ``goes``, and for which hosts their cluster is too ``short``),
    ``_otp_TASK_result`` of each of TASKS,
    ``_otp_steps`` (when all per-host steps had ended), ``_otp_rollback`` (the cause, and when it had ended), ``_otp_cleanup_failure`` (what failed
    at the end), ``_otp_info_result`` (what a rollback knows of the host). down: otp_down.
    Returns ``outcome`` (not reached, refused, unchanged, done, ...), ``reason``, ``before`` and ``now`` (releases), ``pid``, ``back`` (the release that a
    failure leads back to), ``seconds`` from the beginning of the batch, ``down`` (seconds without an answer), ``is_another`` (another emulator runs
    than before), ``can_go`` (the host can be upgraded), ``is_due`` (it can, its batch goes on, and its node has not been changed yet), ``is_lost`` (so it
    is at the end of the run: a task was left out),
    ``is_over`` (nothing is left to do), ``is_bad`` (it counts as failed), ``is_shown`` (a task has failed, so Ansible has shown why), ``no_release`` (why
    no release to change to is known, if none is), ``is_held`` (the run has marked it and not given it back), ``is_back`` (what is rolled back was so).
    """
    result = {task: host.get(f"_otp_{task}_result") or {} for task in TASKS}
    batch, info = host.get("_otp_batch") or {}, host.get("_otp_info_result") or {}
    # A host that was refused or not reached before its batch is not asked again.
    asked = (result["bring"], result["inspect"], info if info.get("unreachable") else {})
    bring = result["bring"] = next((each for each in asked if each and not each.get("skipped")), {})
    known = bring.get("before") or {}
    permanent = known.get("permanent") or ""
    # otp_node has asked, and not otp_release_handler.
    is_node = "outdated" in bring
    # A release that was installed and not committed runs, and is not permanent.
    before = known.get("running") or ("" if is_node else permanent or (info.get("permanent") or {}).get("release") or "")
    after = next((each["after"] for each in map(result.get, ("rollback", "step", "commit", "install")) if each and each.get("after")), known)
    # Hosts of one batch may have different ones.
    short = (batch.get("short") or {}).get(host.get("inventory_hostname")) or ""
    found = after_bring(bring, str(host.get("otp_down", down)), short) | after_install(result["install"])
    found |= after_steps(host.get("_otp_steps") or {}, bring, result)
    rollback = host.get("_otp_rollback") or {}
    failure = rollback_failure(result, None if is_node or known.get("running") is None else permanent)
    found |= after_rollback(rollback, result, found.get("reason", ""), failure)
    found |= after_cleanup(found, host.get("_otp_cleanup_failure") or {}, [result[task] for task in ("bring", "install", "cleanup")])
    outcome, ended = found["outcome"], found.get("ended")
    can_go = outcome == "unchanged" and bring.get("way") not in (None, "none")
    is_due = can_go and bool(batch.get("goes")) and not check_mode
    # Where a host is unchanged, hooks and gates may still be due: an interrupted run may have left them out.
    has_steps = bool(bring.get("has_steps")) and not check_mode
    reached = {"done": bring.get("release"), "not finished": bring.get("release"), "failed": "?", "rolled back": after.get("running") if is_node else permanent}
    return {
        "outcome": "would change" if can_go and check_mode else outcome,
        "reason": "; ".join(filter(None, (foreseen(bring) if can_go and check_mode else found.get("reason"), *remarks(bring), *kept_beside(result.values())))),
        "before": before,
        "back": permanent,
        # In check mode, the release that it would run then.
        "now": bring.get("release") if can_go and check_mode else reached.get(outcome, before),
        "pid": after.get("pid"),
        "seconds": ended - batch["began"] if ended and batch else None,
        "down": sum(each.get("unreachable_seconds") or 0 for each in result.values()),
        # For how long is not known, where the emulator has ended by itself.
        "is_another": bool(known.get("pid")) and after.get("pid") not in (None, known.get("pid")),
        "can_go": can_go,
        "is_due": is_due,
        "is_lost": can_go and not check_mode and bool(batch) and batch.get("goes", True),
        "is_over": not host.get("_otp_steps") if outcome in ("done", "down, left alone") else outcome == "unchanged" and not is_due and not has_steps,
        "is_bad": outcome in BAD,
        # Where its batch is rolled back, no task on the host has failed.
        "is_shown": any(map(has_failed, result.values()))
        or bool(host.get("_otp_cleanup_failure") or rollback and (not failure or "task" in rollback["cause"])),
        "no_release": no_release(info),
        "is_back": not failure,
        "is_held": ([False] + [each["held"] for each in result.values() if "held" in each])[-1],
    }


def kept_beside(results: t.Iterable[Data]) -> list[str]:
    """What the permanent release has replaced on the host."""
    problems = [problem for result in results for problem in result.get("problems") or [] if problem["kind"] == "kept_beside"]
    return [*dict.fromkeys(f"{problem['cause']}. {problem['remedy']}." for problem in problems)]


def after_bring(bring: Data, down: str, short: str = "") -> dict[str, t.Any]:
    """Whether the host can be upgraded. short: why its cluster cannot be without it."""
    if not bring:
        return {"outcome": "not reached"}
    has_way = bring.get("failed") or bring.get("way") in NODE_WAYS
    is_down = bring.get("unreachable") or not has_way and (bring.get("before") or {}).get("running") is None
    if down == "skip" and is_down:
        return {"outcome": "down, left alone"}
    if bring.get("unreachable") or bring.get("failed"):
        return {"outcome": "refused", "reason": refusal(bring)}
    if short and bring.get("way") not in (None, "none"):
        return {"outcome": "refused", "reason": short}
    return {"outcome": "unchanged", "reason": DOWN if bring.get("way") == "none" and is_down else ""}


def foreseen(bring: Data) -> str:
    """What would happen to the node of a host that can be upgraded."""
    return RESTARTS if bring.get("restarted") else STARTS if bring.get("way") == "start" else ""


def remarks(bring: Data) -> list[str]:
    """The way through releases in between; what was found on the host that the run leaves as it is."""
    between = [] if bring.get("failed") else bring.get("between") or []
    way = [f"its way is {' -> '.join(map(str, [bring['before']['running'], *between, bring['release']]))}, without a restart"] if between else []
    return way + [f"{problem['cause']}. {problem['remedy']}." for problem in bring.get("problems") or [] if problem["kind"] in REMARKS]


def after_install(install: Data) -> dict[str, t.Any]:
    """What the one task that installs and commits did; nothing when it did not run."""
    if not install or install.get("skipped"):
        return {}
    if has_failed(install):
        return {"outcome": "failed", "reason": f"{'Change the node' if 'outdated' in install else 'Install the release'}: {message(install)}"}
    return {"outcome": "done", "ended": install["ended"]}


def after_steps(steps: Data, bring: Data, result: t.Mapping[str, Data]) -> dict[str, t.Any]:
    """What all steps did. The operator may have left out the one that counts (--step)."""
    known = [result[task]["after"] for task in ("step", "commit") if result[task].get("after")]
    is_done = bool(known) if "outdated" in bring else any(after["permanent"] == bring["release"] for after in known)
    return {"outcome": "done", "ended": steps["ended"]} if steps and is_done else {}


def last_of_rollback(result: t.Mapping[str, Data]) -> Data:
    was_rebooted = result["reboot"] and not result["reboot"].get("skipped")
    return result["reboot" if was_rebooted else "rollback"]


def rollback_failure(result: t.Mapping[str, Data], release: str | None) -> str:
    """Why the node is not where it was, if so. release: what it is to run; None if that does not matter."""
    last = last_of_rollback(result)
    if not last or has_failed(last):
        return message(last) if last else LEFT_OUT
    # It may be down, or have come up on yet another release.
    runs = (last.get("after") or {}).get("running")
    return "" if release in (None, runs) else f"the node runs {runs or 'no release'}"


def after_rollback(rollback: Data, result: t.Mapping[str, Data], reason: str, failure: str) -> dict[str, t.Any]:
    """Where the node is after a rollback. reason: why the installation failed, if it did; failure: why the rollback did."""
    if not rollback:
        return {}
    reason, last = cause(rollback["cause"]) or reason, last_of_rollback(result)
    at = result["step"].get("release")
    if reason and at in (result["bring"].get("between") or []) and f"release {at}" not in reason:
        reason = f"release {at}: {reason}"
    if failure:
        return {"outcome": "failed", "reason": f"{reason}; and the rollback failed: {failure}", "ended": rollback["ended"]}
    if result["bring"].get("way") == "start" and "outdated" not in result["bring"]:
        return {"outcome": "failed", "reason": f"{reason}; {ONLY_STARTED}", "ended": rollback["ended"]}
    changed = result["step"] or result["install"]
    if changed.get("restarted") and "outdated" in changed and not (changed["rolled_back"] or last.get("rolled_back")):
        return {"outcome": "failed", "reason": f"{reason}; {NOTHING_CHANGED}", "ended": rollback["ended"]}
    return {"outcome": "rolled back", "reason": reason, "ended": rollback["ended"]}


def after_cleanup(found: Data, failure: Data, results: t.Iterable[Data]) -> dict[str, t.Any]:
    """What is not finished: a hook that failed at the end, or an old release that could not be removed."""
    reasons = [cause(failure)] if failure else []
    if found["outcome"] in ("unchanged", "done"):
        problems = [problem for result in results for problem in result.get("problems") or [] if problem["kind"] == "not_removed"]
        reasons += dict.fromkeys(f"{problem['cause']}. {problem['remedy']}." for problem in problems)
    if not reasons:
        return {}
    return {
        "outcome": found["outcome"] if found["outcome"] in BAD else "not finished",
        "reason": "; ".join(filter(None, (found.get("reason"), *reasons))),
    }


def cause(failure: Data) -> str:
    """Why something failed: ``reason``, or ``task`` and ``result`` of the task that failed, with each item of its loop that did."""
    result = failure.get("result") or {}
    items = [f"{item_name(item.get('item'))}: {message(item)}" for item in result.get("results") or [] if has_failed(item)]
    return failure.get("reason") or (f"{failure['task']}: {', '.join(items) or message(result)}" if failure else "")


def item_name(item: t.Any) -> str:
    """A gate by its name, its URL or its command; any other item of a loop as it is."""
    return str(next((item[key] for key in ("name", "url", "command") if key in item), item) if isinstance(item, t.Mapping) else item)


def refusal(bring: Data) -> str:
    """Why the host cannot be upgraded."""
    return message(bring) + (f" (otp_upgrade_to is {bring['release']})" if bring.get("needs_package") else "")


def no_release(info: Data) -> str:
    """Why no release to change to is known. info: what otp_release_info knows of a host that a rollback leads nowhere."""
    if "previous" not in info or info.get("failed"):
        return f"no release to change to is known: {info.get('msg') or NO_RELEASE}"
    permanent = (info.get("permanent") or {}).get("release")
    if permanent is None:
        return "there is nothing to roll back to: no system is installed below otp_root"
    others = [entry["version"] for entry in info.get("releases") or [] if entry["version"] != permanent]
    remedy = f"set otp_upgrade_to to one of those that are installed: {', '.join(others)}" if others else "no other one is installed"
    return f"there is nothing to roll back to: no release before {permanent} is known, {'so ' if others else 'and '}{remedy}"


def has_failed(result: Data) -> bool:
    return bool(result.get("failed") or result.get("unreachable"))


def message(result: Data) -> str:
    """Why a task failed."""
    text = str(result.get("msg") or "it failed").removeprefix("Task failed: ")
    return f"the host cannot be reached: {text}" if result.get("unreachable") else text
