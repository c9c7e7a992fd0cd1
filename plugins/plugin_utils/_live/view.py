# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run is known to have done so far, for one line a host. Events in, plain data out; nothing here knows Ansible or a terminal.

Release and outcome of a host come from the results of the roles' tasks, by the same rules as the report at the end (``_fleet``).
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import clean
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.deploy_state import row as deployed
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.outcomes import BAD
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.upgrade_outcome import outcome_of
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.upgrade_state import shown

# The variables of a host from which these rules derive its outcome.
OURS = "_otp_"
DEPLOY_FAILED = ("failed", "unreachable")
# What follows from a result before its host has an outcome.
UNDECIDED = ("not reached", "unchanged")


@dataclasses.dataclass
class Host:
    """One line. began: when the step began, of time.monotonic(), or None while nothing is done for the host."""

    name: str
    before: str = ""
    after: str = ""
    step: str = ""
    began: float | None = None
    outcome: str = ""
    seconds: float | None = None
    is_bad: bool = False
    reason: str = ""
    task: str = ""
    has_run: bool = False
    has_ended_task: bool = False
    results: dict[str, t.Any] = dataclasses.field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        return self.began is not None


class View:
    """The hosts of a run, in the order of the inventory."""

    def __init__(self, *, check_mode: bool = False) -> None:
        self.hosts: dict[str, Host] = {}
        self.batch: list[str] = []
        self.play = self.task = ""
        self.check_mode = check_mode

    def host(self, name: str) -> Host:
        return self.hosts.setdefault(name, Host(name))

    def begin_batch(self, play: str, batch: t.Sequence[str], hosts: t.Sequence[str]) -> None:
        """A play begins, with one of its batches. hosts: all of the play. Of earlier plays, the hosts stay whose outcome is known."""
        self.play, self.batch = one_line(play), list(batch)
        kept = {name for name, host in self.hosts.items() if host.outcome or host.is_bad}
        known = {name: self.host(name) for name in [*self.hosts, *hosts, *batch] if name in kept or name in {*hosts, *batch}}
        self.hosts = known
        for host in known.values():
            host.began, host.task = None, ""
            host.step = "" if host.outcome or host.is_bad else "waiting"

    def begin_task(self, task: str) -> None:
        """A task begins, for some hosts of the batch."""
        self.task = one_line(task)
        for host in self.hosts.values():
            host.has_ended_task = False

    def begin(self, name: str, task: str, now: float) -> None:
        """A task begins for the host. If one has failed there before, that was rescued."""
        host = self.host(name)
        host.task = host.step = one_line(task)
        host.began = now
        host.has_run = True
        host.is_bad = host.is_bad and bool(host.outcome)

    def report(self, name: str, text: str, now: float) -> None:
        """A step within the task. The same one with other numbers goes on."""
        host = self.hosts.get(name)
        if host and host.is_active:
            text = one_line(text)
            if re.sub(r"\d+", "", host.step) != re.sub(r"\d+", "", text):
                host.began = now
            host.step = text

    def end(self, name: str, result: t.Mapping[str, t.Any], *, variable: str = "", facts: t.Mapping[str, t.Any] | None = None, shared: bool = False) -> None:
        """A task has ended for the host. variable: in which Ansible keeps the result; facts: what it sets; shared: for all hosts of the batch (run_once)."""
        host = self.host(name)
        host.began, host.step = None, ""
        host.has_ended_task = True
        found = {key: value for key, value in {**(facts or {}), **({variable: result} if variable else {})}.items() if key.startswith(OURS)}
        if found:
            for each in [*map(self.host, self.batch)] if shared else [host]:
                each.results.update(found)
                self.decide(each)

    def fail(self, name: str, reason: str) -> None:
        """A task of the host has failed, and that is not ignored."""
        host = self.host(name)
        host.is_bad = True
        host.reason = host.reason or one_line(reason)

    def decide(self, host: Host) -> None:
        """Release and outcome, from the results so far."""
        variables = {"inventory_hostname": host.name, **host.results}
        if host.results.get("_otp_system"):
            cells, state = deployed(variables, check_mode=self.check_mode, down="fail", playing=None)
            _name, before, now, seconds, outcome = cells[:5]
            reason, is_bad = state["reason"], state["is_bad"] or outcome in DEPLOY_FAILED
        else:
            found = outcome_of(variables, check_mode=self.check_mode)
            before, seconds, outcome, reason, is_bad = (found[key] for key in ("before", "seconds", "outcome", "reason", "is_bad"))
            bring = host.results.get("_otp_bring_result") or host.results.get("_otp_inspect_result") or {}
            now = found["now"] if outcome not in UNDECIDED else bring.get("release") or found["now"]
            # It is not at its end while the batch may still change it.
            if outcome in UNDECIDED and (found["can_go"] or not host.results.get("_otp_bring_result")):
                outcome = ""
        host.before, host.after = one_line(before), one_line(now)
        host.outcome, host.seconds, host.is_bad, host.reason = outcome, seconds, is_bad or outcome in BAD, one_line(reason) if is_bad else ""

    def finish(self, bad: t.Collection[str]) -> None:
        """The run has ended. bad: the hosts that Ansible counts as failed or unreachable."""
        for host in self.hosts.values():
            host.began, host.task = None, ""
            host.step = ""
            host.is_bad = host.is_bad and bool(host.outcome) or host.name in bad
            if not host.outcome and not host.is_bad:
                known, host.after = {"inventory_hostname": host.name, **host.results}, host.before
                host.outcome = shown(known, outcome_of(known), None)[0] if host.results else "ok" if host.has_run else "not reached"


def one_line(text: t.Any) -> str:
    """The text in one line, as a terminal may show it: it may be of a hostile host."""
    return " ".join(clean(str(text or "").replace("\r", "\n")).split())
