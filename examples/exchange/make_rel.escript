%% Copyright (c) The erlang.otp authors
%% GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
%% SPDX-License-Identifier: GPL-3.0-or-later

%% escript make_rel.escript EBIN VERSION FILE.rel
%%
%% Writes a release resource file of the exchange in EBIN, with the versions of the Erlang/OTP that runs this.

main([Ebin, Version, File]) ->
    true = code:add_patha(Ebin),
    Applications = [{Name, application_version(Name)} || Name <- [kernel, stdlib, sasl, exchange]],
    Release = {release, {"exchange", Version}, {erts, erlang:system_info(version)}, Applications},
    ok = file:write_file(File, io_lib:format("~tp.~n", [Release])).

application_version(Name) ->
    _ = application:load(Name),
    {ok, Version} = application:get_key(Name, vsn),
    Version.
