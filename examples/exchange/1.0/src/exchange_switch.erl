%% Copyright (c) The erlang.otp authors
%% GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
%% SPDX-License-Identifier: GPL-3.0-or-later

%% Connects calls, and keeps the number of calls of each subscriber.
-module(exchange_switch).
-behaviour(gen_server).
-define(VERSION, "1.0").
-vsn(?VERSION).

-export([start_link/0, version/0, dial/1, calls/0, calls/1]).
-export([init/1, handle_call/3, handle_cast/2]).

start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% The version of the code that runs.
version() ->
    ?VERSION.

dial(Name) ->
    gen_server:call(?MODULE, {dial, Name}).

calls() ->
    gen_server:call(?MODULE, calls).

calls(Name) ->
    gen_server:call(?MODULE, {calls, Name}).

%% State: #{Name => Calls}
init([]) ->
    {ok, #{}}.

handle_call({dial, Name}, _From, State) ->
    Calls = maps:get(Name, State, 0) + 1,
    {reply, Calls, State#{Name => Calls}};
handle_call(calls, _From, State) ->
    {reply, lists:sum(maps:values(State)), State};
handle_call({calls, Name}, _From, State) ->
    {reply, maps:get(Name, State, 0), State}.

handle_cast(_Request, State) ->
    {noreply, State}.
