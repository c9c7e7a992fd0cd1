# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""package.json, read without a JSON parser where it is as we write it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._tree.record import find_record, format_record, parse_record, status_at_rest
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

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


PLACES = {**RECORD, "places": {"kernel": "/srv/second/lib/kernel-8.5.3"}, "variables": {"SECOND": "/srv/second"}, "archives": {"SECOND": "/srv/second"}}
FOREIGN = {
    "a place that leads upwards": {"places": {"kernel": "/srv/second/../../etc/kernel-8.5.3"}},
    "a place elsewhere": {"places": {"kernel": "/etc/kernel-8.5.3"}},
    "a place that is no library": {"places": {"kernel": "/srv/second/lib"}},
    "a place of another library": {"places": {"stdlib": "/srv/second/kernel-8.5.3"}},
    "a place that is relative": {"places": {"kernel": "kernel-8.5.3"}},
    "a place that is a number": {"places": {"kernel": 1}},
    "a variable that leads upwards": {"variables": {"SECOND": "/srv/second/.."}},
    "a variable that is the root": {"variables": {"SECOND": "/"}},
    "an archive elsewhere": {"archives": {"SECOND": "/etc"}},
    "an archive without a variable": {"archives": {"THIRD": "/etc"}},
    "archives that are a list": {"archives": ["/etc"]},
    "a version that leads upwards": {"version": "../../etc"},
    "an ERTS that leads upwards": {"erts_version": "/../../etc"},
    "an application that leads upwards": {"applications": {"../x": "1"}},
    "an application whose version is a number": {"applications": {"kernel": 8}},
    "a checksum that is a list": {"full": []},
}


def test_libraries_elsewhere() -> None:
    assert parse_record(format_record(PLACES)) == PLACES


@pytest.mark.parametrize("more", FOREIGN.values(), ids=FOREIGN.keys())
def test_what_names_anything_else_is_no_record(more: dict) -> None:
    assert parse_record(format_record({**PLACES, **more})) is None


@pytest.mark.usefixtures("in_time")
@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero"), lambda path: path.write_bytes(b" " * (2 << 20))])
def test_what_is_no_file_is_no_record(tmp_path: Path, put) -> None:
    (tmp_path / "releases/1.0").mkdir(parents=True)
    put(tmp_path / "releases/1.0/package.json")
    assert find_record(str(tmp_path), RECORD["sha256"]) is None
    with pytest.raises(OtpError, match="package.json"):
        Tree(str(tmp_path)).record("1.0")


@pytest.mark.parametrize(
    "content",
    [
        b'{"a":' * 100_000,
        b'{"version": ' + b"9" * 100_000 + b"}",
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b'{\n "name": "x"\n}\n',
        b'{\n "name": 1\n}\n',
        format_record(RECORD)[:40],
    ],
)
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
