# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happened to the releases of a system, in ``$ROOT/releases/history.jsonl``: a line for each action, the newest last.

It also shows which releases failed on this host, and which one is installed and not yet committed.
"""

from __future__ import annotations

import json
import os
import stat
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import NOT_A_FILE, flush_directory, inherited_owner, read_end
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import from_json
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

HISTORY = "history.jsonl"
OK = "ok"
FAILED = "failed"
# Nothing has changed, and the release is not the reason.
REFUSED = "refused"
# Actions that start a release, or roll one back on purpose.
_MOVES = ("install", "commit", "reboot", "offline")
# A release is booted, and it is not known yet whether it comes up.
TRIAL = "boot"
# Actions that make a release permanent.
COMMITS = ("commit", "reboot", "offline")
_TEXTS = ("time", "action", "release", "outcome", "reason")
# Of the file's end: thousands of actions.
BYTES = 1 << 20


def entry_of(action: str, release: str, *, outcome: str = OK, reason: str = "", before: str | None = None, **more: t.Any) -> dict[str, t.Any]:
    """An entry with the current time. before: the release that ran; more: other facts, such as process numbers."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"time": now, "action": action, "release": release, "from": before, "outcome": outcome, "reason": reason, **more}


def append(tree: Tree, entry: dict[str, t.Any]) -> None:
    """Add the entry and flush it to the disk. A new file gets the owner of the directory. Raises OtpError if there is something else than a file."""
    path = tree.path("releases", HISTORY)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OtpError(NOT_A_FILE.format(path))
        size = found.st_size
        if not size:
            # A new one, or one that a killed run has left.
            os.fchown(descriptor, *inherited_owner(os.path.dirname(path)))
        # A line that a power cut has left unfinished must not swallow this one.
        start = b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""
        line = memoryview(start + json.dumps(entry, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n")
        while line:
            # A disk that is nearly full takes a part, without an error.
            line = line[os.write(descriptor, line) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if not size:
        flush_directory(os.path.dirname(path))


def read(tree: Tree) -> list[dict[str, t.Any]]:
    """The entries, oldest first, of the end of the file. Other lines are left out."""
    return parse(read_end(tree.path("releases", HISTORY), BYTES) or b"")


def parse(content: bytes) -> list[dict[str, t.Any]]:
    """The entries in the content of the file."""
    entries = []
    for line in content.split(b"\n"):
        try:
            entry = from_json(line.decode("utf-8", "surrogateescape"))
        except ValueError:
            continue
        if _is_entry(entry):
            entries.append(entry)
    return entries


def _is_entry(entry) -> bool:
    """Whether it is like one of entry_of(): texts, of which the release before may be null, and single values."""
    return (
        isinstance(entry, dict)
        and all(isinstance(entry.get(key), str) for key in _TEXTS)
        and "from" in entry
        and isinstance(entry["from"], (str, type(None)))
        and not any(isinstance(value, (dict, list)) for value in entry.values())
    )


def failure_of(entries: t.Sequence[dict[str, t.Any]], release: str) -> dict[str, t.Any] | None:
    """The entry of the release's failure on this host; None if it did not fail, or has succeeded or been removed since."""
    for entry in reversed(entries):
        if entry["release"] == release:
            if entry["outcome"] == FAILED and entry["action"] not in ("remove", "unpack", "reboot"):
                return entry
            if entry["action"] in ("install", "commit", "remove", "offline") and entry["outcome"] == OK:
                return None
    return None


def came_through(entries: t.Sequence[dict[str, t.Any]], release: str) -> list[str | None]:
    """The releases through which the system came to this one when it became permanent the last time, the last one first; none if unknown.

    The one at the end was permanent before.
    """
    for number, entry in reversed([*enumerate(entries)]):
        if entry["release"] == release and entry["action"] in COMMITS and entry["outcome"] == OK:
            installed = uncommitted(entries[:number])
            is_way = installed is not None and installed["release"] == release
            return uncommitted_way(entries[:number]) if is_way else [entry["from"]]
    return []


def missing_commit(entries: t.Sequence[dict[str, t.Any]], permanent: str, old: t.Sequence[str]) -> str | None:
    """The release from which the system came to the permanent one, if that is not in the history, as a run may be killed before it adds it; else None."""
    installed = uncommitted(entries)
    if installed is not None and installed["release"] == permanent:
        return uncommitted_way(entries)[-1]
    committed = next((entry["release"] for entry in reversed(entries) if entry["action"] in COMMITS and entry["outcome"] == OK), None)
    if committed is None and len(old) == 1 and not any(entry["action"] in _MOVES for entry in entries):
        # A release that was rolled back is old as well; the history has its installation.
        return old[0]
    return committed if committed != permanent else None


def has_removal(entries: t.Sequence[dict[str, t.Any]], release: str) -> bool:
    """Whether the history ends with the removal of the release, or has nothing of it."""
    last = next((entry for entry in reversed(entries) if release in (entry["release"], entry["from"])), None)
    return last is None or last["action"] == "remove"


def previous(entries: t.Sequence[dict[str, t.Any]], permanent: str | None, old: t.Sequence[str]) -> str | None:
    """The release that a rollback leads to: the permanent one, if another is installed and not committed; else of the old ones the nearest below
    the permanent one on the path of upgrades. None if unknown.

    Rollbacks do not count: after upgrades from 1 to 2 to 3 and a rollback to 2 it is 1, not 3, which may have failed. If the history does not
    have the permanent release, it is the only old one.
    """
    tried = uncommitted(entries) or pending_trial(entries)
    if tried is not None and permanent and tried["release"] != permanent:
        return permanent
    path: list[str] = []
    for entry in entries:
        if entry["action"] in COMMITS and entry["outcome"] == OK:
            for version in (entry["from"], entry["release"]):
                if version in path:
                    del path[path.index(version) + 1 :]
                elif version:
                    path.append(version)
    if permanent not in path:
        return old[0] if len(old) == 1 else None
    return next((version for version in reversed(path[: path.index(permanent)]) if version in old), None)


def uncommitted(entries: t.Sequence[dict[str, t.Any]]) -> dict[str, t.Any] | None:
    """The entry of the release that is installed and neither committed nor rolled back, or None."""
    for entry in reversed(entries):
        if entry["outcome"] == FAILED or (entry["outcome"] == OK and entry["action"] in _MOVES):
            return entry if entry["action"] == "install" and entry["outcome"] == OK and not entry.get("permanent") else None
    return None


def uncommitted_way(entries: t.Sequence[dict[str, t.Any]]) -> list[str | None]:
    """The releases through which the system came to the one of uncommitted(), the last one first: the one before all of them, at the end, is permanent."""
    way: list[str | None] = []
    entry = uncommitted(entries)
    while entry is not None and (not way or entry["release"] == way[-1]):
        way.append(entry["from"])
        entries = entries[: max(number for number, each in enumerate(entries) if each is entry)]
        entry = uncommitted(entries)
    return way


def pending_trial(entries: t.Sequence[dict[str, t.Any]]) -> dict[str, t.Any] | None:
    """The entry of a release that is booted, of which the history does not have what became of it; or None."""
    last = next((entry for entry in reversed(entries) if entry["action"] in (*_MOVES, TRIAL) or entry["outcome"] == FAILED), None)
    return last if last is not None and last["action"] == TRIAL else None
