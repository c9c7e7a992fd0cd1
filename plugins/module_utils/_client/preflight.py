# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a client node says of itself as a client, and why its releases could not be changed, beside what ``_handler/preflight`` finds of any node."""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import Problem
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running, evaluate
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, TermError, as_text
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree, Section
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import read_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.relup_step import RelupStep

# A master that is down is told from one that answers by a call, as release_handler's own are.
QUESTION = """
Value = fun(Key) -> case application:get_env(sasl, Key) of {ok, Found} -> Found; undefined -> undefined end end,
Masters = case Value(masters) of Names when is_list(Names) -> Names; _ -> [] end,
Silent = [Master || Master <- Masters, net_adm:ping(Master) =/= pong],
Loader = case init:get_argument(loader) of {ok, [[Name | _] | _]} -> Name; _ -> "efile" end,
{Masters, Silent, Value(client_directory), Value(start_prg), Value(static_emulator) =:= true, Loader}.
"""


class ClientFacts(t.NamedTuple):
    """What makes the node a client, by its own words. silent: masters that do not answer it; loader: efile, or inet of one that has no disk."""

    masters: tuple[str, ...]
    silent: tuple[str, ...]
    client_directory: str
    start_prg: str
    static_emulator: bool
    loader: str


def ask(node, *, timeout: float) -> ClientFacts:
    """The facts; node is a Connection or a Session. Raises CallError."""
    masters, silent, directory, program, static, loader = evaluate(node, QUESTION, timeout=timeout)
    return ClientFacts(_names(masters), _names(silent), _text(directory), _text(program), static == Atom("true"), _text(loader))


def _names(terms) -> tuple[str, ...]:
    return tuple(term.name for term in terms if isinstance(term, Atom))


def _text(term) -> str:
    try:
        return as_text(term)
    except TermError:
        return ""


def section_now(tree: ClientTree, facts: ClientFacts) -> Section:
    """What every sys.config of the client has to say: it is read anew when a release is installed."""
    return Section(facts.masters, tree.client_directory, facts.start_prg, facts.static_emulator)


def check_client(tree: ClientTree, facts: ClientFacts, running: Running) -> t.Iterator[Problem]:
    """The node as a client of this master, before anything is written."""
    again = "Configure it with otp_release_client, and start it again"
    if not facts.masters or not facts.client_directory:
        yield Problem("no_client", f"the node {running.node} is no client: sasl has no masters, or no client_directory", again)
        return
    if facts.client_directory != tree.client_directory:
        cause = f"the client {running.node} has the directory {facts.client_directory}, and not {tree.client_directory}"
        yield Problem("other_directory", cause, "The path must be the same on the client and on its masters. " + again)
        return
    if running.directory != tree.path("releases"):
        cause = f"the client {running.node} has its releases in {running.directory}, and not in {tree.path('releases')}"
        yield Problem("other_directory", cause, "Its start script has to set RELDIR so")
    if not facts.start_prg:
        cause = f"sasl of the client {running.node} has no start_prg, so that a restart would start the master's {tree.root}/bin/start"
        yield Problem("start_program", cause, again)
    if facts.silent:
        cause = f"the client {running.node} cannot reach its master {', '.join(facts.silent)}, through which it has its files written"
        yield Problem("master", cause, "Start the master node, or see to the network between them")
    yield from _check_files(tree, facts)


def _check_files(tree: ClientTree, facts: ClientFacts) -> t.Iterator[Problem]:
    """What release_handler overwrites when it commits, and fails when it is not there."""
    needed = ("start.boot", "sys.config") if facts.static_emulator else ("start_erl.data",)
    missing = [tree.path("releases", name) for name in needed if not tree.has("releases", name)]
    if missing:
        kind = "has a static emulator" if facts.static_emulator else "has no static emulator"
        cause = f"the client {tree.client} {kind}, and {' and '.join(missing)} is missing, without which no release is committed"
        yield Problem("missing_file", cause, "Have its directory completed by otp_release_client")


def check_client_step(tree: ClientTree, facts: ClientFacts, passage: RelupStep | None, version: str) -> t.Iterator[Problem]:
    """What a client cannot do on the way to a release."""
    if passage is None or not passage.restarts:
        return
    what = f"{passage.path} restarts the emulator ({' and '.join(passage.restarts)})"
    down = f"Stop the client, have release {version} appointed to it by otp_release_client, and start it"
    if facts.static_emulator:
        yield Problem("static_emulator", f"{what}, and the emulator of the client {tree.client} is static", down)
    elif facts.loader == "inet":
        new = read_release(tree.shared, version)
        erts = f" Its host needs the files of ERTS {new.erts_version} as well" if new is not None else ""
        cause = (
            f"{what}, and the client {tree.client} has no disk: its start script cannot read the new_start_erl.data that its master writes,"
            " and the boot server answers no other ERTS than its own"
        )
        yield Problem("diskless_restart", cause, down + "." + erts if erts else down)


def check_is_client(tree: ClientTree) -> None:
    """Raise OtpError when the client has no directory here."""
    if not tree.has("releases", "RELEASES"):
        raise OtpError(f"{tree.path('releases')} has no RELEASES, so {tree.client} is no client here: make its directory with otp_release_client")
