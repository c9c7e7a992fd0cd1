# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From which packages a relup was made: ``releases/VSN/relup.json`` beside it. relup(4) has no room for more than versions.

By the version of each earlier release: sha256 of its package, "" if it was not made from one; applications (versions by name); libraries (digests as of
``_package/contents``, by directory).
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.reading import from_json, is_directory_name

MADE_FROM = "relup.json"
# Below releases/VSN.
OF_THE_WAY = ("relup", MADE_FROM)

MadeFrom = t.Dict[str, t.Dict[str, t.Any]]


def is_of_the_way(path: str) -> bool:
    """Whether the file of a package leads to the release, and is not a part of it: what a relup leads from is decided anew with each build."""
    return path.startswith("releases/") and path.partition("/")[2].partition("/")[2] in OF_THE_WAY


def format_made_from(made_from: MadeFrom) -> bytes:
    """The content of the file."""
    return json.dumps(made_from, indent=1, sort_keys=True).encode() + b"\n"


def parse_made_from(content: bytes | None) -> MadeFrom:
    """What format_made_from() was given; nothing for anything else."""
    try:
        made_from = from_json(content or b"{}")
    except ValueError:
        return {}
    return made_from if isinstance(made_from, dict) and all(map(_is_entry, made_from.values())) else {}


def _is_entry(entry: t.Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("sha256"), str):
        return False
    applications, libraries = entry.get("applications"), entry.get("libraries")
    if not isinstance(applications, dict) or not isinstance(libraries, dict):
        return False
    parts = [part for path in libraries for part in path.split("/")]
    return all(isinstance(text, str) for text in (*applications.values(), *libraries.values())) and all(map(is_directory_name, parts))
