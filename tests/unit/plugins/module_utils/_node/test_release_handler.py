# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node reports about its releases, and the checks before a commit.

Rules: a refusal is an error with its reason; a check is repeated until it holds or its time is over; a check that is not a term is named.
A node may answer anything: what is of another type, or cannot be a version, a path or a process, is an error that quotes the answer.
"""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import Raised, Unreachable
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import (
    BadAnswer,
    Known,
    Refused,
    Running,
    call_release_handler,
    evaluate,
    observe,
    processes_in_old_code,
)
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import NotVerified, as_checks, verify
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom, Map, Opaque


class Node:
    """Answers calls from a list; the last one again and again."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.calls: list = []

    def call(self, *call, timeout: float):
        self.calls.append(call)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def node_of(*statuses: str) -> Running:
    releases = tuple(Known("x", *status.split(" "), ("kernel-8",)) for status in statuses)
    return Running("x@h", 1, 1, "started", True, releases, None, "", "/srv/x")


def test_what_runs_and_what_boots() -> None:
    node = node_of("2 unpacked", "1 permanent")
    assert (node.current, node.permanent, node.status_of("2"), node.status_of("3")) == ("1", "1", "unpacked", None)
    node = node_of("1 permanent", "2 current", "0 old")
    assert (node.current, node.permanent) == ("2", "1")
    assert (node_of().current, node_of().permanent) == (None, None)


@pytest.mark.parametrize(
    ("reason", "kind", "harmless"),
    [
        ((Atom("no_matching_relup"), "2", "1"), "no_matching_relup", True),
        ((Atom("old_processes"), Atom("m")), "old_processes", True),
        (((Atom("code_change_failed"), 1, 2), []), "code_change_failed", False),
        (Atom("client_node"), "client_node", False),
        ("text", "", False),
        ((), "", False),
    ],
)
def test_a_refusal(reason, kind: str, harmless: bool) -> None:
    with pytest.raises(Refused) as caught:
        call_release_handler(Node((Atom("error"), reason)), "install_release", ["2"], timeout=1.0)
    assert (caught.value.kind, caught.value.is_harmless) == (kind, harmless)
    assert str(caught.value).startswith('release_handler:install_release("2") answered {error,')


def test_an_answer() -> None:
    node = Node((Atom("ok"), "1", []))
    assert call_release_handler(node, "install_release", ["2"], timeout=1.0)[0] == Atom("ok")
    assert node.calls == [("release_handler", "install_release", ["2"])]


def test_checks_are_made_until_they_hold() -> None:
    node = Node(Atom("starting"), Raised("m:f/0", "exit", Atom("noproc")), (Atom("running"), 1))
    verify(node, as_checks([{"module": "m", "function": "f", "arguments": ["a", 1], "expect": "{running,_}"}]), timeout=600.0)
    assert node.calls == [("m", "f", [Atom("a"), 1])] * 3


def test_a_check_without_expectation_takes_any_value() -> None:
    verify(Node(Atom("whatever")), as_checks([{"module": "m", "function": "f"}]), timeout=1.0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (1, "m:f/0 returned 1, and 2 was expected, for 0 s"),
        (Raised("m:f/0", "error", Atom("undef")), "m:f/0 raised error:undef"),
        (Unreachable("There is no node."), "m:f/0 did not answer: There is no node."),
    ],
)
def test_a_check_that_does_not_hold(answer, said: str) -> None:
    with pytest.raises(NotVerified) as caught:
        verify(Node(answer), as_checks([{"module": "m", "function": "f", "expect": 2}]), timeout=0.0)
    assert said in str(caught.value)


def test_a_check_that_is_no_term_is_named() -> None:
    with pytest.raises(OtpError, match=r"verify\[1\].expect"):
        as_checks([{"module": "m", "function": "f"}, {"module": "m", "function": "f", "expect": "{"}])


PID, HANDLER = "123", Opaque("<0.50.0>", b"X")
RELEASES = [("x", "1", ["kernel-8"], Atom("permanent"))]
STATE = (PID, HANDLER, Atom("started"), RELEASES, Atom("none"), "", "/srv/x", "/srv/x/releases")


def answering(state) -> Node:
    node = Node((Atom("ok"), [], 1), (Atom("ok"), []), (Atom("value"), state, []))
    node.node = "x@h"
    return node


def test_a_state() -> None:
    assert observe(answering(STATE)) == Running(
        "x@h", 123, (123, b"X"), "started", True, (Known("x", "1", "permanent", ("kernel-8",)),), None, "", "/srv/x", "/srv/x/releases"
    )


