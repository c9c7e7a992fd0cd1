# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors of a function call in a node, by distribution or through the console: what erpc(3) and rpc(3) of kernel return instead of a value."""

from __future__ import annotations

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom


class CallError(OtpError):
    """A call returned no value."""


class Unreachable(CallError):
    """The node does not run there, or refuses the connection."""


class WrongCookie(Unreachable):
    """The node has another cookie."""


class NoTls(Unreachable):
    """The two sides do not agree on TLS, or what we need for it cannot be used."""


class OtherWay(BlockingIOError):
    """TLS waits for data before it can send, or for room before it can receive."""


class ConnectionLost(CallError):
    """The connection, and most likely the node, ended. It is not known whether the call was carried out."""


class CallTimeout(CallError):
    """No answer in time; the call may go on in the node."""


class Raised(CallError):
    """The function raised an exception.

    ``kind`` is error, exit or throw, ``reason`` a term, ``stacktrace`` a list of terms, empty if the node sends none.
    """

    def __init__(self, call: str, kind: str, reason, stacktrace=()) -> None:
        self.kind = kind
        self.reason = reason
        self.stacktrace = list(stacktrace)
        super().__init__(f"{call} raised {kind}:{shortened(reason)}")


def name_of(module: str, function: str, arguments) -> str:
    """The function as Module:Function/Arity. The arguments are left out: they may contain secrets."""
    return f"{module}:{function}/{len(arguments)}"


def shortened(term, limit: int = 300) -> str:
    """The term on one line, for a message."""
    from ansible_collections.erlang.otp.plugins.module_utils._terms import printer

    return printer.shortened(term, limit)


def value_of(outcome, call: str):
    """The value in {return,Value}; raises Raised for {throw,Reason}, {exit,Reason}, {error,Reason} and {error,Reason,Stacktrace}."""
    if isinstance(outcome, tuple) and len(outcome) in (2, 3) and isinstance(outcome[0], Atom):
        kind = outcome[0].name
        if kind == "return" and len(outcome) == 2:
            return outcome[1]
        if kind in ("throw", "exit", "error"):
            stacktrace = outcome[2] if len(outcome) == 3 and isinstance(outcome[2], list) else []
            raise Raised(call, kind, outcome[1], stacktrace)
    raise CallError(f"{call} ended without an answer: {shortened(outcome)}.")
