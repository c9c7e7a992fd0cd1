%% Copyright (c) The erlang.otp authors
%% GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
%% SPDX-License-Identifier: GPL-3.0-or-later

%% Counts the calls of the last minute.
-module(exchange_meter).
-behaviour(gen_server).

-export([start_link/0, count/0, rate/0]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(MINUTE, 60). % seconds

start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% A call was made. The caller does not wait for the meter, which may be down.
count() ->
    gen_server:cast(?MODULE, {count, now_in_seconds()}).

%% Calls within the last minute.
rate() ->
    gen_server:call(?MODULE, {rate, now_in_seconds()}).

%% State: #{Second => Calls}, of the last minute
init([]) ->
    {ok, #{}}.

handle_call({rate, Now}, _From, State) ->
    Recent = recent(Now, State),
    {reply, lists:sum(maps:values(Recent)), Recent}.

handle_cast({count, Now}, State) ->
    case State of
        #{Now := Calls} -> {noreply, State#{Now := Calls + 1}};
        #{} -> {noreply, (recent(Now, State))#{Now => 1}}
    end.

recent(Now, State) ->
    maps:filter(fun(Second, _Calls) -> Second > Now - ?MINUTE end, State).

now_in_seconds() ->
    erlang:monotonic_time(second).
