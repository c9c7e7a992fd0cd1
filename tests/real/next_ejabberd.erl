%% Copyright (c) The erlang.otp authors
%% GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
%% SPDX-License-Identifier: GPL-3.0-or-later

%% Makes two modules of ejabberd anew, out of the code in their debug information: of the version that is the second argument, in the directory that is
%% the first one. mod_version has it in ejabberd's name, and ejabberd_c2s tells each client when its session comes to this version or leaves it.
-mode(compile).

main([Ebin, Version]) ->
    change(Ebin, mod_version, fun(Form) -> named(Form, "ejabberd " ++ Version) end),
    change(Ebin, ejabberd_c2s, fun(Form) -> told(Form, Version) end).

change(Ebin, Module, Change) ->
    File = filename:join(Ebin, atom_to_list(Module) ++ ".beam"),
    {ok, {Module, [{abstract_code, {raw_abstract_v1, Forms}}]}} = beam_lib:chunks(File, [abstract_code]),
    {ok, Module, Code} = compile:forms([Change(Form) || Form <- Forms], [debug_info]),
    {ok, Earlier} = beam_lib:version(File),
    ok = file:write_file(File, Code),
    {ok, Later} = beam_lib:version(File),
    true = Earlier =/= Later.

named({function, _, process_local_iq, _, _} = Form, Name) -> replaced(Form, Name);
named(Form, _) -> Form.

replaced({string, Place, "ejabberd"}, Name) -> {string, Place, Name};
replaced(Form, Name) when is_tuple(Form) -> list_to_tuple(replaced(tuple_to_list(Form), Name));
replaced(Forms, Name) when is_list(Forms) -> [replaced(Form, Name) || Form <- Forms];
replaced(Form, _) -> Form.

told({function, _, code_change, 3, _}, Version) ->
    Text = "code_change(Earlier, State, _) ->\n"
           "    Way = case Earlier of {down, _} -> <<\"leaves\">>; _ -> <<\"enters\">> end,\n"
           "    Stanza = fxml_stream:parse_element(<<\"<message><body>\", Way/binary, \" " ++ Version ++ "</body></message>\">>),\n"
           "    {ok, xmpp_stream_in:send(State, xmpp:decode(Stanza))}.\n",
    {ok, Tokens, _} = erl_scan:string(Text),
    {ok, Form} = erl_parse:parse_form(Tokens),
    Form;
told(Form, _) -> Form.
