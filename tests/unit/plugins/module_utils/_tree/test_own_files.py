# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: a file of otp_files is below the root directory, and not one of packages, of the collection or of the node; the list of those that are laid out
is data of another user.
"""

from __future__ import annotations

import os

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._tree.own_files import DUE, RESTART, Entry, format_list, path_problem, paths_problem, read_list
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

DIGEST = 64 * "a"


@pytest.mark.parametrize("path", ["etc/ejabberd.yml", "rabbitmq.conf", "a/b/..c", "ρίζα/with space", "-x", "binary/x", "run/x.conf", "run/a/pipe", "library"])
def test_a_path_for_a_file(path):
    assert path_problem(path) == ""


@pytest.mark.parametrize(
    "path", ["", "/proc/none/x", "a/../b", "..", "./a", "a//b", "a/", "a\nb", "bin/start", "lib/a-1/x", "log/x", "releases/FIRST/sys.config", "tls/key.pem"]
)
def test_a_path_that_is_refused(path):
    assert path_problem(path)


@pytest.mark.parametrize("path", ["erts-15.0/bin/erl", ".previous/x", ".lock", ".staging/x", "run", "run/emulator.pid", "run/pipe/erlang.pipe.1.r", "run/.x"])
def test_a_path_of_the_system_is_refused(path):
    assert path_problem(path)


def test_each_path_is_there_once_and_above_no_other():
    assert paths_problem(["etc/a", "etc/b"]) == ""
    assert "'etc/a' twice" in paths_problem(["etc/a", "etc/b", "etc/a"])
    assert "'etc/a', which would be a directory" in paths_problem(["etc/a/b", "etc/a"])
    assert "'/x': it is absolute" in paths_problem(["etc/a", "/x"])


def test_the_list_is_read_as_it_was_written(tmp_path):
    tree = Tree(str(tmp_path))
    assert read_list(tree) == {}
    os.mkdir(tmp_path / "releases")
    entries = {"etc/a b": Entry(DIGEST), "etc/c": Entry(DIGEST, frozenset({RESTART, DUE})), "d": Entry(DIGEST, frozenset({RESTART}), gone=12)}
    (tmp_path / "releases/own_files").write_bytes(format_list(entries))
    assert format_list(read_list(tree)) == format_list(entries)


@pytest.mark.parametrize(
    "line",
    [
        "nothing",
        f"{DIGEST} - ../x",
        f"{DIGEST} - /proc/none/x",
        f"{DIGEST} - bin/start",
        f"{DIGEST[1:]} - a",
        f"{DIGEST} -",
        "\xff",
        f"{DIGEST} - releases/X/sys.config",
    ],
)
def test_what_its_user_may_have_written_there_names_nothing_else(tmp_path, line):
    os.mkdir(tmp_path / "releases")
    (tmp_path / "releases/own_files").write_bytes(f"{line}\n{DIGEST} restart,gone={30 * '9'},what etc/a\n".encode("latin-1"))
    found = read_list(Tree(str(tmp_path)))
    assert list(found) == ["etc/a"] and found["etc/a"].words == {RESTART} and found["etc/a"].gone == 0


def test_a_list_that_is_not_a_file_is_none(tmp_path):
    os.mkdir(tmp_path / "releases")
    (tmp_path / "elsewhere").write_text(f"{DIGEST} - etc/a\n")
    os.symlink(tmp_path / "elsewhere", tmp_path / "releases/own_files")
    assert read_list(Tree(str(tmp_path))) == {}
    os.unlink(tmp_path / "releases/own_files")
    os.mkdir(tmp_path / "releases/own_files")
    assert read_list(Tree(str(tmp_path))) == {}
