# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the code that a node has loaded is that of the files of its release: a module that was exchanged in a shell is not (code(3), beam_lib(3)).

The node compares, because it has both; so this finds what was done by hand, and not a node that was made to answer falsely.
"""

from __future__ import annotations

import fnmatch
import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._drift.files import MAX_FINDINGS, Finding, module_of
from ansible_collections.erlang.otp.plugins.module_utils._handler.protocols import CONSOLIDATED
from ansible_collections.erlang.otp.plugins.module_utils._node.connect import NodeAddress, connect
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import evaluate, observe, short_text, understood
from ansible_collections.erlang.otp.plugins.module_utils._node.without_sasl import with_files
from ansible_collections.erlang.otp.plugins.module_utils._terms.printer import format_term
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

# Preloaded modules are in the emulator, and of files of the release only. A file may be compressed as a whole. OTP 27 has another function to read files.
QUESTION = """
Read = case erlang:function_exported(erl_prim_loader, read_file, 1) of
    true -> fun(Path) -> erl_prim_loader:read_file(Path) end;
    false -> fun(Path) -> case erl_prim_loader:get_file(Path) of {ok, Bytes, _} -> {ok, Bytes}; Error -> Error end end
end,
Plain = fun(Bytes) -> try zlib:gunzip(Bytes) catch _:_ -> Bytes end end,
Digest = fun(Path) -> case Read(Path) of {ok, Bytes} -> code:module_md5(Plain(Bytes)); _ -> none end end,
Files = maps:from_list([{filename:rootname(Name), filename:join(Ebin, Name)}
    || Ebin <- EBINS, {ok, Names} <- [erl_prim_loader:list_dir(Ebin)], Name <- Names, filename:extension(Name) =:= ".beam"]),
Loaded = [{erlang:atom_to_list(Module), Module} || Module <- erlang:loaded() -- erlang:pre_loaded()],
{erlang:length(Loaded),
 [Path || {Name, Module} <- Loaded, {ok, Path} <- [maps:find(Name, Files)], Digest(Path) =/= Module:module_info(md5)],
 [Name || {Name, _} <- Loaded, not maps:is_key(Name, Files)]}.
"""


class LoadedCode(t.NamedTuple):
    """How many modules were compared, and those that are not of its files."""

    compared: int
    findings: list[Finding]


def compare_modules(tree: Tree, address: NodeAddress, *, timeout: float, ignore: t.Sequence[str] = ()) -> LoadedCode:
    """Compare what the node has loaded with the files of the release that it runs. ignore: patterns of names of modules. Raises CallError, OtpError."""
    with connect(address, timeout=timeout) as node:
        version = with_files(observe(node, timeout=timeout), tree).current
        question = QUESTION.replace("EBINS", format_term(ebins_of(tree, version)))
        count, changed, added = understood(evaluate(node, question, timeout=timeout), _answer, "asked which code it has loaded")
    findings = [Finding("module", module_of(path), f"the module {module_of(path)} in the node is not that of {path}") for path in changed]
    findings += [Finding("module", name, f"the module {name} in the node is in no file of release {version}") for name in added]
    counted = [finding for finding in findings if not any(fnmatch.fnmatchcase(finding.path, pattern) for pattern in ignore)]
    return LoadedCode(count, counted[:MAX_FINDINGS])


def ebins_of(tree: Tree, version: str | None) -> list[str]:
    """The directories with modules of the release as the node names them; of two with one module, the code path has the later one first."""
    libraries = [library for entry in tree.releases() or [] if entry.version == version for library in entry.libraries]
    return [*(os.path.join(tree.root, library.directory, "ebin") for library in libraries), os.path.join(tree.root, "releases", version or "", CONSOLIDATED)]


def _answer(answer: t.Any) -> tuple[int, list[str], list[str]]:
    count, changed, added = answer
    if not isinstance(count, int):
        raise ValueError
    return count, sorted(map(short_text, changed)), sorted(map(short_text, added))
