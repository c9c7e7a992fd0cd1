# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which package on the controller a release of a host must be the same as.

By its name and version alone: what a host records could be changed with its files.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import is_directory_name
from ansible_collections.erlang.otp.plugins.plugin_utils._package.earlier import package_name
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import manifest_in_run, release_of


def find_package(places: t.Iterable[str], name: str, version: str) -> str | None:
    """The path of the first full package of the release. places: packages, and directories of them. Raises OtpError and OSError for a damaged package."""
    if not all(map(is_directory_name, (name, version))):
        return None
    for place in places:
        path = os.path.join(place, package_name(name, version)) if os.path.isdir(place) else place
        if os.path.isfile(path):
            release = release_of(path)
            if (release["name"], release["version"]) == (name, version) and not release["base"]:
                return path
    return None


def what_is_known(places: t.Sequence[str], name: str, version: str, checksum_of: t.Callable[[str], str], directory: str) -> dict[str, t.Any]:
    """Package, sha256 and files of the release, as otp_release_verify takes them; else the reason why they are not known.

    checksum_of: of a package that may go to the host, else it raises OtpError. directory: that of the run.
    """
    try:
        path = find_package(places, name, version)
        if path is None:
            return {"reason": f"there is no full package of {name} {version} in {', '.join(places)}. Copy the one that was installed there."}
        digest, files = checksum_of(path), manifest_in_run(path, directory)
        if checksum_of(path) != digest:
            return {"reason": f"{path} was exchanged while it was read. Find out what has done it, and run again."}
        return {"package": path, "sha256": digest.rpartition(":")[2], "files": files}
    except OtpError as error:
        return {"reason": str(error)}
    except OSError as error:
        return {"reason": f"{error.filename} cannot be read: {error.strerror}."}
