# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose a system is while a run upgrades it or restarts its node, ``releases/upgrading.json``: a run is several calls of a module, with gates in between.

A lease, as that of Kubernetes: it has a holder, each call of the holder renews it, and it expires. The service user can write the file. So it is read as
data from anywhere, and what it says costs at most a refusal.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory, read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import from_json
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

MARK = "upgrading.json"
LIMIT = 4096
# Seconds, a week.
LONGEST = 7 * 24 * 3600
MAX_TEXT = 200
FUTURE = 1 << 36


# The options of a module that says who calls it.
CLAIM_ARGUMENTS = {**{name: {"type": "str"} for name in ("operator", "take_over", "_run", "_ended_run")}, "_is_held": {"type": "bool", "default": False}}
GONE = (
    "the mark of this run is gone, so another run has worked on the system meanwhile. This run does nothing more here."
    " Run the playbook again: it goes on from where the host is."
)


class Claim(t.NamedTuple):
    """Who wants to work on the system, and whose marks do not count: an operator's, and that of a run that is known to have ended.

    is_held: the run has marked the system before.
    """

    operator: str = ""
    run: str = ""
    take_over: str = ""
    ended_run: str = ""
    is_held: bool = False


class Held(OtpError):
    """The system is another run's; ``result`` is for that of the module."""

    def __init__(self, mark: Mark) -> None:
        super().__init__(str(mark))
        self.result = {"held_by": mark.described()}


class Mark(t.NamedTuple):
    """operator: such as ``alice@laptop``; run: of ansible-playbook, its process first; doing: such as ``restarting the node``.

    Times in seconds since 1970; seconds: for how long from renewed.
    """

    operator: str
    run: str
    doing: str
    since: int
    renewed: int
    seconds: int

    def counts(self, now: float | None = None) -> bool:
        """Whether it has not expired. A clock that was set back makes no mark last longer than twice its time."""
        return abs((time.time() if now is None else now) - self.renewed) < self.seconds

    def described(self) -> dict[str, str]:
        """The mark as plain data."""
        return {
            "operator": self.operator,
            "run": self.run,
            "doing": self.doing,
            "since": time_text(self.since),
            "until": time_text(self.renewed + self.seconds),
        }

    def __str__(self) -> str:
        what = self.described()
        return (
            f"{self.operator} has been {self.doing} since {what['since']} (process {self.run.partition('-')[0]} there)."
            f" Wait until that run has ended, or until the mark expires at {what['until']}; if it will never end, set {named('take_over')} to {self.operator}."
        )


def time_text(seconds: int) -> str:
    """In UTC, as the history has its times."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def read_mark(tree: Tree, *, now: float | None = None) -> Mark | None:
    """The mark of the system; None if it has none, or one that has expired. Raises OSError, and OtpError for what is not a file of this size."""
    mark = _read(tree)
    return mark if mark and mark.counts(now) else None


def _read(tree: Tree) -> Mark | None:
    content = read_file(tree.path("releases", MARK), limit=LIMIT)
    return parse(content) if content else None


def claim_of(params: dict[str, t.Any]) -> Claim:
    """The claim in the parameters of a module that has CLAIM_ARGUMENTS."""
    operator, run, take_over, ended_run = (params[name] or "" for name in ("operator", "_run", "take_over", "_ended_run"))
    return Claim(operator, run, take_over, ended_run, params["_is_held"])


def check_claim(tree: Tree, claim: Claim) -> Mark | None:
    """The mark of the run that makes the claim, None if it has none. Raises Held if the system is another run's, and OtpError if it was, after this one's."""
    mark = _read(tree)
    if mark is not None and mark.run == claim.run:
        return mark
    if mark is not None and mark.counts() and (claim.is_held or (mark.operator != claim.take_over and mark.run != claim.ended_run)):
        raise Held(mark)
    if claim.is_held:
        raise OtpError(GONE)
    return None


def parse(content: bytes) -> Mark | None:
    """The mark in the content of the file; None for anything else."""
    try:
        found = from_json(content)
        mark = Mark(**found)
    except (ValueError, TypeError):
        return None
    is_mark = all(map(_is_text, mark[:3])) and all(map(_is_number, mark[3:])) and 0 < mark.seconds <= LONGEST
    return mark if is_mark else None


def _is_text(value) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable()


def _is_number(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < FUTURE


def write_mark(tree: Tree, claim: Claim, doing: str, seconds: float, *, renewed: Mark | None = None) -> None:
    """Mark the system for the run, or renew its mark. doing: as of Mark."""
    import json  # not needed where nothing is upgraded

    now = int(time.time())
    mark = Mark(claim.operator[:MAX_TEXT], claim.run, doing[:MAX_TEXT], renewed.since if renewed else now, now, max(1, min(int(seconds), LONGEST)))
    tree.file_options().file(tree.path("releases", MARK), json.dumps(mark._asdict()).encode() + b"\n")


def remove_mark(tree: Tree) -> None:
    """Remove the mark."""
    path = tree.path("releases", MARK)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        flush_directory(os.path.dirname(path))
