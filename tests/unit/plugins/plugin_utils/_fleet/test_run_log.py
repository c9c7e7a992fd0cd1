# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file in which runs are recorded: each record is a line of its own, whatever others write, and whatever a full disk has left."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.run_log import append, record_of

ROW = {"host": "north", "before": "1.0", "now": "", "seconds": 1.5, "outcome": "done", "down": None, "reason": "a\x1b[2J\nb"}


def record(**more):
    return record_of([{**ROW, **more}], is_well=True, time="2026-01-31T12:00:00Z", operator="alice@laptop", run="1-2-3", playbooks=("erlang.otp.upgrade",))


def write_many(path):
    for number in range(50):
        append(path, {"number": number, "text": "x" * 10000})


def test_what_is_not_known_is_null_and_nothing_moves_a_cursor():
    assert record()["hosts"] == [{"host": "north", "before": "1.0", "now": None, "outcome": "done", "reason": "a[2J\nb", "seconds": 1.5}]


def test_each_record_is_a_line(tmp_path):
    path = str(tmp_path / "runs")
    append(path, record())
    append(path, record(host="Zürich"))
    with open(path, encoding="utf-8") as file:
        assert [json.loads(line)["hosts"][0]["host"] for line in file] == ["north", "Zürich"]


def test_a_line_that_a_full_disk_has_cut_off_spoils_no_other(tmp_path):
    path = tmp_path / "runs"
    path.write_bytes(b'{"sche')
    append(str(path), record())
    first, second = path.read_text().splitlines()
    assert first == '{"sche' and json.loads(second)["outcome"] == "ok"


def test_two_at_once(tmp_path):
    path = str(tmp_path / "runs")
    with ThreadPoolExecutor(3) as writers:
        list(writers.map(write_many, [path] * 3))
    with open(path, encoding="utf-8") as file:
        assert len([json.loads(line) for line in file]) == 150


@pytest.mark.parametrize("make", [os.mkdir, lambda path: os.symlink("/nowhere/else", path), os.mkfifo, None], ids=["directory", "link", "pipe", "no directory"])
def test_what_is_no_file_is_refused_and_the_way_out_is_named(tmp_path, make):
    path = str(tmp_path / "runs") if make else str(tmp_path / "none" / "runs")
    if make:
        make(path)
    with pytest.raises(OtpError, match="otp_run_log: the run cannot be recorded in .* or an empty text for none"):
        append(path, record())
