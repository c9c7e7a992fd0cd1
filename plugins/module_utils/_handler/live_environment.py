# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a hot upgrade takes away from the environment of the node's applications: values that neither a resource file nor sys.config has.

install_release gives each application of the new release what its resource file (by the boot script) and sys.config say, and nothing else
(release_handler:change_appl_data/3, application_controller:do_change_apps/4). What application:set_env/3 has set since is lost by that. The node
itself compares, so that no value leaves it; and it adds those that are to be kept to the sys.config that release_handler reads, so that none has
another value at any moment, and config_change/3 of their application does not hear of them.
"""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.files import write_file
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._handler.node_upgrade import NodeUpgrade
from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import Problem
from ansible_collections.erlang.otp.plugins.module_utils._handler.providers import NotResolved, has_providers, path_of_resolved
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallError
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import evaluate, name_of_atom, understood
from ansible_collections.erlang.otp.plugins.module_utils._terms.printer import format_term
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import read_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.resolved_config import built_config, put_back, put_in_place

# Given(Boot, Config, Directory) is what the files give. A file that sys.config names is looked for beside it by a boot, and by a hot upgrade only in the
# working directory. Lost(App) is what the node has and the hot upgrade would not give, although the releases do not differ in that: {Key, Value}. Flags are
# given again; and Own is what kernel itself sets when it starts.
COMPARE = """
Read = fun(File) -> case file:consult(File) of {ok, [Terms]} when is_list(Terms) -> Terms; _ -> [] end end,
Named = fun(Name, Directory) ->
    Path = filename:rootname(Name, ".config") ++ ".config",
    Beside = filename:join(Directory, Path),
    Read(case Directory =/= "" andalso filelib:is_regular(Beside) of true -> Beside; false -> Path end)
end,
Specs = fun(Script) ->
    lists:append([
        case Step of
            {apply, {application, load, [Spec]}} -> [Spec];
            {kernelProcess, application_controller, {application_controller, start, [Spec]}} -> [Spec];
            _ -> []
        end
     || Step <- erlang:element(3, erlang:binary_to_term(Script))
    ])
end,
Given = fun(Boot, Config, Directory) ->
    case file:read_file(Boot) of
        {ok, Script} ->
            Set = lists:append([case Entry of {_, _} -> [Entry]; Name -> Named(Name, Directory) end || Entry <- Read(Config)]),
            maps:from_list([
                {App, maps:from_list(lists:append([proplists:get_value(env, Keys, []) | [Values || {Name, Values} <- Set, Name =:= App]]))}
             || {application, App, Keys} <- Specs(Script)
            ]);
        _ -> none
    end
