# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: what `make help`, the documentation and the workflows name as a target of make has commands; help names each target."""

from __future__ import annotations

import re
from pathlib import Path

TOP = Path(__file__).parents[2]
MAKEFILE = (TOP / "Makefile").read_text("utf-8")
# A target that is only in .PHONY does nothing, and make reports no failure.
TARGETS = set(re.findall(r"^([\w-]+):.*\n\t", MAKEFILE, re.MULTILINE))
HELP = set(re.findall(r'echo "make ([\w-]+)', MAKEFILE))


def test_what_is_named_has_commands() -> None:
    texts = [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md"), *(TOP / ".github").rglob("*.*ml"), *(TOP / ".github").rglob("*.md")]
    named = {name for path in texts for name in re.findall(r"(?:`|run: (?:sudo .*)?)make ([\w-]+)", path.read_text("utf-8"))}
    assert {"check", "test", "test-ansible", "mutations"} <= named
    assert named | HELP <= TARGETS


def test_help_names_each_target() -> None:
    assert TARGETS - {"help"} == HELP
    assert set(re.findall(r"^\.PHONY: (.*)", MAKEFILE, re.MULTILINE)[0].split()) == TARGETS
