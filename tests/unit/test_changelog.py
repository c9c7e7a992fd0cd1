# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: what the change log lists for the version in galaxy.yml exists; what is for the first version is listed; CHANGELOG.md has the same names.

A version that is not released yet is brought up to date by ``antsibull-changelog generate --refresh-plugins`` and ``release --update-existing``.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

TOP = Path(__file__).parents[2]
FIRST = "0.1.0"
RELEASES = yaml.safe_load((TOP / "changelogs/changelog.yaml").read_text("utf-8"))["releases"]


def listed(version: str) -> set[str]:
    """Modules, filters and other plugins, roles and playbooks, each with the directory that it is in."""
    release = RELEASES[version]
    found = {f"plugins/modules/{entry['name']}" for entry in release.get("modules", ())}
    found |= {f"plugins/{kind}/{entry['name']}" for kind, entries in release.get("plugins", {}).items() for entry in entries}
    return found | {f"{kind}s/{entry['name']}" for kind, entries in release.get("objects", {}).items() for entry in entries}


def existing() -> set[str]:
    found = {f"plugins/{kind}/{path.stem}": path for kind in ("modules", "callback", "filter") for path in (TOP / "plugins" / kind).glob("*.py")}
    found |= {f"playbooks/{path.stem}": path for path in (TOP / "playbooks").glob("[a-z]*.yml")}
    return {name for name, path in found.items() if path.stem != "__init__"} | {f"roles/{path.name}" for path in (TOP / "roles").iterdir() if path.is_dir()}


def test_what_is_listed_exists() -> None:
    version = yaml.safe_load((TOP / "galaxy.yml").read_text("utf-8"))["version"]
    assert listed(version) - existing() == set()
    if version == FIRST:
        assert existing() - listed(version) == set()


def test_both_files_have_the_same_names() -> None:
    shown = re.findall(r"^\* erlang\\[.]otp\\[.](\S+) \\-", (TOP / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(name.replace("\\", "") for name in shown) == sorted(name.rpartition("/")[2] for version in RELEASES for name in listed(version))
