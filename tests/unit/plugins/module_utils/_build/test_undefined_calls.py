# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: what systools leaves out without a word is an error; the sentence has some of the calls. tests/real/test_diagnostics.py has real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import CodePath, Found
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp
from ansible_collections.erlang.otp.plugins.module_utils._build.systools import Diagnostic
from ansible_collections.erlang.otp.plugins.module_utils._build.undefined_calls import SHOWN, check_exref, explained, looked_at
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Application


@pytest.fixture
def otp(tmp_path: Path) -> Otp:
    (tmp_path / "lib/kernel-9").mkdir(parents=True)
    return Otp(str(tmp_path), "15", "27")


def test_without_tools(otp: Otp, tmp_path: Path) -> None:
    with pytest.raises(OtpError, match=r"has no application tools, whose xref finds the calls\. Install it \(erlang-tools\), or leave the option out\."):
        check_exref(otp)
    (tmp_path / "lib/tools-4").mkdir()
    check_exref(otp)


def test_many_calls(otp: Otp) -> None:
    functions = ",".join(f"{{m,f,{arity}}}" for arity in range(SHOWN + 2))
    warning = explained(Diagnostic("exref_undef", f"{{warning,{{exref_undef,[{functions}]}}}}", "systools"), [], CodePath([], otp))
    assert len(warning.calls) == SHOWN + 2 and warning.sentence.endswith("; and 2 more.") and warning.sentence.count("m:f/") == SHOWN


def test_another_warning(otp: Otp) -> None:
    warning = Diagnostic("missing_sasl", "{warning,missing_sasl}", "sentence")
    assert explained(warning, [], CodePath([], otp)) is warning


def test_whose_calls_are_looked_at() -> None:
    own, otps = (Found(Application(name, "1", "", (), (), (), (), ()), b"", f"/{name}/ebin", name == "stdlib") for name in ("pea", "stdlib"))
    assert looked_at(True, [own, otps]) == [own] and looked_at(False, [own, otps]) == []
    assert looked_at(("stdlib",), [own, otps]) == [otps]
    with pytest.raises(OtpError, match=r"^exref: the release has no application leek and no chard\. It has: pea, stdlib\.$"):
        looked_at(("leek", "pea", "chard"), [own, otps])
