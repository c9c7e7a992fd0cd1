# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The package of Hex that an application was unpacked from: hex_core, the library of rebar3 and mix, leaves its metadata in the directory.

The format is the package metadata of Hex's specifications, https://github.com/hexpm/specifications.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.reading import read_file
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import consult_bytes

METADATA = "hex_metadata.config"


class HexPackage(t.NamedTuple):
    """name: the package's, which may differ from that of its application."""

    name: str
    version: str


def read_hex_package(directory: str, application: str) -> HexPackage | None:
    """The package in the directory of the application; None if it is not from one, or if its metadata are not of this application."""
    path = os.path.join(directory, METADATA)
    try:
        terms = consult_bytes(read_file(path) or b"", filename=path)
    except (OSError, OtpError):
        return None
    values = {}
    for term in terms:
        if isinstance(term, tuple) and len(term) == 2 and all(isinstance(part, bytes) for part in term):
            name, value = (part.decode("utf-8", "replace") for part in term)
            values[name] = value
    if values.get("app", values.get("name")) != application or not values.get("name") or not values.get("version"):
        return None
    return HexPackage(values["name"], values["version"])
