# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last words of a node, whose user may put anything into the directory of logs: a few lines without control characters, and nothing is waited for."""

from __future__ import annotations

import os
import tracemalloc

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._node.log_tail import last_words, slogan_of
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.fed_pipes import CONTENT, make_fed_pipe


def test_the_end_of_the_log_and_the_slogan(tmp_path):
    (tmp_path / "erlang.log.1").write_bytes(b"===== LOGGING STARTED today\n1> \x1b[1mboom\x1b[0m\x07\r\n\n\xc2\x9b2Jlast\n")
    (tmp_path / "erl_crash.dump").write_bytes(b"=erl_crash_dump:0.5\nWed\nSlogan: out of \x1b]0;memory\x07\nSystem\n")
    words = last_words(str(tmp_path))
    assert words == f"The slogan of {tmp_path}/erl_crash.dump: out of ]0;memory. The end of {tmp_path}/erlang.log.1:\n1> boom\n2Jlast"


@pytest.mark.usefixtures("in_time")
@pytest.mark.parametrize("put", [make_fed_pipe, os.mkdir, lambda path: os.symlink("/dev/zero", path), lambda path: os.symlink("nowhere", path)])
def test_what_is_no_file_is_neither_waited_for_nor_read(tmp_path, put):
    put(tmp_path / "erlang.log.1")
    put(tmp_path / "erl_crash.dump")
    words = last_words(str(tmp_path))
    assert "slogan" not in words and CONTENT.decode() not in words and words.startswith(f"The end of {tmp_path}/erlang.log.1:")


def test_neither_long_lines_nor_large_files_fill_the_memory(tmp_path):
    for name in ("erlang.log.1", "erl_crash.dump"):
        (tmp_path / name).write_bytes(b"x\n" * 3)
        os.truncate(tmp_path / name, 2 << 30)
    tracemalloc.start()
    try:
        last_words(str(tmp_path))
        assert slogan_of(str(tmp_path / "erl_crash.dump")) is None
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
