# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How members of a package are written.

Rules: a member is made new, and no link is followed; it is its writer's alone until its mode is set, at the end; it has the owner; of a link the
owner is changed, not of what it leads to; a directory is its writer's alone until its mode is set.
"""

from __future__ import annotations

import os

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._formats.gzip_reader import Inflated
from ansible_collections.erlang.otp.plugins.module_utils._package.extract import Writer, checked_members
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.file_calls import FileCalls
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import member, write_package


@pytest.fixture
def target(tmp_path):
    """The directory that is written to, and its descriptor."""
    (tmp_path / "out").mkdir()
    descriptor = os.open(tmp_path / "out", os.O_RDONLY)
    before = os.umask(0)
    yield tmp_path / "out", descriptor
    os.umask(before)
    os.close(descriptor)


def write(writer: Writer, package: str) -> None:
    with Inflated(package) as stream:
        for path, found, pieces in checked_members(stream):
            if path:
                writer.write(path, found, pieces)


def test_a_member_is_its_writer_s_alone_until_it_is_whole(tmp_path, target, monkeypatch):
    package = write_package(tmp_path / "p", {"d/file": b"content"})
    calls = FileCalls(monkeypatch)
    write(Writer(target[1], uid=5, gid=6), package)
    assert calls.named("create", "owner", "mode") == [("create", "file", 0o600), ("owner", "file", (5, 6)), ("mode", "file", 0o644)]
    assert calls.named("mkdir", "chown", "chmod") == [("mkdir", "d", 0o700), ("chown", "d", (5, 6), False), ("chmod", "d", 0o755)]


def test_the_owner_of_a_link_is_changed_and_not_that_of_what_it_leads_to(tmp_path, target, monkeypatch):
    package = write_package(tmp_path / "p", {"file": b"content", "link": member("link", b"2", target="file")})
    calls = FileCalls(monkeypatch)
    write(Writer(target[1], uid=5, gid=6), package)
    assert calls.named("chown") == [("chown", "link", (5, 6), False)]


@pytest.mark.parametrize("is_link", [True, False])
def test_what_is_in_the_way_is_not_written_to(tmp_path, target, is_link):
    victim = tmp_path / "victim"
    victim.write_bytes(b"whole")
    (target[0] / "file").symlink_to(victim) if is_link else os.link(victim, target[0] / "file")
    with pytest.raises(FileExistsError):
        Writer(target[1]).write_file("file", [b"new"], 0o644)
    assert victim.read_bytes() == b"whole"
