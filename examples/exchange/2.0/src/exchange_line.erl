%% Copyright (c) The erlang.otp authors
%% GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
%% SPDX-License-Identifier: GPL-3.0-or-later

%% One connection: a line with a command in, a line with the answer out.
-module(exchange_line).
-behaviour(gen_server).

-export([start_link/1, listen/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

start_link(Socket) ->
    gen_server:start_link(?MODULE, Socket, []).

%% The socket is ours: begin.
listen(Line) ->
    gen_server:cast(Line, listen).

init(Socket) ->
    {ok, Socket}.

handle_cast(listen, Socket) ->
    next(Socket).

handle_info({tcp, Socket, Text}, Socket) ->
    case answer(string:lexemes(Text, " \t\r\n")) of
        bye ->
            {stop, normal, Socket};
        Answer ->
            _ = gen_tcp:send(Socket, [Answer, $\n]),
            next(Socket)
    end;
handle_info({tcp_closed, Socket}, Socket) ->
    {stop, normal, Socket};
handle_info({tcp_error, Socket, _Reason}, Socket) ->
    {stop, normal, Socket}.

handle_call(_Request, _From, Socket) ->
    {reply, {error, unknown_call}, Socket}.

next(Socket) ->
    case inet:setopts(Socket, [{active, once}]) of
        ok -> {noreply, Socket};
        {error, _Closed} -> {stop, normal, Socket}
    end.

answer([<<"version">>]) ->
    ["version ", exchange_switch:version()];
answer([<<"node">>]) ->
    io_lib:format("node ~s pid ~s", [node(), os:getpid()]);
answer([<<"dial">>, Name]) ->
    io_lib:format("dialled ~s ~b", [Name, exchange_switch:dial(Name)]);
answer([<<"calls">>]) ->
    io_lib:format("calls ~b", [exchange_switch:calls()]);
answer([<<"calls">>, Name]) ->
    io_lib:format("calls ~s ~b", [Name, exchange_switch:calls(Name)]);
answer([<<"last">>, Name]) ->
    case exchange_switch:last(Name) of
        never -> ["last ", Name, " never"];
        Time -> ["last ", Name, " ", calendar:system_time_to_rfc3339(Time)]
    end;
answer([<<"bye">>]) ->
    bye;
answer(_Other) ->
    "error unknown command".
