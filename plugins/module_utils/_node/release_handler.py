# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The releases of a running node, in one call, and release_handler's operations with their answers.

SASL's reference, release_handler(3). The answers that it does not document were found by experiment with OTP 25 and 27.
"""

from __future__ import annotations

import contextlib
import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.options import named
from ansible_collections.erlang.otp.plugins.module_utils._core.remote_host import remote_host
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallError, shortened
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import TermError, as_text
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, Opaque
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import check_version

# One expression, because a call through a console takes a hundred times as long as one by distribution. If an application does not start,
# init still reports started during the second in which the node ends; the application controller does not answer then.
# A node without sasl says what init booted, with a process that each boot replaces. The handler is looked for after the status: of a node that has
# started with sasl, it is there.
QUESTION = """
Heart = case erlang:whereis(heart) of undefined -> none; _ -> case catch heart:get_cmd() of {ok, Command} -> Command; _ -> [] end end,
Start = case application:get_env(sasl, start_prg) of {ok, Program} when is_list(Program) -> Program; _ -> [] end,
Home = case {application:get_env(sasl, masters), application:get_env(sasl, client_directory)} of
    {{ok, [_ | _]}, {ok, Client}} when is_list(Client) -> Client;
    _ -> code:root_dir()
end,
Reldir = case os:getenv("RELDIR") of false -> filename:join(Home, "releases"); Named -> Named end,
Directory = case application:get_env(sasl, releases_dir) of {ok, Chosen} when is_list(Chosen) -> Chosen; _ -> Reldir end,
{Status, Applications} = case erlang:element(1, init:get_status()) of
    started -> case catch application:which_applications(2000) of Running when is_list(Running) -> {started, Running}; _ -> {stopping, []} end;
    Other -> {Other, []}
end,
Handler = erlang:whereis(release_handler),
Which = case {Handler, Status, lists:keymember(sasl, 1, Applications)} of
    {undefined, started, false} -> {init:script_id(), erlang:whereis(kernel_sup)};
    {undefined, _, _} -> none;
    _ -> release_handler:which_releases()
end,
{os:getpid(), Handler, Status, Which, Heart, Start, code:root_dir(), Directory}.
"""
OLD_CODE = """
Name = fun(Process) -> case catch erlang:process_info(Process, registered_name) of {registered_name, Known} -> Known; _ -> Process end end,
[{Module, [Name(Process) || Process <- erlang:processes(), Process =/= erlang:self(), (catch erlang:check_process_code(Process, Module)) =:= true]}
 || {Module, _} <- code:all_loaded(), erlang:check_old_code(Module)].
"""
# Before kernel stops the process user, which writes to the terminal, it waits a second for user to write the rest, long after the
# applications have ended. This asks user to write the rest as soon as kernel has stopped all processes before it, and ends the wait.
SHORT_STOP = """
Children = supervisor:which_children(kernel_sup),
Stopped = [Pid || {_, Pid, _, _} <- lists:takewhile(fun(Child) -> erlang:element(1, Child) =/= user end, Children), erlang:is_pid(Pid)],
case lists:keyfind(user, 1, Children) of
    {user, Waits, _, _} when erlang:is_pid(Waits), Stopped =/= [] ->
        erlang:spawn(fun() ->
            Last = erlang:monitor(process, lists:last(Stopped)),
            receive
                {'DOWN', Last, process, _, shutdown} ->
                    catch user ! {io_request, erlang:self(), Last, {put_chars, unicode, ""}},
                    receive {io_reply, Last, _} -> ok after 100 -> ok end,
                    erlang:exit(Waits, kill)
            after 60000 -> ok
            end
        end);
    _ -> none
end,
ok.
"""
WITHOUT_RELEASES = "which started without RELEASES"
# In one expression: a run that is killed leaves no node without release_handler.
READ_AGAIN = "ok = supervisor:terminate_child(sasl_sup, release_handler), {ok, _} = supervisor:restart_child(sasl_sup, release_handler), ok."

# Errors that change nothing. After other errors the node may restart.
HARMLESS = (
    "no_such_file",
    "no_such_release",
    "no_matching_relup",
    "bad_relup_file",
    "already_installed",
    "enoent",
    "illegal_option",
    "old_processes",
    "no_master",
    "bad_masters",
)
MEANINGS = {
    "no_such_file": "a file of the release is missing",
    "no_such_release": "release_handler does not know the release",
    "no_matching_relup": "no relup leads there",
    "bad_relup_file": "the relup cannot be read",
    "old_processes": "processes still run old code of a module that is to be purged softly",
    "code_change_failed": "code_change failed",
    "bad_status": "the release has not been installed",
    "existing_release": "release_handler knows the release already",
    "client_node": "the node is a client: its master node unpacks and removes releases",
    "no_master": "none of the client's master nodes can be reached",
    "bad_masters": "these master nodes of the client cannot be reached",
}
SLOW_CODE_CHANGE = f"a code_change took longer than it may; set code_change_timeout of {named('install_options')} to more seconds"


# Of a path or a command.
LONGEST = 4096


class Known(t.NamedTuple):
    """A release that the node's release_handler knows. libraries: APP-VSN."""

    name: str
    version: str
    status: str
    libraries: tuple[str, ...]


