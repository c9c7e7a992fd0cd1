# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release of the same version and with other content than the package: it makes way if it was only unpacked, or has failed here.

A release is its version and its content (docs/design.md, Packages). What runs, boots, or may be needed is never exchanged below a node.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._install.outcome import OtherContent, PackageNeeded
from ansible_collections.erlang.otp.plugins.module_utils._install.remove import parts_of, remove_release
from ansible_collections.erlang.otp.plugins.module_utils._install.unpack import difference, is_of_the_host, may_differ, note_more_modules, other_content
from ansible_collections.erlang.otp.plugins.module_utils._package.contents import DIRECTORY, is_member
from ansible_collections.erlang.otp.plugins.module_utils._package.copies import changed_copies, copied_paths
from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import base_of
from ansible_collections.erlang.otp.plugins.module_utils._tree import history as _history
from ansible_collections.erlang.otp.plugins.module_utils._tree.made_from import is_of_the_way
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import read_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree, emulators, versioned_directory


def make_way(other: OtherContent, tree: Tree, changes: Changes, *, lock_timeout: float = 60.0) -> None:
    """Remove the release from the tree of a stopped system. Raises OtpError for one that is to stay."""
    version = other.release["version"]
    check_may_go(other, tree)
    if running := emulators(tree):
        raise OtpError(
            f"{other} Release {version} is only unpacked here, but the system runs (process {running[0]}), and its release_handler may know that release:"
            " upgrade the node to it, which replaces it, or stop the node."
        )
    remove_release(root=tree.root, destdir=tree.destdir, version=version, changes=changes, lock_timeout=lock_timeout)
    if not changes.check_mode and _history.failure_of(_history.read(tree), version):
        # It was the other content that failed.
        _history.append(tree, _history.entry_of("remove", version))


def check_may_go(other: OtherContent, tree: Tree, *, in_use: t.Collection[str | None] = ()) -> None:
    """Raise OtpError, which says what differs and why, unless the release may be replaced. in_use: what the node runs and boots, if it runs."""
    version = other.release["version"]
    status = next((entry.status for entry in tree.releases() or [] if entry.version == version), None)
    if status is None and read_release(tree, version) is None:
        # A library of another release, or files that are not a release.
        raise other
    start = tree.start_erl_data()
    if version in in_use or status == "permanent" or (start and start.release_version == version):
        why = "runs or boots here"
    elif status == "old" and _history.failure_of(_history.read(tree), version) is None:
        why = "has run here, and a rollback may need it"
    elif needed := sorted({*other.parts} - {*parts_of(tree, version)}):
        why = f"shares {', '.join(needed)} with other releases"
    else:
        return
    raise OtpError(f"{other} Release {version} {why}, so it is not replaced.")


def compare(tree: Tree, release: dict) -> None:
    """In check mode, the release of a package on another host, of which digests has the members, with the tree's: as unpack() compares them.

    Raises OtherContent if the tree has other content of the same version, PackageNeeded if that is to be found out and there are no digests.
    """
    digests = release.get("digests")
    if digests is None:
        if os.path.isdir(tree.path("releases", release["version"])):
            raise PackageNeeded(f"the system below {tree.directory} has a release {release['version']} of another package")
        return
    other: dict[str, str] = {}
    for path, digest in digests.items():
        directory = versioned_directory(path, is_directory=digest == DIRECTORY)
        if directory and directory not in other and tree.has(directory) and not is_of_the_way(path) and not is_of_the_host(path, directory):
            if not may_differ(path, tree) and not is_member(tree.path(path), digest):
                other[directory] = difference(path, tree)
    base = base_of(release["base"]) if release.get("base") else None
    note_more_modules(other, dict.fromkeys(filter(None, map(versioned_directory, digests))), {*digests, *copied_paths(base)}, tree)
    for directory, path in changed_copies(base, tree):
        other.setdefault(directory, difference(path, tree))
    if other:
        raise OtherContent(other_content(other, tree, release["package"]), release, [*other])
