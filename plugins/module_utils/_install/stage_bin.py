# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stages what a package lacks of ``$ROOT/bin``: scripts, and the boot script of the basic system, as target_system:install/2 makes them."""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.module_utils._install.unpack import Unpacked
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import Writer
from ansible_collections.erlang.otp.plugins.module_utils._tree.bin_directory import CLEAN_BOOT
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import SCRIPTS
from ansible_collections.erlang.otp.plugins.module_utils._tree.scripts import make_scripts
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree


def stage_bin(tree: Tree, unpacked: Unpacked, writer: Writer, emulator: str) -> None:
    """Stage the missing scripts, the boot script of the basic system, and its copy in the release directory.

    If the tree has this ERTS already, what is missing of bin is made from that (``_tree/bin_directory``).
    """
    release = unpacked.release
    has_erts = tree.has(f"erts-{release.erts_version}")
    programs = f"erts-{release.erts_version}/bin"
    templates = {name: unpacked.texts[f"{programs}/{name}.src"] for name in SCRIPTS if f"{programs}/{name}.src" in unpacked.texts}
    boot = unpacked.texts.get("bin/start.boot")
    clean = f"releases/{release.version}/{CLEAN_BOOT}"
    basic = unpacked.texts.get(clean) or boot or b""
    scripts = make_scripts(root=tree.root, erts_version=release.erts_version, templates=templates, emulator=emulator, boot=basic)
    files = {f"bin/{name}": (content, 0o755) for name, content in scripts.items()}
    if clean in unpacked.texts:
        files["bin/start.boot"] = unpacked.texts[clean], 0o644
    elif boot is not None:
        files[clean] = boot, 0o644
    for path, (content, mode) in files.items():
        taken = path in unpacked.paths or tree.has(path) or (has_erts and path.startswith("bin/"))
        if not taken and not (path == clean and tree.has("releases", release.version)):
            writer.make_directories(path.rpartition("/")[0])
            writer.write_file(path, [content], mode)
