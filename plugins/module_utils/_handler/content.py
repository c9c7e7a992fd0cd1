# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node runs, compared with the files of its release: versions of applications, and the code of modules that the release before does not have.

release_handler does what the relup says, and does not look whether that was all: a module that no instruction loads keeps its old code
(relup(4), code:module_md5/1).
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Release
from ansible_collections.erlang.otp.plugins.module_utils._handler.protocols import CONSOLIDATED, has_protocols
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import evaluate, name_of_atom, short_text, understood
from ansible_collections.erlang.otp.plugins.module_utils._terms.printer import format_term
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import read_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

# erl_prim_loader reads as the node does, also over the network. OTP 27 has another function for it.
QUESTION = """
Read = case erlang:function_exported(erl_prim_loader, read_file, 1) of
    true -> fun(Path) -> erl_prim_loader:read_file(Path) end;
    false -> fun(Path) -> case erl_prim_loader:get_file(Path) of {ok, Bytes, _} -> {ok, Bytes}; Error -> Error end end
end,
Same = fun(Old, Name, Digest) -> case Read(filename:join(Old, Name)) of {ok, Code} -> code:module_md5(Code) =:= Digest; _ -> false end end,
Protocols = case erl_prim_loader:list_dir(PROTOCOLS) of {ok, Consolidated} -> Consolidated; _ -> [] end,
Other = [Name || {Ebin, Old} <- EBINS, {ok, Names} <- [erl_prim_loader:list_dir(Ebin)], Name <- Names, filename:extension(Name) =:= ".beam",
    Ebin =:= PROTOCOLS orelse not lists:member(Name, Protocols),
    Module <- [erlang:list_to_atom(filename:rootname(Name))], erlang:module_loaded(Module),
    {ok, Code} <- [Read(filename:join(Ebin, Name))],
    Digest <- [code:module_md5(Code)], erlang:is_binary(Digest), Digest =/= Module:module_info(md5),
    not Same(Old, Name, Digest)],
{[{Application, Version} || {Application, _, Version} <- application:loaded_applications()], Other}.
"""
# Of modules or applications in a sentence.
LONGEST = 5


class Difference(t.NamedTuple):
    """What the node does not run of its release, as sentences, each of which may be empty. kept: of old code that does not count."""

    sentence: str = ""
    kept: str = ""


def what_differs(node, tree: Tree, version: str, before: str | None, *, timeout: float) -> Difference:
    """Compare what the node runs with its release. before: the release from which it came. Raises CallError, OtpError.

    A module that is the same in the files of both releases does not count: no instruction was to load it, whatever the node came from.
    Between releases with different ERTS, the modules that no instruction loads were compiled by another compiler: from their code nothing follows.
    """
    new, old = _ebins(tree, version), _ebins(tree, before or "")
    pairs = [(ebin, old.get(name, "")) for name, ebin in sorted(new.items()) if ebin != old.get(name)]
    protocols = [os.path.join(tree.root, "releases", name or "", CONSOLIDATED) for name in (version, before)]
    if has_protocols(tree, version):
        pairs.append((protocols[0], protocols[1]))
    question = QUESTION.replace("EBINS", format_term(pairs)).replace("PROTOCOLS", format_term(protocols[0]))
    loaded, other = understood(evaluate(node, question, timeout=timeout), _answer, "asked which code it runs")
    release = read_release(getattr(tree, "shared", tree), version)
    found, kept = [*_versions(release, loaded)] if release else [], ""
    if other and len({entry.erts_version for entry in tree.releases() or [] if entry.version in (version, before)}) > 1:
        kept = f"the node keeps the code of {_listed(sorted(other))} from before, which the relup does not load"
    elif other:
        found.append(f"the code of {_listed(sorted(other))} in the node is not that of the package: does the appup load it?")
    return Difference(f"the node does not run what release {version} is: {'; '.join(found)}" if found else "", kept)


def _ebins(tree: Tree, version: str) -> dict[str, str]:
    """The ebin directories of the release as the node names them, by application."""
    libraries = [library for entry in tree.releases() or [] if entry.version == version for library in entry.libraries]
    return {library.name: os.path.join(tree.root, library.directory, "ebin") for library in libraries}


def _answer(answer: t.Any) -> tuple[dict[str, str], list[str]]:
    loaded, other = answer
    return {name_of_atom(name): short_text(version) for name, version in loaded}, [short_text(name).rpartition(".")[0] for name in other]


def _versions(release: Release, loaded: t.Mapping[str, str]) -> t.Iterator[str]:
    missing = [item.name for item in release.applications if item.name not in loaded and item.type != "none"]
    if missing:
        yield f"{_listed(missing)} is not loaded"
    other = [f"{item.name} {loaded[item.name]} and not {item.version}" for item in release.applications if loaded.get(item.name, item.version) != item.version]
    if other:
        yield f"it has {_listed(other)}"


def _listed(names: t.Sequence[str]) -> str:
    return ", ".join(names[:LONGEST]) + (f" and {len(names) - LONGEST} more" if len(names) > LONGEST else "")
