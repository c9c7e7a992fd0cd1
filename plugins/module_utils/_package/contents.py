# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in a release package, as digests: equal for equal content (``_formats/significant``), however, where and when it was made.

A release is its version and its content (docs/design.md, Packages).
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
from ansible_collections.erlang.otp.plugins.module_utils._formats.significant import digest_of_file, digest_of_pieces
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import checked_members
from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import directory_digest, link_digest
from ansible_collections.erlang.otp.plugins.module_utils._tree.made_from import is_of_the_way
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import versioned_directory

# In the place of a digest.
DIRECTORY = "directory"


def read_members(package: str) -> dict[str, str]:
    """The digest of each file, link and directory (DIRECTORY) of the package, by path, in its order. Raises PackageError, OSError."""
    return {path: digest for path, digest, _mode in _members(package)}


def read_manifest(package: str) -> dict[str, tuple[str, int]]:
    """The same, each with the permissions that the package has for it."""
    return {path: (digest, mode) for path, digest, mode in _members(package)}


def _members(package: str) -> t.Iterator[tuple[str, str, int]]:
    with Inflated(package) as stream:
        for path, member, pieces in checked_members(stream):
            if member.kind == "directory":
                yield path, DIRECTORY, member.mode
            else:
                yield path, link_digest(member.target) if member.kind == "link" else digest_of_pieces(path, member.size, pieces), member.mode


def is_member(path: str, digest: str) -> bool:
    """Whether what is there at the path has this digest of read_members()."""
    try:
        if digest == DIRECTORY:
            return os.path.isdir(path)
        return digest == (link_digest(os.readlink(path)) if digest.startswith(link_digest("")) else digest_of_file(path))
    except (OSError, OtpError):
        return False


def read_files(package: str) -> dict[str, dict[str, str]]:
    """The digests of the files and links of the package, by their paths in each ``lib/APP-VSN``, ``erts-VSN`` and ``releases/VSN``; "" has the others.

    Raises PackageError, OSError.
    """
    found: dict[str, dict[str, str]] = {}
    for path, digest in read_members(package).items():
        if digest != DIRECTORY:
            directory = versioned_directory(path) or ""
            found.setdefault(directory, {})[path[len(directory) + 1 :] if directory else path] = digest
    return found


def read_digests(package: str) -> dict[str, str]:
    """The digest of each library and of ERTS, by directory, and of each other file, by path. Raises PackageError, OSError.

    What leads to the release is not a part of its content: the relup is left out here, and appups by directory_digest().
    """
    digests = {}
    for directory, files in read_files(package).items():
        if directory.startswith(("lib/", "erts-")):
            digests[directory] = directory_digest(files)
        else:
            paths = {f"{directory}/{path}" if directory else path: digest for path, digest in files.items()}
            digests.update({path: digest for path, digest in paths.items() if not is_of_the_way(path)})
    return digests


def differences(one: t.Mapping[str, str], other: t.Mapping[str, str]) -> str:
    """What differs between two results of read_digests(), for a sentence; empty for equal content. Applications come first."""
    paths = (path for path in {*one, *other} if one.get(path) != other.get(path))
    different = sorted(paths, key=lambda path: (not path.startswith("lib/"), path))
    names = [f"application {path[len('lib/') :].replace('-', ' ', 1)}" if path.startswith("lib/") and path.count("/") == 1 else path for path in different]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