class Running(t.NamedTuple):
    """A node at a moment. incarnation: differs after each restart, even in the same process.

    heart: its command, None without heart; start: the program that starts the node on another emulator, "" for bin/start;
    directory: where release_handler has its releases; lacks_sasl: its release has no sasl, and the only release that it knows is the booted one.
    """

    node: str
    pid: int
    incarnation: t.Any
    status: str  # of init: starting, started, stopping
    has_handler: bool
    releases: tuple[Known, ...]
    heart: str | None
    start: str
    root: str
    directory: str = ""
    lacks_sasl: bool = False

    def status_of(self, version: str) -> str | None:
        """The status of the release; None when the node does not know it."""
        return next((release.status for release in self.releases if release.version == version), None)

    @property
    def current(self) -> str | None:
        """The version of the release that runs: the current one, else the permanent one."""
        ranked = sorted(self.releases, key=lambda release: release.status != "current")
        return next((release.version for release in ranked if release.status in ("current", "permanent")), None)

    @property
    def permanent(self) -> str | None:
        """The version of the release that boots next."""
        return next((release.version for release in self.releases if release.status == "permanent"), None)


class Refused(OtpError):
    """release_handler answered {error,Reason}. ``kind``: the first atom of the reason."""

    def __init__(self, what: str, reason) -> None:
        self.reason = reason
        found = reason
        while isinstance(found, tuple) and found:
            found = found[0]
        self.kind = found.name if isinstance(found, Atom) else ""
        meaning = f": {SLOW_CODE_CHANGE}" if self.is_slow_code_change else f": {MEANINGS[self.kind]}" if self.kind in MEANINGS else ""
        super().__init__(f"release_handler:{what} answered {{error,{shortened(reason, 600)}}}{meaning}.")

    @property
    def is_slow_code_change(self) -> bool:
        """Whether a process took longer for its code_change than sys:change_code waits."""
        try:
            dummy, (problem, (module, function, dummy)) = self.reason
        except (TypeError, ValueError):
            return False
        return (problem, module, function) == (Atom("timeout"), Atom("sys"), Atom("change_code"))

    @property
    def lacks_attributes(self) -> bool:
        """Whether a module has no version, because it was stripped of its attributes (beam_lib(3), version/1)."""
        try:
            dummy, ((dummy, (dummy, module, (problem, dummy, chunk))), dummy) = self.reason
        except (TypeError, ValueError):
            return False
        return (module, problem, chunk) == (Atom("beam_lib"), Atom("missing_chunk"), "Attr")

    @property
    def is_of_newer_code(self) -> bool:
        """Whether a module was compiled by OTP 28 or newer, and the node is on an older one: its beam_lib cannot read such a table of atoms."""
        return any((Atom("beam_lib"), Atom(function)) in _calls(self.reason) for function in ("extract_atom", "extract_atoms"))

    @property
    def is_harmless(self) -> bool:
        return self.kind in HARMLESS


def _calls(reason: t.Any) -> t.Iterator[tuple[t.Any, t.Any]]:
    """Module and function of each entry of a stack trace, wherever in the term it is."""
    waiting = [reason]
    while waiting:
        term = waiting.pop()
        if isinstance(term, tuple) and len(term) == 4:
            yield term[:2]
        if isinstance(term, (list, tuple)):
            waiting += term


def observe(node, *, timeout: float = 10.0) -> Running:
    """The node as it is now; node is a Connection or a Console. Raises CallError, also when it is about to stop."""
    return understood(evaluate(node, QUESTION, timeout=timeout), lambda answer: _running(node.node, *answer), "asked for its state")


