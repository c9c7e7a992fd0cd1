# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node reports about its releases, and the checks before a commit.

Rules: a refusal is an error with its reason; a check is repeated until it holds or its time is over; a check that is not a term is named.
"""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import Raised, Unreachable
from ansible_collections.erlang.otp.plugins.module_utils._node.release_handler import Known, Refused, Running, call_release_handler
from ansible_collections.erlang.otp.plugins.module_utils._node.verify import NotVerified, as_checks, verify
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom


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
