# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has become of a host in an upgrade, from what the tasks of the role upgrade said of it. Plain data in and out."""

from __future__ import annotations

import re
import typing as t

Data = t.Mapping[str, t.Any]

NOTHING_TO_DO = ("unchanged", "down, left alone")
# An operator says these options of otp_release_handler by variables of the role.
OPTIONS = re.compile(r"\b(with|until) (force|allow_restart|down)\b")
NO_RELEASE = "set otp_upgrade_to to its version, or have it built by the host of the group otp_builders"


def outcome_of(host: Data, *, down: str = "fail") -> dict[str, t.Any]:
    """The outcome of one host.

    host: of its variables, ``_otp_batch`` (when it began), ``_otp_brought`` and ``_otp_went`` (what otp_release_handler said when the
    release was brought, and installed), ``_otp_said`` (what came after that, outcome and reason), ``_otp_installed`` (a rollback's
    question). down: otp_down.
    Returns ``outcome`` (not reached, refused, unchanged, done, ...), ``reason``, ``before`` and ``now`` (releases), ``seconds`` from the
    beginning of the batch, ``down`` (seconds without an answer), ``is_due`` (the host is to go), ``is_over`` (it has no steps of its
    operator's, and no more to do), ``is_lost`` (it was to go, and nothing came of it).
    """
    brought, went, said = (host.get(f"_otp_{name}") or {} for name in ("brought", "went", "said"))
    batch = host.get("_otp_batch") or {}
    before = (brought.get("before") or {}).get("permanent") or ""
    verdict = {**judged(brought, host.get("_otp_installed") or {}, down), **gone(went), **said}
    outcome = verdict["outcome"]
    is_due = outcome == "unchanged" and brought.get("way") not in (None, "none")
    ended = verdict.get("ended")
    return {
        "outcome": outcome,
        "reason": verdict.get("reason", ""),
        "before": before,
        "now": {"done": brought.get("release"), "not finished": brought.get("release"), "failed": "?"}.get(outcome, before),
        "ended": ended,
        "seconds": ended - batch["began"] if ended and batch and outcome != "unchanged" else None,
        "down": verdict.get("down") or 0,
        "is_due": is_due,
        "is_over": not said and (outcome == "done" or outcome in NOTHING_TO_DO and went.get("false_condition") == "_otp_is_due"),
        "is_lost": is_due and bool(batch.get("goes")),
    }


def judged(brought: Data, installed: Data, down: str) -> dict[str, t.Any]:
    """Whether the host can go."""
    if not brought:
        return {"outcome": "not reached"}
    if brought.get("unreachable"):
        left_alone = {"outcome": "down, left alone"}
        return left_alone if down == "skip" else {"outcome": "refused", "reason": unreachable(brought)}
    if brought.get("failed"):
        return {"outcome": "refused", "reason": refusal(brought, installed)}
    if down == "skip" and (brought.get("before") or {}).get("running") is None:
        return {"outcome": "down, left alone"}
    return kept({"outcome": "unchanged"}, brought)


def gone(went: Data) -> dict[str, t.Any]:
    """What became of the one task that installs and commits; nothing when it did not run."""
    if not went or went.get("skipped"):
        return {}
    if went.get("failed") or went.get("unreachable"):
        reason = unreachable(went) if went.get("unreachable") else in_words_of_the_role(went.get("msg", "it failed"))
        return {"outcome": "failed", "reason": f"Install the release: {reason}"}
    return kept({"outcome": "done", "ended": went["ended"], "down": went.get("unreachable_seconds")}, went)


def kept(verdict: dict[str, t.Any], said: Data) -> dict[str, t.Any]:
    """The same, or that a release of old could not be removed."""
    causes = [f"{problem['cause']}. {problem['remedy']}." for problem in said.get("problems") or [] if problem["kind"] == "not_removed"]
    return {**verdict, "outcome": "not finished", "reason": causes[0]} if causes else verdict


def refusal(brought: Data, installed: Data) -> str:
    """Why the host cannot go."""
    release = brought.get("release")
    if not release:
        if installed.get("unreachable"):
            return unreachable(installed)
        return f"there is no release to go to: {installed.get('msg') or NO_RELEASE}"
    reason = in_words_of_the_role(brought.get("msg", "it failed"))
    is_unknown = brought.get("needs_package") or "give its package" in reason
    return f"{reason} (otp_upgrade_to is {release})" if is_unknown else reason


def unreachable(said: Data) -> str:
    return f"the host cannot be reached: {said.get('msg', '')}"


def in_words_of_the_role(text: str) -> str:
    return OPTIONS.sub(r"\1 otp_\2", text)
