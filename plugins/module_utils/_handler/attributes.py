# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules without attributes, which no relup can load or replace.

release_handler asks for the version of each module that it loads, of the new file and of the one that it replaces (release_handler_1.erl,
load_object_code; beam_lib(3), version/1). It is in the chunk Attr, which beam_lib:strip/1 removes, and so did this collection before 0.2.0.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._formats.beam import lacks_chunk
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import read_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.relup_step import RelupStep
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

ATTRIBUTES = b"Attr"


def without_attributes(tree: Tree, current: str, new: str, step: RelupStep, package: t.Mapping[str, t.Any]) -> str:
    """The first library whose modules cannot be loaded or replaced on the way from one release to the other, as lib/NAME-VSN; "" if there is none.

    package: what is known of the new release while it is only there. Then it is not known of which applications the relup loads modules, and those that
    change their version count.
    """
    tree = getattr(tree, "shared", tree)
    before, after = _libraries(tree, current), _libraries(tree, new) or package.get("applications") or {}
    changed = {name for name, version in after.items() if before.get(name, version) != version}
    for name in sorted(changed if step.loads is None and not step.restarts else step.loads or ()):
        for library in dict.fromkeys(f"lib/{name}-{versions[name]}" for versions in (before, after) if name in versions):
            if _lacks_attributes(tree.path(library, "ebin")):
                return library
    return ""


def _libraries(tree: Tree, version: str) -> dict[str, str]:
    release = read_release(tree, version)
    return {item.name: item.version for item in release.applications} if release else {}


def _lacks_attributes(ebin: str) -> bool:
    """Whether the first module there does: a build strips all of a library, or nothing."""
    names = sorted(name for name in (os.listdir(ebin) if os.path.isdir(ebin) else ()) if name.endswith(".beam"))
    return bool(names) and lacks_chunk(read_file(os.path.join(ebin, names[0])) or b"", ATTRIBUTES)
