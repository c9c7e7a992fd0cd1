# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: an application is from a package of Hex only if the metadata in its directory are of this application; the file may have anything in it.

tests/real/test_provenance.py reads what rebar3 has unpacked.
"""

from __future__ import annotations

import os

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build.hex_package import METADATA, read_hex_package

PEA = '{<<"app">>,<<"pea">>}.\n{<<"name">>,<<"green_pea">>}.\n{<<"version">>,<<"1.0.0">>}.\n{<<"requirements">>,[]}.\n'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (PEA, ("green_pea", "1.0.0")),
        ('{<<"name">>,<<"pea">>}. {<<"version">>,<<"1.0.0">>}.', ("pea", "1.0.0")),
        (PEA.replace('<<"pea">>', '<<"bean">>'), None),
        ('{<<"name">>,<<"pea">>}.', None),
        ('{<<"app">>,<<"pea">>}. {<<"version">>,<<"1.0.0">>}.', None),
        ('{<<"name">>,"pea"}. {<<"version">>,<<"1.0.0">>}.', None),
        ("", None),
        ("{<<", None),
        ("[]. 1. {}.", None),
    ],
)
def test_metadata(tmp_path, text, found):
    (tmp_path / METADATA).write_text(text)
    assert read_hex_package(str(tmp_path), "pea") == found


def test_no_metadata(tmp_path):
    assert read_hex_package(str(tmp_path), "pea") is None
    os.mkfifo(tmp_path / METADATA)
    assert read_hex_package(str(tmp_path), "pea") is None
