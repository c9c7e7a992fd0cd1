# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The extra files of packages: what is neither in a versioned directory nor in bin, log and the like. Those in the root are the permanent release's.

Each release has its own below ``releases/VSN/extra``, and a list of them; ``releases/extra_files`` lists those that are in the root. So what differs from
that list was changed on the host: it is kept beside. release_handler knows none of these files.

The root directory may be root's, and a directory in it that of another user: each place is worked on with the rights of who can write it.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import stat
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.checksum import sha256
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import flush_directory
from ansible_collections.erlang.otp.plugins.module_utils._core.identity import as_owner
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import open_file
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._tree.own_files import TAKEN, Entry, format_list, read_list
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

# In a release directory, and in the staging directory of an installation.
EXTRA = "extra"
LIST = "extra_files"
KEPT = ".kept"
# Directories and files of the root that no package decides.
PRIVATE = {*TAKEN, "run", ".previous", ".staging", ".lock", ".handler.lock", ".box.lock", ".incoming", ".systems", ".libraries"}
_READ = 1 << 18
# Bytes: a larger file, which may be sparse, is that of no package.
_MAX_FILE = 4 << 30


class Kept(t.NamedTuple):
    """A file of the host that stays: its name now, why, and what to do about it."""

    name: str
    cause: str
    remedy: str


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


def follow_extra(tree: Tree, version: str, changes: Changes, options: FileOptions, *, is_first: bool = False) -> list[Kept]:
    """Bring the extra files of the root to the release, which becomes permanent. Returns the files of the host that are kept.

    is_first: they are part of the installation of the first release. Nothing is done for a release that an earlier version of the collection has installed.
    """
    if not tree.has("releases", version, LIST):
        return []
    coming, there = _listed(tree, f"releases/{version}/{LIST}"), _listed(tree, f"releases/{LIST}")
    if coming == there:
        return []
    # What the operator has listed is the operator's.
    own = read_list(tree)
    going = {*there} - {*coming} - {*own}
    listed = [path for path in sorted({*coming, *there}) if path not in own]
    problems = {path: problem for path in listed if (problem := _problem_of(tree, path, going))}
    paths = {path: _found(tree, path, going) for path in listed if path not in problems}
    differing = [path for path, found in paths.items() if found is not None and found not in (there.get(path), coming.get(path))]
    # If both releases bring the same file, a change of the host stays.
    changed = [path for path in differing if coming.get(path) != there.get(path)]
    stale = [path for path, found in paths.items() if found != coming.get(path) and (path in changed or path not in differing)]
    brought, gone = [path for path in stale if path in coming], [path for path in stale if path not in coming and path not in changed]
    kept = [_not_brought(tree, version, path, problem) for path, problem in problems.items() if coming.get(path, there.get(path)) != there.get(path)]
    for path in changed:
        kept.append(_keep_beside(tree, path, "was changed on this host" if path in there else "was on this host before", changes))
    if brought or gone:
        names = ", ".join([*brought, *(f"without {path}" for path in gone)])
        sentence = f"bring the extra files below {tree.directory} to release {version}: {names}"
        (Changes() if is_first and not changes.check_mode else changes).do(sentence, _bring, tree, version, brought, gone, options)
    if not changes.check_mode:
        options.file(tree.path("releases", LIST), format_list({path: Entry(digest) for path, digest in coming.items()}))
    return kept


def _listed(tree: Tree, path: str) -> dict[str, str]:
    return {name: entry.sha256 for name, entry in read_list(tree, path, extra_problem).items()}


def _rights(tree: Tree, path: str):
    """Work at a place in the tree with the rights of who can write its directory."""
    return as_owner(os.path.dirname(tree.path(path)), tree.destdir)


