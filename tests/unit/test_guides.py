# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: the messages of the guide "Troubleshooting, by message" are those of the code, and are there once; guides name variables and plugins that exist."""

from __future__ import annotations

import ast
import re

import pytest
import yaml

from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_metrics import METRICS
from ansible_collections.erlang.otp.tests.unit.test_ways_out import FILES, TOP, text_of, texts_of_tasks

GUIDES = sorted((TOP / "docs/docsite/rst").glob("*.rst"))
GUIDE = (TOP / "docs/docsite/rst/guide_troubleshooting.rst").read_text("utf-8")
MESSAGES = re.findall(r"^   \* - ``(.+)``$", GUIDE, re.MULTILINE)
TASKS = sorted([*TOP.glob("roles/*/tasks/*.yml"), *TOP.glob("playbooks/**/*.yml")])
IN_CODE = [text_of(node) for path in FILES for node in ast.walk(ast.parse(path.read_text("utf-8")))]
IN_TASKS = [text for path in TASKS for text in texts_of_tasks(yaml.safe_load(path.read_text("utf-8")))]


@pytest.mark.parametrize("message", MESSAGES)
def test_the_code_has_it(message: str) -> None:
    piece = re.compile(r"[^\n]+".join(map(re.escape, message.split("…"))))
    assert any(piece.search(text) for text in (*IN_CODE, *IN_TASKS))


def test_each_is_there_once() -> None:
    assert len(MESSAGES) > 30 and sorted(set(MESSAGES)) == sorted(MESSAGES)
    assert len(MESSAGES) == len(re.findall(r"^   \* - ", GUIDE, re.MULTILINE)) - GUIDE.count("   * - Message\n")


def test_what_guides_name_exists() -> None:
    specs = [yaml.safe_load(path.read_text("utf-8"))["argument_specs"] for path in TOP.glob("roles/*/meta/argument_specs.yml")]
    known = {name for entries in specs for entry in entries.values() for name in entry.get("options", {})}
    known |= {path.stem for path in TOP.glob("plugins/*/*.py")} | {"otp_stdin_transport", *METRICS}
    # Variables of a run.
    known |= set(re.findall(r"\botp_[a-z_]+", "".join(path.read_text("utf-8") for path in TOP.glob("playbooks/**/*.yml"))))
    named = {(path.name, name) for path in GUIDES for name in re.findall(r"\botp_[a-z_]+", path.read_text("utf-8"))}
    assert [each for each in sorted(named) if each[1] not in known] == []
