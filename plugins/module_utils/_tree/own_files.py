# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operator's files of a system (``otp_files``): which paths they may have, and ``$ROOT/releases/own_files``, which lists those that are laid out.

The list has a line for each: the sha256 of its content, words, and its path below ``$ROOT``. It is not JSON, because the shell of a box reads it as well.
It is a file of the service user, so nothing in it is trusted: with its paths, that user's rights alone are used (docs/design.md, Walls).
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import read_file
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

LIST = "releases/own_files"
MAX_LIST = 16 << 20
# $ROOT/run is the run directory, or a link to it.
RUN = "run"
# Directories of packages and of the collection, and what a node has in its run directory.
TAKEN = {"bin", "lib", "log", "releases", "tls"}
TAKEN_IN_RUN = {"emulator.pid", "pipe", "sys.config", "vm.args"}

# Words of a line. The emulator reads the file at its start.
RESTART = "restart"
# The call that a change of the file wants has not been made.
DUE = "due"
# The file was removed, and a node may run with it; followed by the time in nanoseconds.
GONE = "gone="
_LINE = re.compile(r"([0-9a-f]{64}) (\S+) (.+)")


class Entry:
    """A line. words: RESTART, DUE; gone: when the file was removed, 0 if it was not."""

    def __init__(self, sha256: str, words: frozenset[str] = frozenset(), gone: int = 0) -> None:
        self.sha256 = sha256
        self.words = words
        self.gone = gone

    def format(self, path: str) -> str:
        words = ",".join([*sorted(self.words), *([f"{GONE}{self.gone}"] if self.gone else [])])
        return f"{self.sha256} {words or '-'} {path}\n"


def path_problem(path: str) -> str:
    """What is wrong with the path of a file below the root directory, as the end of a sentence; empty if nothing is."""
    parts = path.split("/")
    if not path.isprintable() or not path:
        return "give a path of printable characters"
    if path.startswith("/"):
        return "it is absolute. Give the path below the root directory, such as etc/exchange.conf"
    if {"", ".", ".."} & set(parts):
        return "write it without '//', '.', '..' and a slash at the end"
    first, second = parts[0], "/".join(parts[1:2])
    if first in TAKEN or first.startswith(("erts-", ".")):
        return f"{first} is for the files of packages and of the collection. Use another directory, such as etc"
    if first == RUN and (not second or second in TAKEN_IN_RUN or second.startswith(".")):
        return f"{path} is one of the files of the node itself. Use another name"
    return ""


def read_list(tree: Tree, name: str = LIST, problem: t.Callable[[str], str] = path_problem) -> dict[str, Entry]:
    """The files that are laid out, by path. Other lines do not count. name: of another list of this form; problem: of a path there."""
    try:
        content = read_file(tree.path(name), limit=MAX_LIST, follow=False) or b""
    except (NotADirectoryError, OtpError):
        return {}
    found = {}
    for line in content.decode("utf-8", "replace").split("\n"):
        parts = _LINE.fullmatch(line)
        if parts and not problem(parts[3]):
            words = parts[2].split(",")
            gone = next((word[len(GONE) :] for word in words if word.startswith(GONE)), "")
            found[parts[3]] = Entry(parts[1], frozenset({RESTART, DUE}.intersection(words)), int(gone) if gone.isdecimal() and len(gone) < 20 else 0)
    return found


def format_list(entries: dict[str, Entry]) -> bytes:
    """The text of the list."""
    return "".join(entry.format(path) for path, entry in sorted(entries.items())).encode("utf-8")


def read_at_start(tree: Tree) -> dict[str, int]:
    """The files that the emulator reads at its start, by path on this host: when they were removed, or 0."""
    return {tree.path(path): entry.gone for path, entry in read_list(tree).items() if RESTART in entry.words}


def paths_problem(paths: list[str]) -> str:
    """What is wrong with the paths of a list of files, as the end of a sentence that names the wrong one; empty if nothing is."""
    for number, path in enumerate(paths):
        if problem := path_problem(path):
            return f"{path!r}: {problem}"
        if path in paths[:number]:
            return f"{path!r} twice: leave one of them out"
        above = next((other for other in paths if path.startswith(f"{other}/")), "")
        if above:
            return f"{path!r}, and {above!r}, which would be a directory then: rename one of them"
    return ""
