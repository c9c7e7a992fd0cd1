# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node of an installed tree: whether it runs, what it answers, and where that differs from the files (release_handler(3)).

Reads only, and never fails because of a node.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._info.target import MAX_SCRIPT, Target
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._node.disagreements import disagreements
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import observe, short_text, understood
from ansible_collections.erlang.otp.plugins.module_utils._node.without_sasl import with_files
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree import history as _history
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree
from ansible_collections.erlang.otp.plugins.module_utils._tree.mark import read_mark
from ansible_collections.erlang.otp.plugins.module_utils._tree.newer import find_newer
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator, find_starters, second_emulator, started_at


def describe_node(target: Target, address: NodeAddress, *, timeout: float) -> tuple[dict[str, t.Any], list[str]]:
    """The node as plain data, and what does not fit together.

    For a client that does not answer it is not known whether it is down.
    """
    is_here = not isinstance(target.tree, ClientTree)
    names = ("pid", "error", "name", "status", "release", "permanent", "heart", "erts_version", "started", "uptime")
    node: dict[str, t.Any] = {**dict.fromkeys(names), "answers": False, "outdated": [], "releases": []}
    if is_here:
        root = target.tree.root
        node["pid"] = find_emulator(root)
        if node["pid"] is None:
            is_starting = any(starter.program != "run_erl" for starter in find_starters(root))
            # A starter may just have become the emulator.
            node["pid"] = find_emulator(root)
            if node["pid"] is None:
                return {**node, "status": "starting" if is_starting else None}, []
        node.update(_since(started_at(node["pid"])))
        address = address._replace(root=root)
    try:
        with connect(address, timeout=timeout) as connection:
            running = with_files(observe(connection, timeout=timeout), target.tree)
            node["erts_version"] = short_text(connection.call("erlang", "system_info", [Atom("version")], timeout=timeout))
            if not is_here:
                answer = connection.call("erlang", "statistics", [Atom("wall_clock")], timeout=timeout)
                node.update(_since(time.time_ns() - understood(answer, _milliseconds, "asked for its uptime") * 10**6))
    except OtpError as error:
        node["error"] = str(error)
        return node, [f"the emulator runs (process {node['pid']}), and its node does not answer: {error}"] if is_here else []
    node.update(pid=running.pid, answers=True, name=running.node, status=running.status, release=running.current, permanent=running.permanent)
    node.update(heart=running.heart, releases=[{**known._asdict(), "libraries": list(known.libraries)} for known in running.releases])
    found = [each.text for each in disagreements(running, target.tree, target.start, target.releases or None)]
    if is_here and running.heart is None and b" -heart" in (read_file(target.tree.path("bin", "start"), limit=MAX_SCRIPT) or b""):
        found.append("the node runs without heart, which bin/start gives it: heart does not start it after a crash, until it has been restarted")
    if is_here:
        second = second_emulator(target.tree.root, node["pid"])
        found += [second] if second else []
        node["outdated"] = find_newer(target.tree, target.start, node["pid"])
        found += [f"the node runs with an earlier version of {', '.join(node['outdated'])}"] if node["outdated"] else []
    return node, found


def _milliseconds(answer) -> int:
    total, _since_last = answer
    if not isinstance(total, int) or not 0 <= total < 10**14:
        raise ValueError
    return total


def _since(started: int) -> dict[str, t.Any]:
    """When it was started, in nanoseconds since the epoch, as plain data."""
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started // 10**9))
    return {"started": text, "uptime": max(0, time.time_ns() - started) // 10**9}


def describe_history(target: Target, *, limit: int, runs: str | None = None) -> dict[str, t.Any]:
    """What the history shows: its newest entries, oldest first; the releases that failed, the one before, the one installed and not committed.

    runs: the release that the node runs, if it was asked. It may have been installed without these modules.
    """
    try:
        entries = _history.read(target.tree)
    except (OSError, OtpError):
        # The directory does not exist, this user may not read it (read_target reports that), or the history is not a file.
        entries = []
    failed = {}
    for version in dict.fromkeys(entry["release"] for entry in entries):
        failure = _history.failure_of(entries, version)
        if failure is not None:
            failed[version] = {key: failure[key] for key in ("time", "action", "reason")}
    permanent = next((entry.version for entry in target.releases if entry.status == "permanent"), None)
    old = [entry.version for entry in target.releases if entry.status == "old"]
    return {
        "history": entries[len(entries) - min(limit, len(entries)) :],
        "failed_releases": failed,
        "previous": permanent if permanent and runs not in (None, permanent) else _history.previous(entries, permanent, old),
        "uncommitted": _history.uncommitted(entries),
    }


def describe_mark(target: Target) -> dict[str, str] | None:
    """The run that is upgrading the system, if one is."""
    try:
        mark = read_mark(target.tree)
    except (OSError, OtpError):
        # As for the history. What is in the place of the file is reported by the run that it refuses.
        return None
    return mark.described() if mark else None
