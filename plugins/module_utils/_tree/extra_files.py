# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The extra files of packages: what is neither in a versioned directory nor in bin, log and the like. Those in the root are the permanent release's.

Each release has its own below ``releases/VSN/extra``, and a list of them; ``releases/extra_files`` lists those that are in the root. So what differs from
that list was changed on the host: it is kept beside. release_handler knows none of these files.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import open_file
from ansible_collections.erlang.otp.plugins.module_utils._tree.own_files import TAKEN, Entry, format_list, read_list
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

# In a release directory, and in the staging directory of an installation.
EXTRA = "extra"
LIST = "extra_files"
KEPT = ".kept"
# Directories and files of the root that no package decides.
PRIVATE = {*TAKEN, "run", ".previous", ".staging", ".lock", ".handler.lock", ".box.lock", ".incoming", ".systems", ".libraries"}
_READ = 1 << 18


def is_extra(path: str) -> bool:
    """Whether this path in a package is that of an extra file."""
    top = path.partition("/")[0]
    return bool(top) and top not in PRIVATE and not top.startswith("erts-")


def extra_problem(path: str) -> str:
    """What is wrong with a path of the list, which the service user can write; empty if nothing is."""
    return "" if is_extra(path) and path.isprintable() and not {"", ".", ".."} & set(path.split("/")) else "it is not an extra file"


def list_of(directory: str) -> bytes:
    """The list of the files below the directory."""
    entries = {}
    for above, directories, files in os.walk(directory):
        links = [name for name in directories if os.path.islink(os.path.join(above, name))]
        for name in (*files, *links):
            path = os.path.join(above, name)
            entries[os.path.relpath(path, directory)] = Entry(_digest(path) or "")
    return format_list(entries)


def follow_extra(tree: Tree, version: str, changes: Changes, options: FileOptions, *, is_first: bool = False) -> list[str]:
    """Bring the extra files of the root to the release, which becomes permanent. Returns those that were changed on the host, and are kept beside.

    is_first: they are part of the installation of the first release. Nothing is done for a release that an earlier version of the collection has installed.
    """
    if not tree.has("releases", version, LIST):
        return []
    coming, there = _listed(tree, f"releases/{version}/{LIST}"), _listed(tree, f"releases/{LIST}")
    if coming == there:
        return []
    # What the operator has listed is the operator's.
    own = read_list(tree)
    paths = {path: _digest(tree.path(path)) for path in sorted({*coming, *there}) if path not in own}
    differing = [path for path, found in paths.items() if found is not None and found not in (there.get(path), coming.get(path))]
    # If both releases bring the same file, a change of the host stays.
    changed = [path for path in differing if coming.get(path) != there.get(path)]
    stale = [path for path, found in paths.items() if found != coming.get(path) and (path in changed or path not in differing)]
    brought, gone = [path for path in stale if path in coming], [path for path in stale if path not in coming and path not in changed]
    for path in changed:
        place = tree.path(path)
        changes.do(f"keep {place}, which was changed on this host, as {place}{KEPT}", os.rename, place, place + KEPT)
    if brought or gone:
        names = ", ".join([*brought, *(f"without {path}" for path in gone)])
        sentence = f"bring the extra files below {tree.directory} to release {version}: {names}"
        (Changes() if is_first and not changes.check_mode else changes).do(sentence, _bring, tree, version, brought, gone, options)
    if not changes.check_mode:
        options.file(tree.path("releases", LIST), format_list({path: Entry(digest) for path, digest in coming.items()}))
    return changed


def _listed(tree: Tree, path: str) -> dict[str, str]:
    return {name: entry.sha256 for name, entry in read_list(tree, path, extra_problem).items()}


def _digest(path: str) -> str | None:
    """The sha256 of a file, or of where a link leads; None if nothing is there; empty for anything else."""
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(mode):
        return hashlib.sha256(b"link to " + os.fsencode(os.readlink(path))).hexdigest()
    return sha256(path) if stat.S_ISREG(mode) else ""


def _bring(tree: Tree, version: str, brought: list[str], gone: list[str], options: FileOptions) -> None:
    for path in gone:
        os.unlink(tree.path(path))
        with contextlib.suppress(OSError):
            # One that has other files stays.
            os.removedirs(os.path.dirname(tree.path(path)))
    for path in brought:
        above = path.split("/")[:-1]
        for end in range(1, len(above) + 1):
            options.directory(tree.path(*above[:end]))
        _copy(tree.path("releases", version, EXTRA, path), tree.path(path), options)


def _copy(source: str, place: str, options: FileOptions) -> None:
    if not os.path.islink(source):
        with open_file(source, buffering=0) as file:
            options.file(place, iter(lambda: file.read(_READ), b""), stat.S_IMODE(os.fstat(file.fileno()).st_mode))
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place)
    os.symlink(os.readlink(source), place)
    os.chown(place, options.uid, options.gid, follow_symlinks=False)
    flush_directory(os.path.dirname(place))
