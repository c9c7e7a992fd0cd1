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
import typing as t

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
    return _is_own(read_file(tree.path(path)) or b"")


def _is_own(content: bytes) -> bool:
    return MARK in content[:200]


def find_scripts(script: str, contents: t.Mapping[str, bytes]) -> dict[str, list[str]]:
    """The hooks of each script of relx or mix in bin, by its path: bin/NAME, and those of relx with a version in their names. contents: of the files there."""
    others = [path for path in sorted(contents) if path.startswith(f"{script}-") and not path.endswith(KEPT) and RELX in contents[path]]
    found = [*others, *([script] if script in contents and not _is_own(contents[script]) else [])]
    return {path: [f"{name.decode()} ({what.decode('utf-8', 'replace')})" for name, what in HOOK.findall(contents[path])] for path in found}


def set_aside(tree: Tree, script: str, changes: Changes, options: FileOptions, *, coming: t.Mapping[str, list[str]] | None = None) -> list[str]:
    """Keep a script of relx or mix, and those of relx with a version in their names, each as PATH.orig, and remove them from their places.

    coming: in check mode, find_scripts() of a package that is not there yet. Returns a warning if such a script would run hooks.
    """
    names = [name for name in tree.names("bin") if f"bin/{name}" == script or name.startswith(os.path.basename(script) + "-")]
    contents = {f"bin/{name}": read_file(tree.path("bin", name)) or b"" for name in names}
    new = {path: hooks for path, hooks in (coming or {}).items() if path not in contents}
    found = {**find_scripts(script, contents), **new}
    for path in found:
        sentence = f"keep {tree.path(path)} of the package as {tree.path(path)}{KEPT}"
        changes.do(sentence, _move, tree.path(path), contents.get(path, b""), options)
    hooks = dict.fromkeys(hook for of_script in found.values() for hook in of_script)
    if not hooks:
        return []
    ways = "otp_hooks of the playbooks or otp_unit_lines (ExecStartPre) can do the same"
    return [f"the package's own bin/{os.path.basename(script)} runs hooks, and nothing on this host does: {', '.join(hooks)}. {ways}."]


def _move(path: str, content: bytes, options: FileOptions) -> None:
    options.file(path + KEPT, content, 0o644)
    os.unlink(path)
