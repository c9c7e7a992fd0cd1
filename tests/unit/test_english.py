# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain English in what users and contributors read.

Rules: words that readers with another first language stumble over are not used; names of tasks, blocks and plays are imperatives of plain
verbs. CONTRIBUTING.md has the reasons. Where a word is right, as a part of OTP's own text, the sentence is written in another way, or the line is in ALLOWED.
"""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).parents[2]
TEXTS = sorted(
    path
    for path in [*TOP.glob("*.md"), *(TOP / "docs").rglob("*"), *(TOP / "examples").glob("*.md"), *(TOP / "changelogs").rglob("*.y*ml")]
    if path.suffix in (".md", ".rst", ".yml", ".yaml")
)
CODE = sorted(
    path
    for name in ("plugins", "roles", "playbooks", "extensions", "examples", "tests/integration")
    for path in (TOP / name).rglob("*")
    if path.suffix in (".py", ".yml", ".j2", ".sh", ".md")
)
# What is found, and what to write instead.
WORDS = {
    r"\bsaid\b": "reported, answered, returned",
    r"\bwanted\b": "requested, expected, the new",
    r"(?<!there )\b(is|are) ((?-i:none)|no (?!longer\b|more\b|other\b))": "is not a",
    r"\b(tells?|told)\b": "report, show, return",
    r"\b_otp_(said|told|brought|went)\b": "a name that says what it is, such as _otp_bring_result",
    r"\b(lies?|lay)\b": "is, is in",
    r"\b(whoever|nobody|somebody)\b": "the one who is meant",
    r"\bof (its|their|his|her|your|our|one's) own\b": "its own, custom",
    r"\b(stands?|stood)\b": "is, passes",
    r"\bwhat is so\b": "current state",
    r"\btaken back\b|\btakes? .{1,40} back\b": "rolled back",
}
# Tests of Jinja, such as _otp_build.thin is none.
ALLOWED = re.compile(r"\w*[._][\w.]+ is none")
# What names of tasks begin with. Another verb that every reader knows may be added; one that means the same as one of these may not.
VERBS = set(
    """Add Ask Authorize Bring Build Call Cause Change Check Clear Commit Compare Compile Configure Create Decide Deploy Drain End Ensure Fail Find
    Finish Get Initialize Inspect Install Kill List Load Make Migrate Pack Ping Prepare Put Read Reboot Record Refuse Reload Remove Report
    Reset Restart Restore Roll Run Set Show Sign Skip Start Stop Switch Test Try Unpack Update Upgrade Use Verify Wait Warn Write""".split()
)


class Loader(yaml.SafeLoader):
    """YAML of Ansible; what its tags mean is of no interest here."""


Loader.add_multi_constructor("!", lambda _loader, _tag, _node: None)


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


def examples_of(path: Path) -> str:
    """The EXAMPLES of a plugin."""
    assigned = {ast.unparse(node.targets[0]): node.value for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.Assign)}
    return ast.literal_eval(assigned["EXAMPLES"]) if "EXAMPLES" in assigned else ""


def names(data: object) -> t.Iterator[str]:
    """The names of the tasks, blocks and plays in YAML: what has one is a module's call, a block, or has hosts."""
    if isinstance(data, dict):
        if "name" in data and any("." in key or key in ("block", "hosts") for key in data):
            yield data["name"]
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from names(item)


def test_task_names_are_imperatives_of_plain_verbs() -> None:
    texts = {path: examples_of(path) if path.suffix == ".py" else path.read_text("utf-8") for path in CODE if path.suffix in (".py", ".yml")}
    found = {path: list(names(yaml.load(text, Loader))) for path, text in texts.items()}
    folders = {path.relative_to(TOP).parts[0] for path, of_file in found.items() if of_file}
    assert folders == {"plugins", "roles", "playbooks", "extensions", "tests"}
    wrong = [f"{path.relative_to(TOP)}: {name}" for path, of_file in found.items() for name in of_file if re.split(r"\W", name)[0] not in VERBS]
    assert wrong == [], "begin with Ensure, Install, Start, Check, Report or another verb of VERBS"
