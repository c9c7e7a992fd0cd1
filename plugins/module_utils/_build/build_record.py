# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of a build beside its outputs, .NAME.build.json: what a second run compares, so that it changes nothing."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._build.systools import Diagnostic
from ansible_collections.erlang.otp.plugins.module_utils._core.files import read_file, write_file
from ansible_collections.erlang.otp.plugins.module_utils._tree.made_from import MadeFrom

FORMAT = 6


class BuildRecord(t.NamedTuple):
    """What the last run recorded beside its outputs: what they were made of, and their SHA-256 by file name."""

    inputs: str = ""
    scripts_key: str = ""
    keys: tuple[str, ...] = ()
    outputs: dict[str, str] = {}
    warnings: tuple[Diagnostic, ...] = ()
    relup: tuple[dict[str, t.Any], ...] = ()
    thin: dict[str, t.Any] | None = None
    digests: dict[str, str] = {}
    made_from: MadeFrom = {}


def read_record(path: str) -> BuildRecord:
    """The record; an empty one if it is missing or has another format."""
    try:
        data = json.loads(read_file(path) or b"")
        if data["format"] != FORMAT:
            return BuildRecord()
        warnings = tuple(map(Diagnostic.from_data, data["warnings"]))
        keys, relup = tuple(data["keys"]), tuple(data["relup"])
        return BuildRecord(data["inputs"], data["scripts_key"], keys, data["outputs"], warnings, relup, data["thin"], data["digests"], data["made_from"])
    except (ValueError, KeyError, TypeError):
        return BuildRecord()


def write_record(path: str, record: BuildRecord) -> None:
    """Write the record. Raises OSError."""
    write_file(path, json.dumps({"format": FORMAT, **record._asdict()}).encode())
