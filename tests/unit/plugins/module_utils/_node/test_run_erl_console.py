# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pipes of run_erl, in a directory where the node's user may put anything: nothing but a pipe is opened, and nothing else is written to.

tests/real/test_console.py has calls.
"""

from __future__ import annotations

import os

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._node.call_errors import Unreachable
from ansible_collections.erlang.otp.plugins.module_utils._node.run_erl_console import Console, open_writer


@pytest.fixture
def writer(tmp_path):
    """A pipe that run_erl would read, as it is without an attack."""
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    yield tmp_path / "pipe"
    os.close(reader)


def test_a_file_in_the_place_of_the_pipe_is_not_written_to(tmp_path):
    (tmp_path / "erlang.pipe.1.w").write_bytes(b"theirs")
    with pytest.raises(Unreachable, match="erlang.pipe.1.w is not a pipe of run_erl"):
        Console(directory=str(tmp_path))
    assert (tmp_path / "erlang.pipe.1.w").read_bytes() == b"theirs"


@pytest.mark.parametrize("target", ["/dev/null", "file", "pipe"])
def test_a_link_in_the_place_of_the_pipe_is_not_followed(tmp_path, writer, target):
    (tmp_path / "file").write_bytes(b"ours")
    os.symlink(tmp_path / target, tmp_path / "erlang.pipe.1.w")
    with pytest.raises(Unreachable, match="erlang.pipe.1.w cannot be opened"):
        Console(directory=str(tmp_path))
    assert (tmp_path / "file").read_bytes() == b"ours"


@pytest.mark.parametrize("put", [lambda path: path.write_bytes(b"theirs"), lambda path: path.symlink_to("/dev/null")], ids=["file", "link"])
def test_the_other_pipe_is_one_too(tmp_path, writer, put):
    writer.rename(tmp_path / "erlang.pipe.1.w")
    put(tmp_path / "erlang.pipe.1.r")
    for force in (False, True):
        with pytest.raises(Unreachable):
            Console(directory=str(tmp_path), force=force)


def test_a_pipe_that_run_erl_reads(tmp_path, writer):
    writer.rename(tmp_path / "erlang.pipe.1.w")
    prefix, descriptor = open_writer(str(tmp_path))
    os.close(descriptor)
    assert prefix == str(tmp_path / "erlang.pipe.1")
