# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a node that speaks TLS. Rules: the key is its owner's; what changes is asked for once; a node that runs without these files is not asked."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner
from ansible_collections.erlang.otp.plugins.module_utils._formats.distribution_flags import Distribution
from ansible_collections.erlang.otp.plugins.module_utils._node.lifecycle import Node
from ansible_collections.erlang.otp.plugins.module_utils._target_system import tls_files
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree

FILES = {"certificate": "C", "key": "K", "ca": "A"}


class System:
    """A system whose node runs with the files, and notes what it is asked."""

    def __init__(self, directory, monkeypatch):
        self.tree = Tree(str(directory))
        self.node = Node(str(directory), "nobody", str(directory), str(directory), "a@localhost")
        self.asked = []
        self.options = str(directory / "bin/ssl_dist.conf")
        monkeypatch.setattr(tls_files, "listening", lambda root: Distribution(tls_options=self.options))
        monkeypatch.setattr(tls_files, "connect", lambda address: self)

    def __enter__(self):
        self.before = self.texts()
        return self

    def __exit__(self, *_error):
        pass

    def call(self, *call, timeout):
        self.asked.append(call)

    def texts(self):
        return {path.name: path.read_text() for path in Path(self.tree.path("tls")).glob("*")}

    def ensure(self, check_mode=False, **files):
        changes = Changes(check_mode=check_mode)
        warnings = tls_files.ensure_tls({**FILES, **files}, self.node, self.tree, Owner(-1, -1), changes)
        return changes.actions, warnings


@pytest.fixture
def system(tmp_path, monkeypatch):
    return System(tmp_path, monkeypatch)


def test_written_once(system):
    actions, warnings = system.ensure()
    assert system.texts() == {"certificate.pem": "C\n", "key.pem": "K\n", "ca.pem": "A\n"} and not warnings
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in Path(system.tree.path("tls")).iterdir()}
    assert modes == {"certificate.pem": 0o644, "key.pem": 0o400, "ca.pem": 0o644}
    assert not any("K" in action.split() for action in actions)
    assert system.ensure() == ([], [])


def test_the_node_is_connected_to_before_the_files_change_and_asked_after_that(system):
    system.ensure()
    system.asked.clear()
    actions, dummy = system.ensure(certificate="D")
    assert actions[-1] == "have the node a@localhost read its certificate again" and len(system.asked) == 1
    assert system.before["certificate.pem"] == "C\n" and system.texts()["certificate.pem"] == "D\n"
    assert system.ensure(check_mode=True, certificate="E")[0] == actions and len(system.asked) == 1 and system.texts()["certificate.pem"] == "D\n"


def test_a_node_that_runs_with_others_is_not_asked(system):
    system.ensure()
    system.asked.clear()
    system.options = ""
    assert system.ensure(certificate="D")[1] == [] and not system.asked


def test_a_node_that_does_not_answer_reads_them_later(system, monkeypatch):
    def connect(address):
        raise OtpError("no answer")

    monkeypatch.setattr(tls_files, "connect", connect)
    assert "within two minutes" in system.ensure()[1][0] and system.texts()


def test_a_node_that_fails_to_read_them_reads_them_later(system, monkeypatch):
    """An error would be one of this run alone: the next one finds nothing new."""

    def call(*call, timeout):
        raise OtpError("no answer")

    monkeypatch.setattr(system, "call", call)
    assert "within two minutes" in system.ensure()[1][0] and system.texts()


def test_a_release_without_ssl(system):
    tls_files.check_release(system.tree, "1.0", ["kernel", "ssl"])
    tls_files.check_release(system.tree, "1.0", [])
    with pytest.raises(OtpError, match="release 1.0 has no application ssl"):
        tls_files.check_release(system.tree, "1.0", ["kernel"])


def test_files_that_are_there_are_not_checked_again(system):
    with pytest.raises(OtpError, match="is not PEM"):
        tls_files.check(FILES, "a@localhost", system.tree)
    system.ensure()
    tls_files.check(FILES, "a@localhost", system.tree)


def test_a_host_without_tls_needs_no_ssl():
    """Not even that of Python: each run imports this."""
    collections = Path(sys.modules[Changes.__module__].__file__).parents[6]
    names = ("plugins.module_utils._target_system.system", "plugins.module_utils._target_system.tls_files", "plugins.module_utils._target_system.options")
    program = "import sys; sys.path.insert(0, sys.argv[1])\n" + "".join(f"import ansible_collections.erlang.otp.{name}\n" for name in names)
    command = [sys.executable, "-I", "-S", "-c", program + "print('ssl' in sys.modules)", str(collections)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "False\n"