def _running(node: str, pid, handler, status, which, heart, start, root, directory) -> Running:
    number = process_number(as_text(pid))
    lacks_sasl = isinstance(which, tuple)
    if lacks_sasl:
        (name, version), mark = which
        which = [(name, version, [], Atom("permanent"))]
    else:
        mark = handler
    return Running(
        node=node,
        pid=number,
        incarnation=(number, mark.external if isinstance(mark, Opaque) else None),
        status=name_of_atom(status),
        has_handler=isinstance(handler, Opaque),
        lacks_sasl=lacks_sasl,
        releases=() if isinstance(which, Atom) else tuple(_known(*release) for release in which),
        heart=None if isinstance(heart, Atom) else short_text(heart),
        start=short_text(start),
        root=short_text(root),
        directory=short_text(directory),
    )


def _known(name, version, libraries, status) -> Known:
    release = Known(short_text(name), short_text(version), name_of_atom(status), tuple(map(short_text, libraries)))
    # It becomes the name of a directory.
    check_version(release.version)
    return release


def is_made_up(running: Running) -> bool:
    """Whether release_handler found no RELEASES when it started: it has made up one release then, without libraries, and would write that."""
    return running.has_handler and len(running.releases) == 1 and not running.releases[0].libraries


def read_again(node, *, timeout: float) -> None:
    """Have release_handler start again, so that it reads RELEASES: for a node on which is_made_up() is true. Raises CallError."""
    evaluate(node, READ_AGAIN, timeout=timeout)


def processes_in_old_code(node, *, timeout: float = 30.0) -> dict[str, list[str]]:
    """By module, the processes (registered names, else pids) that still run its old code: release_handler may end them when it commits."""

    def read(answer) -> dict[str, list[str]]:
        return {name_of_atom(module): [_text_of(process) for process in processes] for module, processes in answer}

    named = understood(evaluate(node, OLD_CODE, timeout=timeout), read, "asked for processes in old code")
    return {module: processes for module, processes in sorted(named.items()) if processes}


# What a node says may be anything.


class BadAnswer(CallError):
    """The node does not answer what it was asked."""


def understood(answer, read: t.Callable, asked: str):
    """The value that read() makes of the answer. Raises BadAnswer, which quotes the answer."""
    try:
        return read(answer)
    except (TypeError, ValueError, IndexError, TermError) as error:
        why = f" ({error})" if isinstance(error, TermError) else ""
        raise BadAnswer(f"The node, {asked}, answers {shortened(answer)}, which cannot be{why}. Look at what runs there.") from None
    except OtpError as error:
        raise BadAnswer(f"The node, {asked}, answers {shortened(answer)}. {error}") from None


def name_of_atom(term) -> str:
    """The name of an atom. Raises TermError for any other term."""
    if not isinstance(term, Atom):
        raise TermError(f"{shortened(term, 60)} is not an atom")
    return term.name


def short_text(term) -> str:
    """The text of a string, such as a path or a command. Raises TermError for another term, and for a string that can be none of these."""
    text = as_text(term)
    if len(text) > LONGEST or "\0" in text:
        raise TermError(f"{shortened(term, 60)} is not a text of at most {LONGEST} characters")
    return text


def process_number(text: str) -> int:
    """The number of a process, as os:getpid/0 says it. Raises ValueError."""
    if not re.fullmatch("[1-9][0-9]{0,9}", text):
        raise ValueError
    return int(text)


def _text_of(process) -> str:
    return process.name if isinstance(process, Atom) else shortened(process)


def evaluate(node, text: str, *, timeout: float):
    """The value of Erlang expressions, which the node parses itself. Raises CallError."""
    if remote_host():
        return remote_host().evaluate(text, timeout=timeout)
    tokens = _second("ok", node.call("erl_scan", "string", [text], timeout=timeout))
    parsed = _second("ok", node.call("erl_parse", "parse_exprs", [tokens], timeout=timeout))
    return _second("value", node.call("erl_eval", "exprs", [parsed, []], timeout=timeout))


def _second(tag: str, answer):
    if not (isinstance(answer, tuple) and len(answer) > 1 and answer[0] == Atom(tag)):
        raise BadAnswer(f"The node cannot evaluate the expressions: it answers {shortened(answer)}.")
    return answer[1]


def shorten_stop(node, *, timeout: float) -> None:
    """Make the node's next stop, within a minute, a second shorter if possible. The applications stop as usual."""
    with contextlib.suppress(CallError):
        evaluate(node, SHORT_STOP, timeout=timeout)


def call_release_handler(node, function: str, arguments: list, *, timeout: float):
    """The answer of release_handler:Function. Raises Refused for {error,Reason}, and CallError."""
    answer = node.call("release_handler", function, arguments, timeout=timeout)
    if isinstance(answer, tuple) and answer and answer[0] == Atom("error"):
        shown = ",".join(shortened(argument) for argument in arguments)
        raise Refused(f"{function}({shown})", answer[1] if len(answer) > 1 else Atom("unknown"))
    return answer
