# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The releases of a node whose release has no sasl: init says what it booted, and the files have the rest, which no process holds in memory."""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Known, Running
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import is_temporary
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree


def with_files(running: Running, tree: Tree) -> Running:
    """The node, with the releases of its files if it lacks sasl; else, or if they cannot be read, as it is."""
    if not running.lacks_sasl:
        return running
    try:
        start, entries = tree.start_erl_data(), tree.releases() or []
    except OtpError:
        return running
    (booted,) = running.releases
    permanent = start.release_version if start else booted.version
    known = {booted.version: booted}
    for entry in entries:
        if not is_temporary(entry.version):
            libraries = tuple(f"{library.name}-{library.version}" for library in entry.libraries)
            known[entry.version] = Known(entry.name, entry.version, "old" if entry.status == "old" else "unpacked", libraries)
    statuses = {booted.version: "current", permanent: "permanent"}
    releases = (release._replace(status=statuses.get(release.version, release.status)) for release in known.values())
    return running._replace(releases=tuple(releases))
