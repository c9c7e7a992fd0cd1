# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the comparison with packages (``_drift``) needs of a box in its copy: contents, and owners and permissions as the box lists them.

The box says the sha256 of each file. What a package has with that sha256 is completed from there; of the rest, those files are asked for whose bytes may differ
and still count as the same (``_formats/significant``). All others keep a mark, which no package has.
"""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._drift.files import Look
from ansible_collections.erlang.otp.plugins.plugin_utils._box.box import Box
from ansible_collections.erlang.otp.plugins.plugin_utils._box.delivery import content_of
from ansible_collections.erlang.otp.plugins.plugin_utils._box.mirror import MARK

# Files that are not compared by their bytes.
KINDS = (".beam", ".app")
# More of them are a box that has another system, or that an attacker has filled: then bytes count.
MOST = 500


def bring_contents(box: Box, known: t.Sequence[t.Mapping[str, t.Any]]) -> None:
    """Complete the copy. known: ``package``, a path on the controller, and ``files``, by path, of each release that is compared. Raises OtpError."""
    if not known:
        return
    box.refresh(SUMS="yes")
    _complete(box, known)
    expected = {path for manifest in known for path in manifest["files"]}
    unknown = [path for path in box.inspection.sums if path in expected and path.endswith(KINDS) and not _is_completed(box, path)]
    if 0 < len(unknown) <= MOST:
        box.refresh(SUMS="yes", OWN="\n".join(unknown))
        _complete(box, known)


def _complete(box: Box, known: t.Sequence[t.Mapping[str, t.Any]]) -> None:
    for manifest in known:
        box.mirror.add_package(manifest["package"])


def _is_completed(box: Box, path: str) -> bool:
    entry = box.inspection.entries.get(path)
    return entry is None or entry.kind != "-" or not content_of(box.mirror.place(path)).startswith(MARK)


def look_on_box(box: Box) -> Look:
    """As of find_drift(). What was put into the copy will be the user's who has the system."""
    entries, root = box.inspection.entries, box.target.root

    def look(path: str, status: os.stat_result) -> tuple[int, int]:
        entry = entries.get(path or root)
        if entry and (not path or box.mirror.is_as_on_box(path)):
            return entry.uid, entry.mode
        return entries[root].uid, stat.S_IMODE(status.st_mode)

    return look
