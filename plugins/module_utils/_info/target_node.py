# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node of an installed tree: whether it runs, what it says, and where that disagrees with the files. Reads only, and never fails on a node."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._info.target import Target
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running, observe
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, as_text
from ansible_collections.erlang.otp.plugins.module_utils._tree import history as _history
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import is_temporary
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import find_emulator, started_at

# The node does not write RELEASES when it installs a release, and not when it goes back: there, that one stays unpacked.
NOT_IN_USE = {"unpacked", "old"}


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
    return told, [*disagreements(target, running)]


def _since(started: int) -> dict[str, t.Any]:
    """When it was started, in nanoseconds since the epoch, as plain data."""
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started // 10**9))
    return {"started": text, "uptime": max(0, time.time_ns() - started) // 10**9}


def disagreements(target: Target, running: Running) -> t.Iterator[str]:
    """What release_handler holds in its memory against RELEASES, which it read when it started, and start_erl.data."""
    if not running.has_handler:
        yield f"the node {running.node} runs no release_handler: its release has no sasl"
        return
    if os.path.realpath(target.tree.destdir + running.root) != os.path.realpath(target.tree.directory):
        yield f"the node {running.node} runs the system below {running.root}, not the one below {target.tree.root}"
        return
    if running.status != "started":
        yield f"the node {running.node} is not up: init says {running.status}"
    listed = {entry.version: entry.status for entry in target.releases}
    if running.current != running.permanent:
        yield f"release {running.current} runs and is not committed: after its next start the node runs {running.permanent}"
    if target.start is not None and running.permanent != target.start.release_version:
        yield f"start_erl.data boots release {target.start.release_version}, the node calls {running.permanent} permanent"
    for known in running.releases:
        status = listed.pop(known.version, None)
        if is_temporary(known.version):
            yield f"the node knows {known.version} ({known.status}), the temporary release of a change of emulators"
        elif status is None:
            yield f"the node knows release {known.version} ({known.status}), RELEASES does not list it"
        elif status != known.status and known.status != "current" and not {status, known.status} <= NOT_IN_USE:
            yield f"the node calls release {known.version} {known.status}, RELEASES calls it {status}"
        if not known.libraries:
            yield f"the node does not know which libraries release {known.version} has: when it removes another release, theirs are deleted with it"
    for version, status in listed.items():
        yield f"RELEASES lists release {version} ({status}), the node does not know it: it was installed after the node's start"


def describe_history(target: Target, *, limit: int) -> dict[str, t.Any]:
    """The newest entries of the history, oldest first; the releases that failed here, and the one that was installed and never committed."""
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
    return {"history": entries[len(entries) - min(limit, len(entries)) :], "failed_releases": failed, "uncommitted": _history.uncommitted(entries)}
