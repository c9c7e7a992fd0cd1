# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: the files that a running node was started with are kept when they are replaced, of several changes the first, until it has read the new ones."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._tree.previous import Previous
from ansible_collections.erlang.otp.plugins.module_utils._tree.processes import pid_file
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._target_system.target_host import SCRIPT, Host, configuration


@pytest.fixture
def host(tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch)


def test_the_files_that_the_node_was_started_with_are_kept_until_it_has_read_the_others(host):
    host.settle()
    kept = host.root + "/.previous/"
    for text in ("[{pea,[]}].\n", "[{bean,[]}].\n"):
        host.settle(configuration=configuration(text, "+K true\n"), files=(SCRIPT._replace(content="#!/bin/sh\n# other\n"),))
    with open(kept + "releases/FIRST/sys.config") as first:
        assert first.read() == "[].\n", "of two changes the first one counts"
    assert os.path.isdir(kept + "releases/FIRST/vm.args"), "there was none"
    assert os.stat(kept).st_mode & 0o777 == 0o700
    wanted = {"configuration": configuration("[{bean,[]}].\n", "+K true\n"), "files": (SCRIPT._replace(content="#!/bin/sh\n# other\n"),)}
    later = time.time_ns() + 10**9
    os.utime(pid_file(host.root), ns=(later, later))
    said, actions, dummy = host.settle(restart_on_change=True, **wanted)
    assert len(said["node"]["outdated"]) == 3 and not actions, "it has read them, and passed no gate"
    said, actions, dummy = host.settle(**wanted)
    assert said["node"]["outdated"] == [] and [action.split()[0] for action in actions] == ["forget"]
    assert not os.path.exists(kept) and host.settle(**wanted)[1] == []


def test_what_was_kept_is_put_back(host):
    host.settle()
    host.settle(configuration=configuration("[{pea,[]}].\n", "+K true\n"))
    previous = Previous(Tree(host.root))
    assert len(previous.kept()) == 2
    previous.put_back()
    with open(host.root + "/releases/FIRST/sys.config") as config:
        assert config.read() == "[].\n"
    assert not os.path.exists(host.root + "/releases/FIRST/vm.args") and not previous.exists()


def test_what_is_kept_follows_the_node_where_it_was_started_meanwhile(host):
    host.settle()
    host.settle(configuration=configuration("[{pea,[]}].\n", "+K true\n"))
    later = time.time_ns() + 10**9
    os.utime(pid_file(host.root), ns=(later, later))
    host.settle(restart_on_change=True, configuration=configuration("[{bean,[]}].\n", "+K true\n"))
    with open(host.root + "/.previous/releases/FIRST/sys.config") as kept:
        assert kept.read() == "[{pea,[]}].\n"
    assert not os.path.exists(host.root + "/.previous/releases/FIRST/vm.args"), "the node has read the new one"
