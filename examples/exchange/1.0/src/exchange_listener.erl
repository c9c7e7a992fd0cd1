%% Copyright (c) The erlang.otp authors
%% GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
%% SPDX-License-Identifier: GPL-3.0-or-later

%% Accepts connections on the port that the application's environment names.
%%
%% It waits for one in short turns, and looks into its message queue between them:
%% the release handler wants an answer from each process that it upgrades.
-module(exchange_listener).
-behaviour(gen_server).

-export([start_link/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(TURN, 100). % milliseconds

start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

init([]) ->
    {ok, Port} = application:get_env(port),
    {ok, Name} = application:get_env(ip),
    {ok, Address} = inet:parse_address(Name),
    Options = [binary, {packet, line}, {packet_size, 1024}, {active, false}, {reuseaddr, true},
               {backlog, 1024}, {ip, Address}],
    case gen_tcp:listen(Port, Options) of
        {ok, Listening} ->
            self() ! accept,
            {ok, Listening};
        {error, Reason} ->
            {stop, {cannot_listen, Name, Port, Reason}}
    end.

handle_info(accept, Listening) ->
    case gen_tcp:accept(Listening, ?TURN) of
        {ok, Socket} -> exchange_line_sup:start_line(Socket), again(Listening);
        {error, timeout} -> again(Listening);
        {error, econnaborted} -> again(Listening);
        {error, Reason} -> {stop, {cannot_accept, Reason}, Listening}
    end.

again(Listening) ->
    self() ! accept,
    {noreply, Listening}.

handle_call(_Request, _From, Listening) ->
    {reply, {error, unknown_call}, Listening}.

handle_cast(_Request, Listening) ->
    {noreply, Listening}.
