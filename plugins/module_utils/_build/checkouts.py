# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Git checkouts on the build host: which revision they have, asked of git without running anything that a checkout brings."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.run import run

LIMIT = 60.0
# No protocol: a partial clone would fetch what it lacks, by a program that its configuration names. Nothing is written, not even the index.
ENVIRONMENT = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
NOTHING_RUNS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
REVISION = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
FILTER = re.compile(r"filter\.[\w.-]+\.[a-z]+")
# A line of git status --porcelain=v2 for a file that differs from the revision, or that the revision does not have.
DIFFERS = re.compile(r"^[12u?] ", re.MULTILINE)


class Checkout(t.NamedTuple):
    """directory: its top. revision: the commit that is checked out. dirty: whether files differ from it, or are not in it; None if git cannot say."""

    directory: str
    revision: str
    dirty: bool | None


def top_of(directory: str) -> str:
    """The top of the checkout that has the directory; empty if none has it."""
    place = os.path.realpath(directory)
    while not os.path.exists(os.path.join(place, ".git")):
        if place == os.path.dirname(place):
            return ""
        place = os.path.dirname(place)
    return place


def read_checkout(top: str) -> Checkout:
    """What git says of it. Raises OtpError where git is not installed, or refuses the checkout."""
    code, answer = _git(top, "rev-parse", "--verify", "HEAD")
    if code or not REVISION.fullmatch(answer):
        raise OtpError(f"the git revision of {top} is not known: {answer or 'git says nothing'}.")
    return Checkout(top, answer, _is_dirty(top))


def _is_dirty(top: str) -> bool | None:
    code, answer = _git(top, "config", "--name-only", "--get-regexp", r"^filter\.")
    filters = answer.splitlines() if not code else []
    # git runs the filters of a checkout to compare files with the index. Without them, files compare as they are.
    if code > 1 or not all(map(FILTER.fullmatch, filters)):
        return None
    names = sorted({name.rpartition(".")[0] for name in filters})
    without = [word for name in names for key in ("clean=", "process=", "required=false") for word in ("-c", f"{name}.{key}")]
    code, answer = _git(top, *without, "status", "--porcelain=v2", "--untracked-files=normal", "--ignore-submodules=dirty")
    return DIFFERS.search(answer) is not None if not code else None


def _git(top: str, *arguments: str) -> tuple[int, str]:
    home = {"HOME": os.environ["HOME"]} if "HOME" in os.environ else {}
    return run(["git", "-C", top, *NOTHING_RUNS, *arguments], timeout=LIMIT, environment={**ENVIRONMENT, **home})
