# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain English in what users and contributors read.

Rules: words that readers with another first language stumble over are not used; task names begin with a plain verb. CONTRIBUTING.md has
the reasons. Where a word is right, as a part of OTP's own text, the sentence is written in another way, or the line is in ALLOWED.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
TEXTS = sorted(
    path
    for path in [*TOP.glob("*.md"), *(TOP / "docs").rglob("*"), *(TOP / "examples").glob("*.md"), *(TOP / "changelogs").rglob("*.y*ml")]
    if path.suffix in (".md", ".rst", ".yml", ".yaml")
)
CODE = sorted(
    path
    for name in ("plugins", "roles", "playbooks", "extensions", "examples")
    for path in (TOP / name).rglob("*")
    if path.suffix in (".py", ".yml", ".j2", ".sh", ".md")
)
# What is found, and what to write instead.
WORDS = {
    r"\bsaid\b": "reported, answered, returned",
    r"\bwanted\b": "requested, expected, the new",
    r"(?<!there )\b(is|are) ((?-i:none)|no (?!longer\b|more\b|other\b))": "is not a",
    r"\b(tells?|told)\b": "report, show, return",
    r"\b(lies?|lay)\b": "is, is in",
    r"\b(whoever|nobody|somebody)\b": "the one who is meant",
    r"\bof (its|their|his|her|your|our|one's) own\b": "its own, custom",
    r"\b(stands?|stood)\b": "is, passes",
    r"\bwhat is so\b": "current state",
    r"\btaken back\b|\btakes? .{1,40} back\b": "rolled back",
}
# Tests of Jinja, such as _otp_build.thin is none.
ALLOWED = re.compile(r"\w*[._][\w.]+ is none")
TASK = re.compile(r"^ *- name: (Have|Be|Tell|Say|Go|Look|Begin)\b.*", re.MULTILINE)


def find(path: Path) -> list[str]:
    text = ALLOWED.sub("", path.read_text(encoding="utf-8"))
    return [
        f"{path.relative_to(TOP)}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]!r}: write {instead}"
        for word, instead in WORDS.items()
        for match in re.finditer(word, text, re.IGNORECASE)
    ]


@pytest.mark.parametrize("files", [TEXTS, CODE], ids=["texts", "code"])
def test_plain_words_are_used(files: list[Path]) -> None:
    assert [line for path in files for line in find(path)] == []


def test_task_names_begin_with_a_plain_verb() -> None:
    found = [f"{path.relative_to(TOP)}: {name[0].strip()}" for path in CODE for name in TASK.finditer(path.read_text(encoding="utf-8"))]
    assert found == [], "write Ensure, Install, Start, Check, Report or Inspect"
