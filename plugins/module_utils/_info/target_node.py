# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node of an installed tree: whether it runs, what it says, and where that disagrees with the files. Reads only, and never fails on a node."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._info.target import Target
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._node.disagreements import disagreements
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import observe
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, as_text
from ansible_collections.erlang.otp.plugins.module_utils._tree import history as _history
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator, started_at


def describe_node(target: Target, address: NodeAddress, *, timeout: float) -> tuple[dict[str, t.Any], list[str]]:
    """The node as plain data, and what does not fit together.

    Whether a client that does not answer is down cannot be told from here.
    """
    is_here = not isinstance(target.tree, ClientTree)
    told: dict[str, t.Any] = {"pid": find_emulator(target.tree.root) if is_here else None, "answers": False, "error": None, "name": None, "status": None}
    told.update(release=None, permanent=None, releases=[], heart=None, erts_version=None, started=None, uptime=None)
    if is_here and told["pid"] is None:
        return told, []
    if is_here:
        told.update(_since(started_at(told["pid"], target.tree.root)))
    try:
        with connect(address, timeout=timeout) as node:
            running = observe(node, timeout=timeout)
            told["erts_version"] = as_text(node.call("erlang", "system_info", [Atom("version")], timeout=timeout))
            if not is_here:
                told.update(_since(time.time_ns() - node.call("erlang", "statistics", [Atom("wall_clock")], timeout=timeout)[0] * 10**6))
    except OtpError as error:
        told["error"] = str(error)
        return told, [] if not is_here else [f"the emulator runs (process {told['pid']}), and its node does not answer: {error}"]
    told.update(pid=running.pid, answers=True, name=running.node, status=running.status, release=running.current, permanent=running.permanent)
    told["heart"] = running.heart
    told["releases"] = [
        {"name": known.name, "version": known.version, "status": known.status, "libraries": list(known.libraries)} for known in running.releases
    ]
    return told, [found.text for found in disagreements(running, target.tree, target.start, target.releases or None)]


def _since(started: int) -> dict[str, t.Any]:
    """When it was started, in nanoseconds since the epoch, as plain data."""
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started // 10**9))
    return {"started": text, "uptime": max(0, time.time_ns() - started) // 10**9}


def describe_history(target: Target, *, limit: int) -> dict[str, t.Any]:
    """What the history shows: its newest entries, oldest first; the releases that failed, the one before, the one installed and not committed."""
    try:
        entries = _history.read(target.tree)
    except OSError:
        # No directory, or none that this user may read: of that, the files themselves tell.
        entries = []
    failed = {}
    for version in dict.fromkeys(entry["release"] for entry in entries):
        failure = _history.failure_of(entries, version)
        if failure is not None:
            failed[version] = {key: failure[key] for key in ("time", "action", "reason")}
    permanent = next((entry.version for entry in target.releases if entry.status == "permanent"), None)
    return {
        "history": entries[len(entries) - min(limit, len(entries)) :],
        "failed_releases": failed,
        "previous": _history.previous(entries, permanent, [entry.version for entry in target.releases if entry.status == "old"]),
        "uncommitted": _history.uncommitted(entries),
    }
