# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""package.json, read without a JSON parser where it is as we write it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._tree.record import format_record, parse_record, status_at_rest

RECORD = {"name": "exchange", "version": "1.0", "erts_version": "13.1.5", "sha256": "ab" * 32, "applications": {"kernel": "8.5.3", "stdlib": "4.2"}}


@pytest.mark.parametrize(
    "record",
    [
        RECORD,
        {**RECORD, "applications": {}},
        {**RECORD, "applications": {"kernel": "8.5.3"}},
        {**RECORD, "name": 'quoted "name" \\ \n'},
        {**RECORD, "name": "\u03b1\u03b2\U0001f600", "version": "{ }, : {"},
        {**RECORD, "name": ""},
    ],
)
def test_read_back(record: dict) -> None:
    assert json.loads(format_record(record)) == record
    assert parse_record(format_record(record)) == record
    assert parse_record(json.dumps(record).encode()) == record
    assert parse_record(json.dumps(record, indent=4, sort_keys=True).encode()) == record


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b'{\n "name": "x"\n}\n', b'{\n "name": 1\n}\n', format_record(RECORD)[:40]])
def test_anything_else_is_no_record(content: bytes) -> None:
    assert parse_record(content) is None


ENTRY = '{release,"exchange","1.0","13.1.5",\n  [{kernel,"8.5.3","lib/kernel-8.5.3"}],\n  %s}'
OTHER = '{release,"exchange","2.0","13.1.5",[{kernel,"8.5.3","lib/kernel-8.5.3"}],old}'


@pytest.mark.parametrize(
    "releases, boots, status",
    [
        (f"[{ENTRY % 'permanent'}].\n", "13.1.5 1.0", "permanent"),
        (f"%% coding: utf-8\n[{OTHER},\n {ENTRY % 'unpacked'}].", "13.1.5 2.0", "unpacked"),
        (f"[{ENTRY % 'old'},{OTHER}].\n", "13.1.5 2.0", "old"),
        # Whatever is unusual is left to the parser.
        (f"[{ENTRY % 'permanent'}].\n", "13.1.5 2.0", None),
        (f"[{ENTRY % 'tmp_current'}].\n", "13.1.5 2.0", None),
        (f"[{OTHER}].\n", "13.1.5 2.0", None),
        ('[{release,"exchange","1.0","13.1.5",[],permanent}].\n', "13.1.5 1.0", None),
        ("", "13.1.5 1.0", None),
    ],
)
def test_status_at_rest(tmp_path: Path, releases: str, boots: str, status: str | None) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "releases").mkdir()
    for name in ("erl", "start", "start_erl", "epmd", "run_erl", "to_erl"):
        (tmp_path / "bin" / name).write_bytes(b"")
    (tmp_path / "releases/RELEASES").write_text(releases)
    (tmp_path / "releases/start_erl.data").write_text(boots)
    assert status_at_rest(str(tmp_path), RECORD) == status
    (tmp_path / "bin/to_erl").unlink()
    assert status_at_rest(str(tmp_path), RECORD) is None
