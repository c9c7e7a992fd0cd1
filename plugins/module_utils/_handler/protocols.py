# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The consolidated protocols of a release of mix, ``releases/VSN/consolidated``, in a node that comes to it without a restart.

They belong to no application, so no relup names them, and the code path has them by the boot script alone (code(3)). A consolidated protocol knows its
implementations, which a relup adds and removes; the protocol as its application has it looks for them at each call. So that one runs meanwhile.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import evaluate
from ansible_collections.erlang.otp.plugins.module_utils._terms.printer import format_term
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

CONSOLIDATED = "consolidated"
# What the code path has then of each module is loaded, as a boot does. Code that processes still run stays; the comparison with the release finds it.
EXPRESSIONS = """
Is = fun(Path) -> case lists:reverse(filename:split(Path)) of ["consolidated", _, "releases" | _] -> true; _ -> false end end,
[code:del_path(Path) || Path <- code:get_path(), Is(Path)],
[code:add_patha(Path) || Path <- PATHS],
[code:soft_purge(Module) andalso code:load_binary(Module, Path, Code)
 || Name <- NAMES, Module <- [erlang:list_to_atom(filename:rootname(Name))],
    Path <- [code:where_is_file(Name)], Path =/= non_existing, {ok, Code} <- [file:read_file(Path)],
    case erlang:module_loaded(Module) of true -> Module:module_info(md5) =/= code:module_md5(Code); false -> code:get_mode() =:= embedded end],
ok.
"""


def loosen_protocols(node, tree: Tree, before: str, version: str, *, timeout: float) -> None:
    """Make the protocols that differ between the releases look for their implementations at each call, in the node. Raises CallError."""
    _load(node, changed_protocols(tree, before, version), (), timeout)


def consolidate_protocols(node, tree: Tree, before: str, version: str, *, timeout: float) -> None:
    """Make the node run the consolidated protocols of the release. before: the other release, whose protocols it has had. Raises CallError."""
    _load(node, changed_protocols(tree, before, version), [os.path.join(tree.root, "releases", version, CONSOLIDATED)], timeout)


def changed_protocols(tree: Tree, before: str, version: str) -> list[str]:
    """The files that one of the releases lacks, or has with other content."""
    names = {*tree.names("releases", before, CONSOLIDATED), *tree.names("releases", version, CONSOLIDATED)}
    both = {name: [read_file(tree.path("releases", known, CONSOLIDATED, name)) for known in (before, version)] for name in names if name.endswith(".beam")}
    return sorted(name for name, (old, new) in both.items() if old != new)


def has_protocols(tree: Tree, *versions: str) -> bool:
    """Whether one of the releases has consolidated protocols."""
    return any(tree.has("releases", version, CONSOLIDATED) for version in versions)


def _load(node, names: t.Sequence[str], paths: t.Sequence[str], timeout: float) -> None:
    evaluate(node, EXPRESSIONS.replace("NAMES", format_term(list(names))).replace("PATHS", format_term(list(paths))), timeout=timeout)
