# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``bin/NAME`` of a release: the script of the role target_system in the place of that of relx or mix.

Theirs would start a second emulator without heart, or write sys.config from the environment of the caller, and then the next start fails.
They are kept beside, as files that are not programs.
"""

from __future__ import annotations

import os
import re

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import PROGRAMS, SCRIPTS
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

# Its path, where the name of the release is not known.
CONTROL = "bin/{release}"
MARK = b"# Managed by Ansible (role erlang.otp.target_system)"
KEPT = ".orig"
# In each script of relx, and hardly in another one.
RELX = b"RELX_"
# The option extended_start_script_hooks of relx.
HOOK = re.compile(rb"""^([A-Z_]+_HOOKS?)=["']([^"']+)["']""", re.MULTILINE)
TAKEN = {*SCRIPTS, *PROGRAMS, "stop", "environment", "start.boot", "boot_server.args"}


def script_of(name: str) -> str | None:
    """The path of the script below the root directory; None for a release whose name is that of another file there."""
    return None if not name or "/" in name or name in TAKEN else f"bin/{name}"


def is_own(tree: Tree, path: str) -> bool:
    """Whether the file is the script of the role."""
    return MARK in (read_file(tree.path(path)) or b"")[:200]


def set_aside(tree: Tree, script: str, changes: Changes, options: FileOptions) -> list[str]:
    """Keep a script of relx or mix, and those of relx with a version in their names, each as PATH.orig, and remove them from their places.

    Returns a warning if such a script would run hooks.
    """
    hooks: dict[str, None] = {}
    prefix = os.path.basename(script) + "-"
    others = (f"bin/{name}" for name in tree.names("bin") if name.startswith(prefix) and not name.endswith(KEPT))
    for path in [*(path for path in others if RELX in (read_file(tree.path(path)) or b"")), *([] if is_own(tree, script) else [script])]:
        content = read_file(tree.path(path))
        if content is not None:
            changes.do(f"keep {tree.path(path)} of the package as {tree.path(path)}{KEPT}", _move, tree.path(path), content, options)
            hooks.update((f"{name.decode()} ({what.decode('utf-8', 'replace')})", None) for name, what in HOOK.findall(content))
    if not hooks:
        return []
    ways = "otp_hooks of the playbooks or otp_unit_lines (ExecStartPre) can do the same"
    return [f"the package's own bin/{os.path.basename(script)} runs hooks, and nothing on this host does: {', '.join(hooks)}. {ways}."]


def _move(path: str, content: bytes, options: FileOptions) -> None:
    options.file(path + KEPT, content, 0o644)
    os.unlink(path)
