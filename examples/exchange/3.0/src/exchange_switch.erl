%% Copyright (c) The erlang.otp authors
%% GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
%% SPDX-License-Identifier: GPL-3.0-or-later

%% Connects calls, and keeps for each subscriber the number of calls and the time of the last one.
-module(exchange_switch).
-behaviour(gen_server).
-define(VERSION, "3.0").
-vsn(?VERSION).

-export([start_link/0, version/0, dial/1, calls/0, calls/1, last/1]).
-export([init/1, handle_call/3, handle_cast/2, code_change/3]).

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

%% In seconds, as erlang:system_time(second), or never: also when the last call was made before 2.0.
last(Name) ->
    gen_server:call(?MODULE, {last, Name}).

%% State: #{Name => #{calls => Calls, last => Time}}
init([]) ->
    {ok, #{}}.

handle_call({dial, Name}, _From, State) ->
    Calls = calls(Name, State) + 1,
    exchange_meter:count(),
    {reply, Calls, State#{Name => #{calls => Calls, last => erlang:system_time(second)}}};
handle_call(calls, _From, State) ->
    {reply, lists:sum([Calls || #{calls := Calls} <- maps:values(State)]), State};
handle_call({calls, Name}, _From, State) ->
    {reply, calls(Name, State), State};
handle_call({last, Name}, _From, State) ->
    #{last := Last} = subscriber(Name, State),
    {reply, Last, State}.

handle_cast(_Request, State) ->
    {noreply, State}.

%% 2.0 has the same state; 1.0 had #{Name => Calls}.
code_change("2.0", State, _Extra) ->
    {ok, State};
code_change({down, "2.0"}, State, _Extra) ->
    {ok, State};
code_change("1.0", State, _Extra) ->
    {ok, maps:map(fun(_Name, Calls) -> #{calls => Calls, last => never} end, State)};
code_change({down, "1.0"}, State, _Extra) ->
    {ok, maps:map(fun(_Name, #{calls := Calls}) -> Calls end, State)}.

calls(Name, State) ->
    #{calls := Calls} = subscriber(Name, State),
    Calls.

subscriber(Name, State) ->
    maps:get(Name, State, #{calls => 0, last => never}).
