# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The release of a target system: the first one is installed and permanent, another one is only unpacked beside it.

OTP Design Principles, "Creating and Upgrading a Target System". Which release is permanent changes by an upgrade alone, on a stopped system as
well: there the batches, gates and rollbacks are.
"""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._target_system.options import SystemOptions
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree, emulators


class Release(t.NamedTuple):
    """The release that the host should run, what is left to do for that, and the diff of the installed releases."""

    name: str | None = None
    version: str | None = None
    pending: str | None = None
    diff: tuple[dict[str, str], ...] = ()


def ensure_release(options: SystemOptions, tree: Tree, owner: Owner, changes: Changes, *, is_image: bool = False, only_check: bool = False) -> Release:
    """Install the release of the package. Without a package, the permanent release stays. Raises PackageNeeded, OtpError.

    is_image: an image has no node that an upgrade could take to the release, so that it becomes permanent.
    only_check: only raise what the installation would raise.
    """
    if not options.package["checksum"] and not options.package["package"]:
        return _permanent_release(tree)
    if only_check:
        changes = Changes(check_mode=True)
    start = tree.start_erl_data()
    is_kept = start is not None and not is_image
    result = install_release(
        root=tree.root,
        destdir=tree.destdir,
        changes=changes,
        state="present" if is_kept else "permanent",
        uid=owner.uid,
        gid=owner.gid,
        **options.package,
    )
    version, diff, pending = result["release"], result["diff"], None
    if is_kept and start.release_version != version:
        pending = f"release {version} is installed, but {start.release_version} is permanent: upgrade the node to it"
        if options.state == "stopped" or options.state == "present" and not emulators(tree):
            pending += ", with otp_down=offline, because it is down"
    headers = {"before_header": "releases", "after_header": "releases"}
    return Release(result["name"], version, pending, ({**headers, **diff},) if diff["before"] != diff["after"] else ())


def _permanent_release(tree: Tree) -> Release:
    start = tree.start_erl_data()
    if start is None:
        raise OtpError(f"no release is installed below {tree.root}, and no package is given: set otp_package, or put a host into the group otp_builders.")
    return Release(next((entry.name for entry in tree.releases() or [] if entry.version == start.release_version), None), start.release_version)
