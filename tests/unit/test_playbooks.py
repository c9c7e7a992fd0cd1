# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks: no setting of Ansible's (ansible.cfg, the environment) changes the order of their tasks, ends them early, or hides their report.

What a task hides of its result has its reason in a comment beside it.
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).parents[2]
PLAYS = [
    pytest.param(play, id=f"{path.name}: {play['name']}")
    for path in sorted(TOP.glob("playbooks/*.yml"))
    for play in yaml.safe_load(path.read_text())
    if "hosts" in play
]


def tasks_in(value: t.Any) -> t.Iterator[dict]:
    """The tasks of a file or of a play, also in blocks."""
    for task in value if isinstance(value, list) else []:
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks_in(task.get(part))


def all_tasks() -> t.Iterator[dict]:
    for path in [*TOP.glob("roles/*/tasks/*.yml"), *TOP.glob("playbooks/**/*.yml")]:
        for part in yaml.safe_load(path.read_text()):
            yield from tasks_in([part])
            for section in ("pre_tasks", "tasks", "post_tasks"):
                yield from tasks_in(part.get(section))


@pytest.mark.parametrize("play", PLAYS)
def test_a_play_has_what_a_setting_could_change(play: dict) -> None:
    assert (play["strategy"], play["gather_facts"], play["timeout"]) == ("linear", False, 0)
    assert play["any_errors_fatal"] is (play["name"] == "Check the inventory")


def test_variables_of_an_imported_role_are_those_of_the_play() -> None:
    imports = [task["ansible.builtin.import_role"] for task in all_tasks() if "ansible.builtin.import_role" in task]
    assert len(imports) > 5 and all(role["public"] is True for role in imports)


def test_a_report_is_not_hidden() -> None:
    reports = [task for task in all_tasks() if "ansible.builtin.debug" in task]
    assert len(reports) == 5 and all(task["no_log"] is False for task in reports)


def test_what_hides_a_result_has_its_reason_beside_it() -> None:
    found = []
    for path in [*TOP.glob("roles/*/tasks/*.yml"), *TOP.glob("playbooks/**/*.yml")]:
        above = ""
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if hides := re.match(r" +(failed_when|changed_when|ignore_errors|ignore_unreachable):", line):
                found.append((f"{path.parent.parent.name}/{path.name}:{number} {hides[1]}", above.startswith("#")))
            else:
                # One comment may be for several of them.
                above = line.strip()
    assert len(found) > 50 and [place for place, has_reason in found if not has_reason] == [], "write why in the line above"
