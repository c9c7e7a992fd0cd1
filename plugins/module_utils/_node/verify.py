# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user's own checks before a release is committed: function calls in the node, and the values that they must return."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.steps import step
from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import CallError, Raised, name_of, shortened
from ansible_collections.erlang.otp.plugins.module_utils._terms.patterns import as_pattern, as_term, matches

PAUSE = 0.1


class Check(t.NamedTuple):
    """A call, and the pattern that its value must match; None for any value."""

    module: str
    function: str
    arguments: list
    expected: t.Any


class NotVerified(OtpError):
    """A check did not return the expected value in time."""


def as_checks(given: t.Sequence[dict[str, t.Any]], option: str = "verify") -> tuple[Check, ...]:
    """The checks of a user: module, function, arguments, expect. Raises OtpError with the name of the wrong one, one of the option."""
    checks = []
    for number, item in enumerate(given):
        name = f"{option}[{number}]"
        arguments = [as_term(value, name=f"{name}.arguments[{index}]") for index, value in enumerate(item.get("arguments") or [])]
        expect = item.get("expect")
        checks.append(Check(item["module"], item["function"], arguments, None if expect is None else as_pattern(expect, name=f"{name}.expect")))
    return tuple(checks)


def verify(node, checks: t.Sequence[Check], *, timeout: float) -> None:
    """Repeat each call until it returns what is expected, for timeout seconds in all. Raises NotVerified with the last result, CallError."""
    deadline = time.monotonic() + timeout
    for number, check in enumerate(checks, 1):
        step(f"gate {number}/{len(checks)}")
        what = name_of(check.module, check.function, check.arguments)
        while True:
            left = deadline - time.monotonic()
            try:
                value = node.call(check.module, check.function, check.arguments, timeout=max(0.1, left))
                if check.expected is None or matches(check.expected, value):
                    break
                result = f"returned {shortened(value)}, and {shortened(check.expected)} was expected"
            except Raised as raised:
                result = f"raised {raised.kind}:{shortened(raised.reason)}"
            except CallError as error:
                raise NotVerified(f"{what} did not answer: {error}") from error
            if time.monotonic() + PAUSE > deadline:
                raise NotVerified(f"{what} {result}, for {timeout:g} s")
            time.sleep(PAUSE)
