# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``$ROOT/bin``: the programs and scripts that start a system (OTP system principles, "Creating and Upgrading a Target System").

They belong to the permanent release. release_handler never touches them: after an upgrade of ERTS they still need the old ERTS.
"""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import PROGRAMS, SCRIPTS
from ansible_collections.erlang.otp.plugins.module_utils._tree.scripts import is_foreign, make_scripts
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

# The boot script of the basic system, kept in each release directory: bin/start.boot is made from that of the permanent release.
CLEAN_BOOT = "start_clean.boot"


def refresh_bin(
    tree: Tree,
    version: str,
    erts_version: str,
    changes: Changes,
    options: FileOptions,
    *,
    emulator: str = "beam",
    only_missing: bool = False,
    brought: t.Collection[str] = (),
) -> None:
    """Update bin to the release; with only_missing, add what is missing and replace scripts that run another tree. brought: paths that are not missing.

    bin/start of this tree stays, because it contains the flags of the node; bin/start_erl, because nothing in it depends on the release.
    """
    expected = _files_of(tree, version, erts_version, emulator)
    files = {}
    for name, (content, mode) in expected.items():
        there = read_file(tree.path("bin", name))
        stays = only_missing or name in ("start", "start_erl")
        if (
            (there is None and f"bin/{name}" not in brought)
            or (name in ("erl", "start") and is_foreign(there or b"", tree.root))
            or (there not in (None, content) and not stays)
        ):
            files[name] = content, mode
    if files:
        changes.do(_sentence(tree, version, files), _write, tree, files, options)


def foretell_bin(tree: Tree, version: str, erts_version: str, changes: Changes, brought: t.Collection[str]) -> None:
    """Record what refresh_bin() will do once the ERTS of the package is there, of which the scripts of bin have been made by then (``_install/stage_bin``)."""
    missing = [name for name in PROGRAMS if f"erts-{erts_version}/bin/{name}" in brought and f"bin/{name}" not in brought and not tree.has("bin", name)]
    if missing:
        changes.actions.append(_sentence(tree, version, missing))


def _sentence(tree: Tree, version: str, names: t.Iterable[str]) -> str:
    return f"bring {tree.path('bin')} up to release {version}: {', '.join(sorted(names))}"


def _files_of(tree: Tree, version: str, erts_version: str, emulator: str) -> dict[str, tuple[bytes, int]]:
    programs = tree.path(f"erts-{erts_version}", "bin")
    sources = {name: read_file(f"{programs}/{name}.src") for name in SCRIPTS}
    templates = {name: content for name, content in sources.items() if content is not None}
    boot = read_file(tree.path("releases", version, CLEAN_BOOT))
    scripts = make_scripts(root=tree.root, erts_version=erts_version, templates=templates, emulator=emulator, boot=boot or b"")
    expected = {name: (content, 0o755) for name, content in scripts.items()}
    for name in PROGRAMS:
        content = read_file(f"{programs}/{name}")
        if content is not None:
            expected[name] = content, 0o755
    if boot is not None:
        expected["start.boot"] = boot, 0o644
    return expected


def _write(tree: Tree, files: dict[str, tuple[bytes, int]], options: FileOptions) -> None:
    options.directory(tree.path("bin"))
    for name, (content, mode) in files.items():
        options.file(tree.path("bin", name), content, mode)
