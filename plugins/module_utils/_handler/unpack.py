# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 1: the files of a release into the tree, and the release into the memory of a release_handler that runs.

release_handler(3), unpack_release/1. We unpack the package ourselves, whole or not at all; release_handler then learns of the
release from a package that has nothing but the .rel file (docs/design.md).
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import lock
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release, format_rel
from ansible_collections.erlang.otp.plugins.module_utils._handler.node_upgrade import NodeUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.request import HandlerError
from ansible_collections.erlang.otp.plugins.module_utils._handler.upgrade import Upgrade
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._install.outcome import OtherContent
from ansible_collections.erlang.otp.plugins.module_utils._install.replace import check_may_go
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import read_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import register as register_in_files
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import LOCK, Tree


def install_package(upgrade: Upgrade, tree: Tree, make_way: t.Callable[[OtherContent], object] | None = None) -> bool:
    """Install the package of the request in the tree. Returns whether the request has one. make_way: of install_release(). Raises PackageNeeded, OtpError."""
    package, request = upgrade.request.package, upgrade.request
    if not (package.get("package") or package.get("checksum")):
        return False
    how: dict[str, t.Any] = {**package, "optional_native": request.optional_native, "lock_timeout": request.lock_timeout, "make_way": make_way}
    installed = install_release(root=tree.root, destdir=tree.destdir, changes=upgrade.changes, **how)
    if installed["release"] != request.release:
        raise OtpError(
            f"the package has release {installed['release']}, not {request.release}: set {named('release')} to that, or {named('package')} to another package"
        )
    return True


def no_release(upgrade: Upgrade, tree: Tree) -> HandlerError:
    """The error for a release that the tree lacks, with no package to install it from; the result shows that as ``needs_package``."""
    upgrade.result["needs_package"] = True
    return HandlerError(f"{tree.path('releases', upgrade.version)} has no release {upgrade.version}: give its package")


def unpack(upgrade: NodeUpgrade) -> None:
    """Install the package, and register its release with the node. Raises PackageNeeded, OtpError."""
    has_package = install_package(upgrade, upgrade.tree, functools.partial(make_way, upgrade))
    release = read_release(upgrade.tree, upgrade.version)
    if release is not None and upgrade.running.lacks_sasl:
        with lock(upgrade.tree.path(LOCK), timeout=upgrade.request.lock_timeout) if not upgrade.changes.check_mode else contextlib.nullcontext():
            register_in_files(upgrade.tree, release, upgrade.changes, upgrade.tree.file_options())
        upgrade.observe()
        return
    if upgrade.running.status_of(upgrade.version) is not None:
        return
    if release is None and not (upgrade.changes.check_mode and has_package):
        raise no_release(upgrade, upgrade.tree)
    sentence = f"register release {upgrade.version} with the node {upgrade.session.node}"
    if upgrade.changes.do(sentence, register, upgrade, release) is not None:
        upgrade.observe()
        upgrade.record("unpack", before=upgrade.running.current)


def make_way(upgrade: NodeUpgrade, other: OtherContent) -> None:
    """Remove the release of the same version and with other content from the node and the tree. Raises OtpError for one that is to stay."""
    version = other.release["version"]
    check_may_go(other, upgrade.tree, in_use=(upgrade.running.current, upgrade.running.permanent))
    upgrade.remove(version)
    upgrade.is_replaced = True


def register(upgrade: NodeUpgrade, release: Release):
    """Call unpack_release; what it answers. The package has a name that no file of the tree has."""
    tree, stem = upgrade.tree, f"register-{release.version}"
    paths = [tree.path("releases", f"{stem}.tar.gz"), tree.path("releases", f"{stem}.rel")]
    try:
        tree.file_options().file(paths[0], package_of(release, stem))
        return upgrade.call_with_copies("unpack_release", stem)
    finally:
        for path in [*paths, tree.path("releases", release.version, f"{stem}.rel")]:
            if os.path.lexists(path):
                os.unlink(path)


def package_of(release: Release, stem: str) -> bytes:
    """A release package that has releases/STEM.rel alone."""
    import tarfile

    content = format_rel(release)
    package = io.BytesIO()
    with tarfile.open(fileobj=package, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        member = tarfile.TarInfo(f"releases/{stem}.rel")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return package.getvalue()
