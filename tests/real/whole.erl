%% Copyright (c) The erlang.otp authors
%% GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
%% SPDX-License-Identifier: GPL-3.0-or-later

%% Whether a tree is whole, as OTP itself reads it: each line of standard input is a root directory, each answer is a line.
%% Of a tree without start_erl.data it is "nothing", of a whole one "boots VSN", otherwise the reason.
-module(whole).
-export([main/0]).

main() ->
    case io:get_line("") of
        eof -> halt();
        Line ->
            Answer = try look(string:trim(Line)) catch Class:Reason -> io_lib:format("~w: ~0tp", [Class, Reason]) end,
            io:format("~ts~n", [Answer]),
            main()
    end.

look(Root) ->
    case file:read_file(Root ++ "/releases/start_erl.data") of
        {error, enoent} -> "nothing";
        {ok, Data} ->
            [Erts, Vsn] = string:lexemes(binary_to_list(Data), " \n"),
            {ok, [Releases]} = file:consult(Root ++ "/releases/RELEASES"),
            [{release, _, Vsn, Erts, _, permanent}] = [Release || Release <- Releases, element(6, Release) =:= permanent],
            Known = by_release_handler(Root),
            Known = lists:sort([element(3, Release) || Release <- Releases]),
            [release(Root, Release) || Release <- Releases],
            [true = filelib:is_regular(Root ++ "/bin/" ++ Name) || Name <- ["erl", "start", "start_erl", "start.boot", "run_erl", "to_erl", "epmd"]],
            "boots " ++ Vsn
    end.

%% The versions that release_handler has when it starts with this tree.
by_release_handler(Root) ->
    ok = application:set_env(sasl, releases_dir, Root ++ "/releases"),
    {ok, Pid} = release_handler:start_link(),
    Found = [Vsn || {_, Vsn, _, _} <- release_handler:which_releases()],
    unlink(Pid),
    Monitor = monitor(process, Pid),
    exit(Pid, kill),
    receive {'DOWN', Monitor, _, _, _} -> lists:sort(Found) end.

release(Root, {release, Name, Vsn, Erts, Libraries, _}) ->
    Directory = Root ++ "/releases/" ++ Vsn,
    [Rel | _] = filelib:wildcard(Directory ++ "/*.rel"),
    {ok, [{release, {Name, Vsn}, {erts, Erts}, Applications}]} = file:consult(Rel),
    true = length(Applications) =:= length(Libraries),
    {ok, Boot} = file:read_file(Directory ++ "/start.boot"),
    {script, {Name, Vsn}, _} = binary_to_term(Boot),
    {ok, [_]} = file:consult(Directory ++ "/sys.config"),
    [true = filelib:is_regular(Root ++ "/erts-" ++ Erts ++ "/bin/" ++ Program) || Program <- ["erlexec", "beam.smp"]],
    [library(filename:join(Root, Path), Library, Version) || {Library, Version, Path} <- Libraries].

library(Path, Library, Version) ->
    {ok, [{application, Library, Keys}]} = file:consult(Path ++ "/ebin/" ++ atom_to_list(Library) ++ ".app"),
    {vsn, Version} = lists:keyfind(vsn, 1, Keys),
    {modules, Modules} = lists:keyfind(modules, 1, Keys),
    [{ok, {Module, _}} = beam_lib:md5(Path ++ "/ebin/" ++ atom_to_list(Module)) || Module <- Modules].
