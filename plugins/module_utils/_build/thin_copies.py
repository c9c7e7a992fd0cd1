# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of a changed library a thin package leaves out: those whose bytes and mode are the same in the version of the library that its base has."""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
from ansible_collections.erlang.otp.plugins.module_utils._formats.significant import digest_of_pieces, is_read_as_a_whole, joined
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import checked_members
from ansible_collections.erlang.otp.plugins.module_utils._package.thin_base import Copies, directory_digest, is_appup
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import versioned_directory

# Bytes of a file that is not worth a record.
SMALL = 256
# Hexadecimal digits of a file's digest in its record: enough to find a changed one. The whole digest of all of them is there once.
BEGINNING = 4
# Records of a package: base.json is read as a whole, with the beginning of the package.
MAX_FILES = 4000
MAX_NAMES = 160_000


class _File(t.NamedTuple):
    """A file of a package: all of it (mode, sha256), what counts (_formats/significant), and its size in bytes."""

    exact: tuple[int, str]
    digest: str
    size: int


def find_copies(full: str, base: str, directories: t.Iterable[str], there: t.Iterable[str]) -> dict[str, Copies]:
    """The files of the full package's libraries that are the same in the base's. directories: of the full package and not of the base; there: of the base."""
    earlier = {_name(directory): directory for directory in there if directory.startswith("lib/")}
    pairs = {directory: earlier[_name(directory)] for directory in sorted(directories) if directory.startswith("lib/") and _name(directory) in earlier}
    if not pairs:
        return {}
    ours, theirs = _files(full, {*pairs}), _files(base, {*pairs.values()})
    found, records, names = {}, 0, 0
    for directory, before in pairs.items():
        same = {path: file for path, file in sorted(ours[directory].items()) if path in theirs[before] and theirs[before][path].exact == file.exact}
        records, names = records + len(same), names + sum(map(len, same))
        if same and records <= MAX_FILES and names <= MAX_NAMES:
            found[directory] = _copies(before, same)
    return found


def _copies(before: str, files: dict[str, _File]) -> Copies:
    return Copies(
        before,
        {path: file.digest[:BEGINNING] for path, file in files.items()},
        directory_digest({path: file.digest for path, file in files.items()}),
        {path: file.exact[0] for path, file in files.items() if file.exact[0] != 0o644},
        sum(file.size for file in files.values()),
    )


def _name(directory: str) -> str:
    return directory.partition("-")[0]


def _files(package: str, directories: set[str]) -> dict[str, dict[str, _File]]:
    """The files of these directories, by path in each, that are worth a record. No emulator reads an appup, and a host may have another."""
    found: dict[str, dict[str, _File]] = {directory: {} for directory in directories}
    with Inflated(package) as stream:
        for path, member, pieces in checked_members(stream):
            directory = versioned_directory(path)
            if directory not in directories or member.kind != "file" or member.size < SMALL:
                continue
            inside = path[len(directory) + 1 :]
            if is_appup(inside):
                continue
            if is_read_as_a_whole(path, member.size):
                content = joined(pieces)
                exact, digest = hashlib.sha256(content).hexdigest(), digest_of_pieces(path, member.size, iter((content,)))
            else:
                exact = digest = digest_of_pieces(path, member.size, pieces)
            found[directory][inside] = _File((member.mode, exact), digest, member.size)
    return found
