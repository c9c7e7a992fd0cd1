# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program of the one run of ``erl``, in Erlang: it calls systools, and gives warnings and errors as data (systools.py)."""

from __future__ import annotations

# File "jobs" has a term per job; file "results" gets one for each, in which everything is text. A diagnostic is
# {Kind, Term, Sentence}; its kind is the tag of systools' term. If a relup fails, each use of an appup is translated alone, to find which one
# does. Files are stripped by as many processes as there are schedulers.
PROGRAM = r"""
[Directory] = init:get_plain_arguments(),
In = fun(Name) -> filename:join(Directory, Name) end,
Text = fun(Term) -> lists:flatten(io_lib:format("~0tp", [Term])) end,
Kind = fun Tag({Class, T}) when Class =:= error; Class =:= warning -> Tag(T);
           Tag(T) when is_tuple(T), T =/= {} -> Tag(element(1, T));
           Tag(T) when is_atom(T) -> atom_to_list(T);
           Tag(_) -> "error" end,
Flat = fun(Chars) -> unicode:characters_to_list([Chars]) end,
Warning = fun(Module) -> fun(W) -> {Kind(W), Text(W), Flat(Module:format_warning([W]))} end end,
Parts = fun(Es) when is_list(Es), Es =/= [] -> [{E, [E]} || E <- Es];
           (E) -> [{E, E}] end,
Strip = fun(Chunks, {From, To}) ->
    {ok, Beam} = file:read_file(From),
    {ok, {_, Stripped}} = beam_lib:strip(Beam, Chunks),
    ok = file:write_file(To, Stripped)
end,
Verdict = fun({ok, Module, Warnings}) -> {ok, [(Warning(Module))(W) || W <- Warnings]};
             ({ok, _Relup, Module, Warnings}) -> {ok, [{Kind(W), Text(W), Flat(Module:format_warning(W))} || W <- Warnings]};
             ({error, Module, Error}) -> {error, [{Kind(E), Text(E), Flat(Module:format_error(F))} || {E, F} <- Parts(Error)]};
             (Other) -> {error, [{"error", Text(Other), Text(Other)}]} end,
Try = fun(Call) ->
    try Call() catch _:Reason -> {error, [{"EXIT", Text({'EXIT', Reason}), lists:flatten(["systools ends with ", io_lib:format("~0tP", [Reason, 20])])}]} end
end,
Blamed = fun(Name, Path, {Direction, Earlier, Application, File, Version}) ->
    Applications = fun(N) -> {ok, _, Found, _} = systools_make:get_release(In(N), Path), [A || {_, A} <- Found] end,
    Translate = fun(Old, New) ->
        {ok, {_, Ups, Downs}} = systools_lib:read_term(File),
        {ok, Script} = systools_relup:appup_search_for_version(Version, case Direction of up -> Ups; dn -> Downs end),
        {From, To} = case Direction of up -> {Old, New}; dn -> {New, Old} end,
        case systools_rc:translate_scripts(Direction, [Script], To, From) of {ok, _} -> {ok, []}; Error -> Verdict(Error) end
    end,
    case {catch Applications(Earlier), catch Applications(Name)} of
        {Old, New} when is_list(Old), is_list(New) ->
            {_, Errors} = Try(fun() -> Translate(Old, New) end),
            [{K, T, lists:flatten(["application ", Application, ", ", File, ": ", Sentence])} || {K, T, Sentence} <- Errors];
        _ -> []
    end
end,
Do = fun({make_script, Name, Options}) ->
        Try(fun() -> Verdict(systools:make_script(In(Name), [silent, {outdir, Directory} | Options])) end);
    ({exref, Applications, Path}) ->
        Try(fun() ->
            {ok, _} = xref:start(exref, [{xref_mode, modules}]),
            {ok, _} = xref:set_default(exref, verbose, false),
            ok = xref:set_library_path(exref, Path),
            [{ok, _} = xref:add_application(exref, Ebin, [{name, Name}, {warnings, false}]) || {Name, Ebin} <- Applications],
            {ok, Undefined} = xref:analyze(exref, undefined_functions),
            {ok, [(Warning(systools_make))({warning, {exref_undef, Undefined}}) || Undefined =/= []]}
        end);
    ({make_relup, Name, Up, Down, Options, Uses}) ->
        Files = fun(Names) -> [In(N) || N <- Names] end,
        case Try(fun() -> Verdict(systools:make_relup(In(Name), Files(Up), Files(Down), [silent, {outdir, Directory} | Options])) end) of
            {error, _} = Failed ->
                case lists:append([Blamed(Name, proplists:get_value(path, Options), Use) || Use <- Uses]) of
                    [] -> Failed;
                    Found -> {error, Found}
                end;
            Made -> Made
        end;
    ({strip, Chunks, Files}) ->
        Self = self(),
        Count = erlang:system_info(schedulers),
        Worker = fun(Number) -> fun() ->
            Mine = [File || {Index, File} <- lists:zip(lists:seq(1, length(Files)), Files), Index rem Count =:= Number],
            Self ! {self(), catch lists:foreach(fun(File) -> Strip(Chunks, File) end, Mine)}
        end end,
        Workers = [spawn_link(Worker(Number)) || Number <- lists:seq(0, Count - 1)],
        case [Failed || Pid <- Workers, Failed <- [receive {Pid, Result} -> Result end], Failed =/= ok] of
            [] -> {ok, []};
            [First | _] -> {error, [{"strip", Text(First), "a BEAM file can't be stripped: " ++ Text(First)}]}
        end
end,
{ok, Jobs} = file:consult(In("jobs")),
Results = [Do(Job) || Job <- Jobs],
ok = file:write_file(In("results"), ["%% coding: utf-8\n" | [unicode:characters_to_binary(io_lib:format("~tp.~n", [R])) || R <- Results]]),
erlang:halt(0, [{flush, false}]).
"""
