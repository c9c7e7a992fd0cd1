%% Copyright (c) The erlang.otp authors
%% GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
%% SPDX-License-Identifier: GPL-3.0-or-later

%% A telephone exchange: a small service that is worth upgrading.
-module(exchange_app).
-behaviour(application).

-export([start/2, stop/1]).

start(normal, []) ->
    exchange_sup:start_link().

stop(_State) ->
    ok.
