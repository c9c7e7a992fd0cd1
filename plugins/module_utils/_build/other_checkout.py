# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Libraries that are the same as in an earlier package, and were compiled in another checkout: their bytes are taken from there, so that they stay the same."""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.package_members import Group
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import Diagnostic
from ansible_collections.erlang.otp.plugins.module_utils._core.files import write_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
from ansible_collections.erlang.otp.plugins.module_utils._formats.significant import is_read_as_a_whole, joined
from ansible_collections.erlang.otp.plugins.module_utils._package.contents import read_files
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import checked_members
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import versioned_directory


def other_bytes(built: str, earlier: str, directory: str) -> dict[str, dict[str, str]]:
    """Modules and resource files, by path, of each library that both packages have, with other bytes and the same content: files with those of the earlier one.

    The files are in the directory, which is made. Raises PackageError, OSError.
    """
    os.mkdir(directory)
    ours, theirs = read_files(built), read_files(earlier)
    same = {directory for directory, files in ours.items() if directory.startswith("lib/") and theirs.get(directory) == files}
    digests = {path: hashlib.sha256(content).digest() for path, content in _contents(built, same)}
    differing = {versioned_directory(path) for path, content in _contents(earlier, same) if hashlib.sha256(content).digest() != digests.get(path)}
    found: dict[str, dict[str, str]] = {}
    for number, (path, content) in enumerate(_contents(earlier, differing)):
        file = os.path.join(directory, str(number))
        write_file(file, content, flush=False)
        found.setdefault(versioned_directory(path) or "", {})[path] = file
    return found


def _contents(package: str, directories: t.Container[str | None]) -> t.Iterator[tuple[str, t.Any]]:
    with Inflated(package) as stream:
        for path, member, pieces in checked_members(stream):
            if member.kind == "file" and versioned_directory(path) in directories and is_read_as_a_whole(path, member.size):
                yield path, joined(pieces)


def with_bytes(group: Group, taken: dict[str, str]) -> Group:
    """The group with the content of these files in its members, by path."""
    return Group(group.name, [member._replace(source=taken.get(member.name, member.source)) for member in group.members])


def note(directory: str, earlier: str) -> Diagnostic:
    """What the build says of such a library."""
    name = directory[len("lib/") :]
    sentence = f"{name} is the same code as in {earlier}, compiled elsewhere (the path of its source, or debug information). The bytes of that one are taken."
    return Diagnostic("same_code", name, sentence)
