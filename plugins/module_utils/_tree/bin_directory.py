# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``$ROOT/bin``: the programs and scripts by which a system is started. They belong to the permanent release.

release_handler never touches them: after an upgrade of ERTS they still are the old release's, and break when its ERTS goes.
"""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import FileOptions
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import PROGRAMS, SCRIPTS
from ansible_collections.erlang.otp.plugins.module_utils._tree.scripts import is_foreign, make_scripts
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

# The boot script of the basic system, kept beside each release: bin/start.boot can be made from it, whichever is permanent.
CLEAN_BOOT = "start_clean.boot"


def refresh_bin(
    tree: Tree, version: str, erts_version: str, changes: Changes, options: FileOptions, *, emulator: str = "beam", only_missing: bool = False
) -> None:
    """Bring bin up to the release; with only_missing, add what is not there and replace what runs another tree.

    bin/start is left alone as long as it is there and runs this tree: it holds the flags of the node. And bin/start_erl, which is
    given by bin/start what to run: nothing in it depends on the release.
    """
    expected = _files_of(tree, version, erts_version, emulator)
    files = {}
    for name, (content, mode) in expected.items():
        there = read_file(tree.path("bin", name))
        stays = only_missing or name in ("start", "start_erl")
        if there is None or (name in ("erl", "start") and is_foreign(there, tree.root)) or (there != content and not stays):
            files[name] = content, mode
    if files:
        names = ", ".join(sorted(files))
        changes.do(f"bring {tree.path('bin')} up to release {version}: {names}", _write, tree, files, options)


def _files_of(tree: Tree, version: str, erts_version: str, emulator: str) -> dict[str, tuple[bytes, int]]:
    home = tree.path(f"erts-{erts_version}", "bin")
    templates = {name: read_file(f"{home}/{name}.src") for name in SCRIPTS}
    scripts = make_scripts(
        root=tree.root,
        erts_version=erts_version,
        templates={name: content for name, content in templates.items() if content is not None},
        emulator=emulator,
    )
    expected = {name: (content, 0o755) for name, content in scripts.items()}
    for name in PROGRAMS:
        content = read_file(f"{home}/{name}")
        if content is not None:
            expected[name] = content, 0o755
    boot = read_file(tree.path("releases", version, CLEAN_BOOT))
    if boot is not None:
        expected["start.boot"] = boot, 0o644
    return expected


def _write(tree: Tree, files: dict[str, tuple[bytes, int]], options: FileOptions) -> None:
    options.directory(tree.path("bin"))
    for name, (content, mode) in files.items():
        options.file(tree.path("bin", name), content, mode)
