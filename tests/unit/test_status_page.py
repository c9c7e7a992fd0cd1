# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of the playbook status: its policy lets a browser use this style and this script, and nothing else. tests/real/test_status_page.py has the browser.

The source of the rule is Content Security Policy Level 3, https://www.w3.org/TR/CSP3/.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).parents[2] / "playbooks/templates/status.html.j2"


@pytest.mark.parametrize("kind", ["style", "script"])
def test_the_policy_has_the_digest(kind: str) -> None:
    template = TEMPLATE.read_text(encoding="utf-8")
    (content,) = re.findall(rf"<{kind}>(.*?)</{kind}>", template, re.DOTALL)
    # They are the same for each fleet.
    assert not re.search(r"{{|{%|{#", content)
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    assert f" {kind}-src 'sha256-{digest}';" in template


def test_all_else_is_refused() -> None:
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', TEMPLATE.read_text(encoding="utf-8"))
    parts = dict(part.split(" ", 1) for part in policy.split("; "))
    assert {name: value for name, value in parts.items() if not value.startswith("'sha256-")} == dict.fromkeys(
        ("default-src", "base-uri", "form-action"), "'none'"
    )
    assert len(parts) == 5 and all(" " not in value for value in parts.values())
