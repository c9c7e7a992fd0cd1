# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What meta/runtime.yml and the README say of the collection, against what is in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (TOP / "plugins" / "modules").glob("*.py"))


def test_every_module_is_in_the_action_group() -> None:
    runtime = yaml.safe_load((TOP / "meta" / "runtime.yml").read_text())
    assert runtime["action_groups"]["otp"] == MODULES


@pytest.mark.parametrize(
    "name",
    [
        *MODULES,
        *sorted(path.stem for path in (TOP / "plugins" / "filter").glob("*.py")),
        *sorted(path.name for path in (TOP / "roles").iterdir()),
        *sorted(path.stem for path in (TOP / "playbooks").glob("[!_]*.yml")),
    ],
)
def test_the_readme_has_a_line_on_everything(name: str) -> None:
    assert f"`erlang.otp.{name}`" in (TOP / "README.md").read_text()
