# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How release_handler gets from one release to another: the entry of a ``relup`` that it chooses.

It looks for the version that runs in the relup of the new release, as an upgrade; then for the new version in the relup of
the release that runs, as a downgrade (release_handler.erl, get_rh_script; relup(4)).
"""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.relup import BOTH, parse_relup
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree


class RelupStep(t.NamedTuple):
    """What leads from one release to another. restarts: its instructions that restart the emulator; soft: the modules that it purges softly;
    loads: the applications of which it loads modules, None if that is not known.
    """

    path: str
    direction: str  # up, down
    restarts: tuple[str, ...]
    soft: frozenset[str] = frozenset()
    loads: frozenset[str] | None = None


class NoRelupStep(OtpError):
    """No entry leads from the one release to the other; the text lists the files that were read and what they have."""


def find_relup_step(tree: Tree, current: str, new: str, *, upgrade_from: t.Mapping[str, str] | None = None) -> RelupStep:
    """The entry by which release_handler goes from the current release to the new one. Raises NoRelupStep.

    upgrade_from: of a new release that is still in its package, upgrade_from of that package's relup.
    """
    sought = []
    if upgrade_from is not None:
        restarts = upgrade_from.get(current)
        if restarts is not None:
            return RelupStep("the package's relup", "up", {"none": (), "both": BOTH}.get(restarts, (restarts,)))
        only = f"no way up from {current}, only {', '.join(upgrade_from)}" if upgrade_from else "no relup"
        sought.append(f"the package has {only}")
    for version, other, direction in ((new, current, "up"), (current, new, "down")):
        if version == new and upgrade_from is not None:
            continue
        path = tree.path("releases", version, "relup")
        content = read_file(path)
        if content is None:
            sought.append(f"{path} is missing")
            continue
        try:
            relup = parse_relup(content, filename=path)
        except OtpError as error:
            sought.append(str(error))
            continue
        script = relup.script(direction, other)
        if script is not None:
            soft, loads = (frozenset(map(read, script.instructions)) - {""} for read in (_softly_purged, _loaded_from))
            return RelupStep(path, direction, script.restarts, soft, loads)
        known = ", ".join(entry.version for entry in getattr(relup, direction))
        sought.append(f"{path} has no way {direction} {'from' if direction == 'up' else 'to'} {other}, only {known or 'none'}")
    raise NoRelupStep(f"there is no way from release {current} to {new}: {'; '.join(sought)}")


def _loaded_from(instruction) -> str:
    """The application of which modules are loaded; "" for none."""
    if isinstance(instruction, tuple) and len(instruction) == 2 and instruction[0] == Atom("load_object_code"):
        what = instruction[1]
        if isinstance(what, tuple) and len(what) == 3 and isinstance(what[0], Atom):
            return what[0].name
    return ""


def _softly_purged(instruction) -> str:
    """The module that is not purged while a process runs its old code; "" for none."""
    if isinstance(instruction, tuple) and len(instruction) == 2 and instruction[0] in (Atom("load"), Atom("remove")):
        what = instruction[1]
        if isinstance(what, tuple) and len(what) == 3 and what[1] == Atom("soft_purge") and isinstance(what[0], Atom):
            return what[0].name
    return ""
