# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package of a version is made once: hosts know a release by its version, and release_handler does not look at its content (docs/design.md, Packages)."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._package.contents import differences, read_digests
from ansible_collections.erlang.otp.plugins.module_utils._package.read import read_package


def refuse_other_content(name: str, version: str, digests: t.Mapping[str, str], package: str, *, way_out: str, shown: str = "") -> None:
    """Raise OtpError if the package, which is there, is of the same release and has other content than what was built. One that is damaged may be replaced.

    digests: of what was built, as of read_digests(); shown: where the package is, if it is a copy.
    """
    try:
        earlier = read_package(package)
        different = differences(digests, read_digests(package)) if (earlier.name, earlier.version) == (name, version) else ""
    except OtpError:
        return
    if different:
        raise OtpError(
            f"release {name} {version} has been built before, with other content ({shown or package}): {different}. A package of a version is made once,"
            f" because hosts know a release by its version. Give the release, and each application that has changed, a new version. {way_out}"
        )