def _problem_of(tree: Tree, path: str, going: t.Collection[str]) -> str:
    """What is in the way of a file, as a part of a sentence; empty if nothing is. going: the files that this change removes."""
    parts = path.split("/")[:-1]
    for above in itertools.accumulate(parts, "{}/{}".format):
        try:
            mode = os.lstat(tree.path(above)).st_mode
        except FileNotFoundError:
            break
        except OSError as error:
            return f"{tree.path(above)}: {error.strerror}"
        if not stat.S_ISDIR(mode):
            return "" if above in going else f"{tree.path(above)} is {'a link' if stat.S_ISLNK(mode) else 'no directory'} on this host"
    try:
        with _rights(tree, path):
            return ""
    except OtpError as error:
        return str(error).rstrip(".")


def _found(tree: Tree, path: str, going: t.Collection[str]) -> str | None:
    """The digest of what is in the place of a file, with which nothing is in the way."""
    for above in going:
        if path.startswith(f"{above}/") and (os.path.islink(tree.path(above)) or not os.path.isdir(tree.path(above))):
            return None
    with _rights(tree, path):
        return _digest(tree.path(path))


def _digest(path: str) -> str | None:
    """The sha256 of a file, or of where a link leads; None if nothing is there; empty for anything else."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(found.st_mode):
        return hashlib.sha256(b"link to " + os.fsencode(os.readlink(path))).hexdigest()
    if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_FILE:
        return ""
    host = remote_host()
    return (host.sha256_of(path) if host else "") or sha256(path)


def _not_brought(tree: Tree, version: str, path: str, problem: str) -> Kept:
    place = tree.path(path)
    remedy = f"Copy it from {tree.path('releases', version, EXTRA, path)}, if it is needed there"
    return Kept(place, f"{place} of the package was not brought: {problem}", remedy)


def _keep_beside(tree: Tree, path: str, why: str, changes: Changes) -> Kept:
    """Rename a file of the host. An earlier one that was kept stays."""
    place = tree.path(path)
    with _rights(tree, path):
        names = (f"{place}{KEPT}{number}" for number in itertools.chain([""], itertools.count(2)))
        name = next(name for name in names if not os.path.lexists(name))
        changes.do(f"keep {place}, which {why}, as {name}", os.rename, place, name)
    return Kept(name, f"{place} of the package {why}, and is kept as {name}", "Take what you need of it, and remove it")


def _bring(tree: Tree, version: str, brought: list[str], gone: list[str], options: FileOptions) -> None:
    for path in gone:
        # A directory of another file may have been kept beside.
        with _rights(tree, path), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(tree.path(path))
            with contextlib.suppress(OSError):
                # One that has other files stays.
                os.removedirs(os.path.dirname(tree.path(path)))
    for path in brought:
        copy_extra(tree, version, path, options)


def copy_extra(tree: Tree, version: str, path: str, options: FileOptions) -> None:
    """Copy an extra file of the release to its place."""
    user = os.geteuid()
    for above in itertools.accumulate(path.split("/")[:-1], "{}/{}".format):
        with _rights(tree, above):
            if not os.path.isdir(tree.path(above)):
                _options_here(options, user).directory(tree.path(above))
    of_release = f"releases/{version}/{EXTRA}/{path}"
    source, place = tree.path(of_release), tree.path(path)
    with _rights(tree, of_release):
        target = os.readlink(source) if os.path.islink(source) else None
        file = open_file(source, buffering=0) if target is None else None
    with _rights(tree, path):
        if file is not None:
            with file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                _options_here(options, user).file(place, iter(lambda: file.read(_READ), b""), mode)
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place)
        os.symlink(target, place)
        here = _options_here(options, user)
        os.chown(place, here.uid, here.gid, follow_symlinks=False)
        flush_directory(os.path.dirname(place))


def _options_here(options: FileOptions, user: int) -> FileOptions:
    """How to write a file: beside it, because the place may be on another file system. It belongs to who is worked as, if that is not the tree's user."""
    uid, gid = (options.uid, options.gid) if os.geteuid() == user else (-1, -1)
    return options._replace(uid=uid, gid=gid, beside=None)
