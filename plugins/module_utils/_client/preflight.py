# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a client node reports about itself, and why its releases cannot be changed: checks in addition to those of ``_handler/preflight``.

OTP system documentation, "Releases", Disk-Less and/or Read-Only Clients; sasl(6); release_handler.erl, which calls each master by rpc.
"""

from __future__ import annotations

import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._handler.preflight import Problem
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Running, evaluate, short_text, understood
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, TermError
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree, Section
from ansible_collections.erlang.otp.plugins.module_utils._tree.register import read_release
from ansible_collections.erlang.otp.plugins.module_utils._tree.relup_step import RelupStep

# release_handler writes through all masters, and fails when one of them does not answer.
EXPRESSION = """
Value = fun(Key) -> case application:get_env(sasl, Key) of {ok, Found} -> Found; undefined -> undefined end end,
Masters = case Value(masters) of Names when is_list(Names) -> Names; _ -> [] end,
Silent = [Master || Master <- Masters, net_adm:ping(Master) =/= pong],
Loader = case init:get_argument(loader) of {ok, [[Name | _] | _]} -> Name; _ -> "efile" end,
{Masters, Silent, Value(client_directory), Value(start_prg), Value(static_emulator) =:= true, Loader}.
"""


class ClientFacts(t.NamedTuple):
    """The parameters that make the node a client. silent: masters that do not answer it; loader: efile, or inet for a client without a disk."""

    masters: tuple[str, ...]
    silent: tuple[str, ...]
    client_directory: str
    start_prg: str
    static_emulator: bool
    loader: str


def read_facts(node, *, timeout: float) -> ClientFacts:
    """Ask the node, a Connection or a Session, for its facts. Raises CallError."""
    return understood(evaluate(node, EXPRESSION, timeout=timeout), lambda answer: _facts(*answer), "asked for its masters")


def _facts(masters, silent, directory, program, static, loader) -> ClientFacts:
    return ClientFacts(_names(masters), _names(silent), _text(directory), _text(program), static == Atom("true"), _text(loader))


def _names(terms) -> tuple[str, ...]:
    return tuple(term.name for term in terms if isinstance(term, Atom))


def _text(term) -> str:
    try:
        return short_text(term)
    except TermError:
        return ""


def client_section(tree: ClientTree, facts: ClientFacts) -> Section:
    """The parameters of sasl that every sys.config of the client must have: install_release reads them again (release_handler(3))."""
    return Section(facts.masters, tree.client_directory, facts.start_prg, facts.static_emulator)


def check_client(tree: ClientTree, facts: ClientFacts, running: Running) -> t.Iterator[Problem]:
    """Whether the node is a client of this master: its parameters of sasl name this directory and masters that answer."""
    again = "Configure it (playbook erlang.otp.clients, or otp_release_client), and restart it"
    if not facts.masters or not facts.client_directory:
        yield Problem("no_client", f"the node {running.node} is not a client: its application sasl has no masters or no client_directory", again)
        return
    if facts.client_directory != tree.client_directory:
        cause = f"the client {running.node} has the directory {facts.client_directory}, not {tree.client_directory}"
        yield Problem("other_directory", cause, "The path must be the same on the client and on its masters. " + again)
        return
    if running.directory != tree.path("releases"):
        cause = f"the client {running.node} has its releases in {running.directory}, not in {tree.path('releases')}"
        yield Problem("other_directory", cause, "Set RELDIR to that directory in its start script")
    if not facts.start_prg:
        cause = f"sasl of the client {running.node} has no start_prg: a restart would start the master's {tree.root}/bin/start"
        yield Problem("start_program", cause, again)
    if facts.silent:
        cause = f"the client {running.node} cannot reach its master {', '.join(facts.silent)}, which writes its files"
        yield Problem("master", cause, "Start the master node, or repair the network between them")
    yield from _check_files(tree, facts)


def _check_files(tree: ClientTree, facts: ClientFacts) -> t.Iterator[Problem]:
    """The files that make_permanent overwrites; it fails when one is missing (release_handler.erl, set_permanent_files)."""
    needed = ("start.boot", "sys.config") if facts.static_emulator else ("start_erl.data",)
    missing = [tree.path("releases", name) for name in needed if not tree.has("releases", name)]
    if missing:
        kind = "has a static emulator" if facts.static_emulator else "has no static emulator"
        cause = f"the client {tree.client} {kind}, and {' and '.join(missing)} is missing: no release can be committed without it"
        yield Problem("missing_file", cause, "Complete its directory (playbook erlang.otp.clients, or otp_release_client)")


def check_client_step(tree: ClientTree, facts: ClientFacts, step: RelupStep | None, version: str) -> t.Iterator[Problem]:
    """Restarts of the emulator that a client cannot do: new_start_erl.data is on the master, and a static client has none."""
    if step is None or not step.restarts:
        return
    what = f"{step.path} restarts the emulator ({' and '.join(step.restarts)})"
    down = f"Stop the client, give it release {version} (otp_release and the playbook erlang.otp.clients, or otp_release_client), and start it"
    if facts.static_emulator:
        yield Problem("static_emulator", f"{what}, and the client {tree.client} has a static emulator", down)
    elif facts.loader == "inet":
        new = read_release(tree.shared, version)
        erts = f" Its host needs the files of ERTS {new.erts_version} as well" if new is not None else ""
        cause = (
            f"{what}, and the client {tree.client} has no disk: its start script cannot read the new_start_erl.data that its master writes,"
            " and the boot server answers only its own ERTS version"
        )
        yield Problem("diskless_restart", cause, down + "." + erts if erts else down)


def check_is_client(tree: ClientTree) -> None:
    """Raise OtpError when the client has no directory here."""
    if not tree.has("releases", "RELEASES"):
        raise OtpError(
            f"{tree.path('releases')} has no RELEASES, so {tree.client} is not a client here: create its directory"
            " (playbook erlang.otp.clients, or otp_release_client)"
        )
