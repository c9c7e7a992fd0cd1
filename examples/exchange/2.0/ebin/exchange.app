%% Copyright (c) The erlang.otp authors
%% GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
%% SPDX-License-Identifier: GPL-3.0-or-later

{application, exchange,
 [{description, "Telephone exchange"},
  {vsn, "2.0"},
  {modules, [exchange_app, exchange_line, exchange_line_sup, exchange_listener,
             exchange_sup, exchange_switch]},
  {registered, [exchange_line_sup, exchange_listener, exchange_sup, exchange_switch]},
  {applications, [kernel, stdlib]},
  {env, [{ip, "127.0.0.1"},
         {port, 7100}]},
  {mod, {exchange_app, []}}]}.