end,
Flags = [{App, Word} || {App, Words} <- init:get_arguments(), Word <- Words],
Own = [{kernel, connect_all}, {kernel, logger}],
Before = Given(BEFORE ++ "/start.boot", BEFORE ++ "/sys.config", BEFORE),
After = Given(AFTER ++ "/start.boot", CONFIG, ""),
Booted = Given(AFTER ++ "/start.boot", CONFIG, AFTER),
Find = fun(App, Key, Apps) -> case Apps of none -> error; _ -> maps:find(Key, maps:get(App, Apps, #{})) end end,
IsOwn = fun(App, Key) -> lists:member({App, Key}, Own) orelse lists:member({App, erlang:atom_to_list(Key)}, Flags) end,
Lost = fun(App) ->
    [{Key, Value} || {Key, Value} <- lists:sort(application:get_all_env(App)), Key =/= included_applications, not IsOwn(App, Key),
        Find(App, Key, After) =/= {ok, Value},
        Find(App, Key, Before) =/= {ok, Value} orelse Find(App, Key, Booted) =:= {ok, Value}]
end,
Stays = fun(App) -> After =:= none orelse maps:is_key(App, After) end,
"""
NAMES = (
    COMPARE
    + """
case Before of
    none -> [];
    _ -> [{App, [Key || {Key, _} <- Lost(App)]} || App <- lists:sort(maps:keys(Before)), Stays(App), Lost(App) =/= []]
end.
"""
)
# A value such as a process cannot be written to a file, and so not be kept.
KEEP = (
    COMPARE
    + """
Writes = fun(Term) -> unicode:characters_to_binary(io_lib:format("%% coding: utf-8~n~tw.~n", [Term])) end,
IsTerm = fun(Value) ->
    case erl_scan:string(lists:flatten(io_lib:format("~tw.", [Value]))) of
        {ok, Tokens, _} -> erl_parse:parse_term(Tokens) =:= {ok, Value};
        _ -> false
    end
end,
Kept = [{App, Lost(App)} || App <- KEEP, Stays(App)],
case [{App, [Key || {Key, Value} <- Values, not IsTerm(Value)]} || {App, Values} <- Kept] of
    [] -> [];
    Bad ->
        case [Found || {_, [_ | _]} = Found <- Bad] of
            [] ->
                {ok, [Config]} = file:consult(CONFIG),
                ok = file:write_file(CONFIG, Writes(Config ++ Kept)),
                [];
            Some -> Some
        end
end.
"""
)
ONLY_WITH_PYTHON = "values of the node's environment are kept on hosts with Python only, and not for clients"


def _expressions(text: str, upgrade: NodeUpgrade, version: str, config: str = "", keep: t.Iterable[str] = ()) -> str:
    """The expressions, with their files. config: the sys.config of the release to come, if it is another file."""
    directories = {name: f"{upgrade.running.directory}/{release}" for name, release in (("BEFORE", upgrade.running.current), ("AFTER", version))}
    terms: dict[str, t.Any] = {**directories, "CONFIG": config or f"{directories['AFTER']}/sys.config", "KEEP": [Atom(name) for name in keep]}
    return re.sub("|".join(terms), lambda name: format_term(terms[name[0]]), text)


def _keys(answer: t.Any) -> dict[str, list[str]]:
    return {name_of_atom(application): [name_of_atom(key) for key in keys] for application, keys in answer}


def _sentence(keys: t.Mapping[str, list[str]]) -> str:
    return "; ".join(f"{application}: {', '.join(names)}" for application, names in keys.items())


def check_environment(upgrade: NodeUpgrade, version: str) -> t.Iterator[Problem]:
    """Which values of the node a hot upgrade to the release would take away, by their names; and where none can be kept.

    Where the release is not on the host yet, values that it gives as well are named, too. Of releases with config providers nothing is known before.
    """
    tree, request = upgrade.tree, upgrade.request
    releases = [read_release(tree, known) for known in (upgrade.running.current or "", version)]
    known = {item.name for release in releases if release for item in release.applications}
    unknown = [name for name in request.keep_env if name not in known]
    if unknown and all(releases):
        cause = f"{named('keep_env')} names {', '.join(unknown)}, and neither release {upgrade.running.current} nor release {version} has such an application"
        yield Problem("keep_env", cause, "Correct the name")
    if request.keep_env and (remote_host() or request.client):
        yield Problem("keep_env", ONLY_WITH_PYTHON, f"Leave {named('keep_env')} empty")
    if any(has_providers(tree, each) for each in (version, upgrade.running.current or "")):
        return
    try:
        answer = evaluate(upgrade.session, _expressions(NAMES, upgrade, version), timeout=request.timeout)
        lost = understood(answer, _keys, "asked for its environment")
    except CallError as error:
        cause = f"what a hot upgrade takes away of the node's environment is not known: {str(error).rstrip('.')}"
        yield Problem("environment", cause, "Compare what application:get_all_env/1 returns before and after it", fatal=False)
        return
    lost = {application: keys for application, keys in lost.items() if application not in request.keep_env}
    if lost:
        cause = f"a hot upgrade takes away what the node's environment has beside its files, where release {version} does not give it ({_sentence(lost)})"
        yield Problem("environment", cause, f"List the applications in {named('keep_env')} to keep it, or have it in sys.config", fatal=False)


@contextlib.contextmanager
def kept(upgrade: NodeUpgrade, version: str) -> t.Iterator[None]:
    """Have release_handler find the values that are to be kept in sys.config of the release. What config providers have given is in place by then.

    Raises NotResolved, before anything else is done, if one cannot be kept.
    """
    tree, keep = upgrade.tree, upgrade.request.keep_env
    if not keep:
        yield
        return
    path, is_resolved = path_of_resolved(tree, version), has_providers(tree, version)
    try:
        if not is_resolved:
            write_file(path, built_config(tree, version) or b"[].\n", mode=0o600, flush=False)
        answer = evaluate(upgrade.session, _expressions(KEEP, upgrade, version, path, keep), timeout=upgrade.request.timeout)
        others = understood(answer, _keys, "asked to keep values of its environment")
        if others:
            raise NotResolved(
                f"what is to be kept of the node's environment has processes, or other values that no file has ({_sentence(others)}). Leave these"
                f" applications out of {named('keep_env')}, and have them set the values again in config_change/3."
            )
        if not is_resolved:
            put_in_place(tree, version, path)
        yield
    finally:
        if not is_resolved:
            put_back(tree, version)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
