# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In check mode: whether a package that is still on another host could be installed here, by what that host reports of its content.

The rules, and their words, are those of the installation.
"""

from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree


def foretell(tree: Tree, release: dict, *, has_variables: bool = False, optional_native: t.Collection[str] | None = ()) -> None:
    """Raise what the installation would raise, PackageError or OSError. release: as install_release() takes it; a name and versions alone show nothing.

    has_variables: libraries outside of lib are not looked for. optional_native: as of check_native().
    """
    if "native" not in release:
        return
    # Lazy, for start-up time: in most runs there is nothing to install.
    from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release, ReleaseApplication
    from ansible_collections.erlang.otp.plugins.module_utils._install.native import NativeCode, check_native
    from ansible_collections.erlang.otp.plugins.module_utils._install.unpack import Unpacked, check_complete
    from ansible_collections.erlang.otp.plugins.module_utils._tree.extra_files import is_extra

    unpacked = Unpacked(NativeCode.from_data(release["native"]))
    unpacked.release = Release(
        release["name"], release["version"], release["erts_version"], tuple(ReleaseApplication(*item) for item in release["applications"].items())
    )
    unpacked.paths = {*release["paths"]}
    if not has_variables and not release["base"]:
        check_complete(unpacked, tree, release["package"])
    check_native(unpacked.native, tree, unpacked.release, release["package"], optional_native)
    # Each release has its extra files, and those of the first one are in the root as well.
    copies = 1 if tree.has("releases", "start_erl.data") else 2
    needed = sum(size * (copies if is_extra(path) else 1) for path, size in release["sizes"].items() if is_extra(path) or not tree.has(path))
    if not remote_host() and needed > free_space(tree.directory):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def free_space(directory: str) -> int:
    """The bytes that are free on the file system where the directory is, or will be."""
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory) or "."
    space = os.statvfs(directory)
    return space.f_bavail * space.f_frsize


def sources_of(release: dict | None) -> dict[str, bytes] | None:
    """What the configuration of the release is made from, as configure_release() takes it; None if the other host does not report them."""
    sources = (release or {}).get("sources")
    return None if sources is None else {name: text.encode("latin-1") for name, text in sources.items()}