def test_a_state_without_sasl() -> None:
    """The release is the one that init booted; each boot is another incarnation."""
    found = observe(answering((PID, Atom("undefined"), Atom("started"), (("x", "1"), HANDLER), *STATE[4:])))
    assert found.lacks_sasl and not found.has_handler and found.incarnation == (123, b"X") and found.releases == (Known("x", "1", "permanent", ()),)


def with_release(*release) -> tuple:
    return (*STATE[:3], [release], *STATE[4:])


BAD_STATES = {
    "an atom": Atom("no"),
    "nothing": (),
    "one more": (*STATE, 1),
    "a version that is an integer": with_release("x", 1, ["kernel-8"], Atom("permanent")),
    "a version that leads elsewhere": with_release("x", "../../etc", ["kernel-8"], Atom("permanent")),
    "a version with an escape": with_release("x", "\x1b[2J", ["kernel-8"], Atom("permanent")),
    "a name that is a map": with_release(Map([]), "1", ["kernel-8"], Atom("permanent")),
    "libraries that are an integer": with_release("x", "1", 8, Atom("permanent")),
    "libraries that are integers": with_release("x", "1", [8], Atom("permanent")),
    "a status that is text": with_release("x", "1", [], "permanent"),
    "three elements": with_release("x", "1", []),
    "releases that are an integer": (*STATE[:3], 5, *STATE[4:]),
    "releases that are integers": (*STATE[:3], [5], *STATE[4:]),
    "a boot script that is an integer": (*STATE[:3], (1, HANDLER), *STATE[4:]),
    "a boot script without a version": (*STATE[:3], (("x",), HANDLER), *STATE[4:]),
    "a boot script that leads elsewhere": (*STATE[:3], (("x", "../1"), HANDLER), *STATE[4:]),
    "a state of init that is a map": (*STATE[:2], Map([(Atom("name"), 1)]), *STATE[3:]),
    "a process that is none": ("0", *STATE[1:]),
    "a negative process": ("-1", *STATE[1:]),
    "a process that is an integer": (123, *STATE[1:]),
    "a process of other digits": ("\u0661", *STATE[1:]),
    "a long process": ("1" * 5000, *STATE[1:]),
    "a root that is an integer": (*STATE[:6], 1, STATE[7]),
    "a root with a null": (*STATE[:6], "/srv\0x", STATE[7]),
    "a root without end": (*STATE[:6], "/" * 5000, STATE[7]),
}


@pytest.mark.parametrize("state", BAD_STATES.values(), ids=BAD_STATES.keys())
def test_a_state_that_cannot_be(state) -> None:
    with pytest.raises(BadAnswer, match="asked for its state, answers") as caught:
        observe(answering(state))
    assert len(str(caught.value)) < 1000 and "\x1b" not in str(caught.value)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("answer", [1, Atom("ok"), (Atom("ok"),), (Atom("error"), 1), [Atom("ok"), 1], Map([]), "ok", ()])
def test_expressions_that_a_node_does_not_evaluate(number, answer) -> None:
    node = answering(STATE)
    node.answers[number] = answer
    with pytest.raises(BadAnswer, match="cannot evaluate"):
        evaluate(node, "ok.", timeout=1.0)


@pytest.mark.parametrize("answer", [1, Atom("a"), [1], [("m", [])], [(Atom("m"), 1)], Map([])])
def test_processes_in_old_code_that_cannot_be(answer) -> None:
    with pytest.raises(BadAnswer, match="old code"):
        processes_in_old_code(answering(answer))


def test_code_of_a_newer_otp_is_known_by_who_failed_to_read_it() -> None:
    """What release_handler of OTP 27 answers for a module that OTP 29 has compiled, with the calls in the middle of it left out."""
    badarg = (
        Atom("badarg"),
        [(Atom("erlang"), Atom("binary_to_atom"), [b"counterPstart\xa0", Atom("utf8")], []), (Atom("beam_lib"), Atom("extract_atom"), 2, [])],
    )
    reason = (Atom("EXIT"), ((Atom("badmatch"), (Atom("EXIT"), badarg)), [(Atom("beam_lib"), Atom("version"), 1, [])]))
    assert Refused("check_install_release", reason).is_of_newer_code
    other = (Atom("EXIT"), (Atom("badarg"), [(Atom("beam_lib"), Atom("version"), 1, [])]))
    assert not Refused("check_install_release", other).is_of_newer_code
    deep: list = []
    for _level in range(100_000):
        deep = [deep]
    assert not Refused("check_install_release", deep).is_of_newer_code
