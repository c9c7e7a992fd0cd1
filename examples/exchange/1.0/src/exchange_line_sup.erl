%% Copyright (c) The erlang.otp authors
%% GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
%% SPDX-License-Identifier: GPL-3.0-or-later

%% One child for each connection.
-module(exchange_line_sup).
-behaviour(supervisor).

-export([start_link/0, start_line/1]).
-export([init/1]).

start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, []).

%% The caller hands its socket over to the line that answers it from now on.
start_line(Socket) ->
    {ok, Line} = supervisor:start_child(?MODULE, [Socket]),
    case gen_tcp:controlling_process(Socket, Line) of
        ok -> exchange_line:listen(Line);
        {error, _Closed} -> supervisor:terminate_child(?MODULE, Line)
    end.

init([]) ->
    Flags = #{strategy => simple_one_for_one},
    {ok, {Flags, [#{id => exchange_line,
                    start => {exchange_line, start_link, []},
                    restart => temporary}]}}.
