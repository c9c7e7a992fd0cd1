# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release_handler that runs gets to know a release whose files lie there: by a package that has nothing but the .rel file."""

from __future__ import annotations

import io
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release, format_rel

if t.TYPE_CHECKING:
    from ansible_collections.erlang.otp.plugins.module_utils._handler.running import Work


def make_known(work: Work, release: Release):
    """unpack_release, and what it answers. The package has a name that no file of the tree has."""
    tree, stem = work.tree, f"register-{release.version}"
    paths = [tree.path("releases", f"{stem}.tar.gz"), tree.path("releases", f"{stem}.rel")]
    try:
        tree.file_options().file(paths[0], package_of(release, stem))
        return work.operate("unpack_release", stem)
    finally:
        for path in [*paths, tree.path("releases", release.version, f"{stem}.rel")]:
            if os.path.lexists(path):
                os.unlink(path)


def package_of(release: Release, stem: str) -> bytes:
    """A package with releases/STEM.rel alone."""
    import tarfile

    content = format_rel(release)
    package = io.BytesIO()
    with tarfile.open(fileobj=package, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        member = tarfile.TarInfo(f"releases/{stem}.rel")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return package.getvalue()
