# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RELEASES and start_erl.data torn by a power cut: the other file and the copies of ``_tree/backup`` give its content."""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import (
    InstalledRelease,
    StartErlData,
    format_releases,
    format_start_erl_data,
    parse_releases,
    permanent_release,
)
from ansible_collections.erlang.otp.plugins.module_utils._tree.backup import forget_saved
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import switched
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import SAVED, Tree


def repair(tree: Tree, changes: Changes, options: FileOptions) -> None:
    """Repair RELEASES and start_erl.data of a system that is down, if they are torn, or at odds after a change that was cut short.

    Raises OtpError if their content cannot be determined.
    """
    entries, torn_releases = _attempt(tree.releases)
    start, torn_start = _attempt(tree.start_erl_data)
    is_cut_short = tree.has("releases", "RELEASES" + SAVED)
    if torn_releases:
        entries = _entries_of_copy(tree, start, torn_releases)
        _put(tree, "RELEASES", format_releases(entries), changes, options)
    elif is_cut_short and entries and start:
        agreed = [switched(entry, start.release_version) for entry in entries]
        if start.release_version in [entry.version for entry in entries if entry.status != "permanent"]:
            _put(tree, "RELEASES", format_releases(agreed), changes, options)
    if torn_start:
        permanent = permanent_release(entries or [])
        if permanent is None:
            raise torn_start
        _put(tree, "start_erl.data", format_start_erl_data(permanent), changes, options)
    if is_cut_short and not changes.check_mode:
        forget_saved(tree)


def _attempt(read):
    try:
        return read(), None
    except OtpError as error:
        return None, error


def _entries_of_copy(tree: Tree, start: StartErlData | None, torn: OtpError) -> list[InstalledRelease]:
    """Those of the copy; permanent is the release that start_erl.data names: it may have been committed since."""
    path = tree.path("releases", "RELEASES" + SAVED)
    content = read_file(path)
    if content is None:
        raise torn
    entries = parse_releases(content, filename=path)
    if start is None:
        return entries
    if start.release_version not in [entry.version for entry in entries]:
        raise OtpError(f"{torn}; but the copy has no release {start.release_version}, which start_erl.data boots. Install that release again.") from torn
    return [switched(entry, start.release_version) for entry in entries]


def _put(tree: Tree, name: str, content: bytes, changes: Changes, options: FileOptions) -> None:
    path = tree.path("releases", name)
    changes.do(f"repair {path}: a change was interrupted", options.file, path, content)
    if changes.check_mode:
        tree.mended[name] = content
