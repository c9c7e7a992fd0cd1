# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a running node differs from the files of its system.

release_handler reads RELEASES when it starts, and holds it in memory from then on (SASL, release_handler(3)). It does not write the
file when it installs a release: an installed release stays unpacked, or old, there.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import InstalledRelease, StartErlData
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import is_temporary
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree


class Disagreement(t.NamedTuple):
    """kind: one word for what is wrong; text: a sentence without its full stop."""

    kind: str
    text: str


def disagreements(running: Running, tree: Tree, start: StartErlData | None, releases: t.Sequence[InstalledRelease] | None) -> t.Iterator[Disagreement]:
    """Compare the node with start_erl.data and RELEASES of the tree, each None when the file is missing. Ends at a problem that makes the rest meaningless."""
    if not running.has_handler and not running.lacks_sasl:
        yield Disagreement("sasl", f"the node {running.node} runs no release_handler: sasl has not started, or was stopped")
        return
    if os.path.realpath(tree.destdir + running.root) != os.path.realpath(tree.directory):
        yield Disagreement("other_root", f"the node {running.node} runs the system below {running.root}, not the one below {tree.root}")
        return
    if running.status != "started":
        yield Disagreement("starting", f"the node {running.node} is not up: init reports {running.status}")
    if running.current != running.permanent:
        text = f"release {running.current} runs and is not committed: after its next start the node runs {running.permanent}"
        yield Disagreement("uncommitted", text)
    listed = {entry.version: entry.status for entry in releases or []}
    boots = start.release_version if start else None
    # Without RELEASES release_handler makes up an entry for what runs.
    permanent = [running.permanent] if releases is None else [entry.version for entry in releases if entry.status == "permanent"]
    if permanent != [running.permanent] or boots != running.permanent:
        named = f"{' and '.join(permanent) or 'none'} in RELEASES, {boots or 'none'} in start_erl.data"
        yield Disagreement("disagreement", f"which release is permanent is not clear: {running.permanent} in the node, {named}")
    for known in running.releases:
        if is_temporary(known.version):
            yield Disagreement("temporary", f"the node knows {known.version} ({known.status}), the temporary release of a change of emulators")
            continue
        if not known.libraries:
            text = f"the node {running.node} does not know which libraries release {known.version} has: when it removes another release, it deletes them too"
            yield Disagreement("incomplete_entry", text)
        if releases is not None and known.version not in listed:
            yield Disagreement("not_listed", f"the node knows release {known.version} ({known.status}), RELEASES does not list it")
    for version in sorted(listed.keys() - {known.version for known in running.releases}):
        text = f"RELEASES lists release {version} ({listed[version]}), the node does not know it: it was installed after the node's start"
        yield Disagreement("not_known", text)
