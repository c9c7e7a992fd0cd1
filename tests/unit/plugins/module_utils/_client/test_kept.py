# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: the files that the emulator of a client was started with are kept when they are replaced, of several changes the first, until another emulator
runs; the next run finds them there. Without an emulator nothing is kept. Check mode says the same and keeps nothing.
"""

from __future__ import annotations

import os

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._client.kept import KeptOfClient, settle
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.ownership import Owner

ONE, OTHER = "12 boot 700", "12 boot 900"


class Client:
    def __init__(self, directory):
        self.directory = str(directory)
        self.config, self.start = f"{directory}/releases/FIRST/sys.config", f"{directory}/bin/start"
        for path in (self.config, self.start):
            os.makedirs(os.path.dirname(path), exist_ok=True)
        self.write("")

    def kept(self, emulator=ONE, release="FIRST"):
        return KeptOfClient(self.directory, emulator, release)

    def write(self, emulator, text=b"1", path="", *, check_mode=False, restart_on_change=True, release="FIRST"):
        """What a run finds that has brought the file."""
        kept, changes = self.kept(emulator, release), Changes(check_mode=check_mode)
        kept.ensure(path or self.config, text, mode=0o640, owner=Owner(-1, -1), changes=changes)
        return settle(kept, restart_on_change, changes)

    def text(self, path=""):
        with open(path or self.config, "rb") as file:
            return file.read()


@pytest.fixture
def client(tmp_path):
    return Client(tmp_path)


def test_of_several_changes_the_first_one_counts_and_the_next_run_knows_it(client):
    for text in (b"2", b"3"):
        assert client.write(ONE, text, check_mode=True) == [client.config] and client.text() != text
        assert client.write(ONE, text) == client.write(ONE, text) == client.write(ONE, text, check_mode=True) == [client.config]
    assert client.kept().is_newer() and os.stat(client.directory + "/.previous").st_mode & 0o777 == 0o700
    client.kept().put_back()
    assert client.text() == b"1" and not client.kept().exists() and not client.kept().is_newer()


def test_what_is_as_before_again_needs_no_restart(client):
    client.write(ONE, b"2")
    assert client.write(ONE, b"1", check_mode=True) == client.write(ONE, b"1") == []


def test_without_an_emulator_nothing_is_kept(client):
    assert client.write("", b"2") == [] and not client.kept().exists()


def test_a_file_that_the_emulator_does_not_read_is_not_kept(client):
    assert client.write(ONE, b"x", client.directory + "/bin/stop") == [] and not client.kept().exists()


def test_another_emulator_has_read_the_files_and_its_gates_are_due(client):
    client.write(ONE, b"2")
    assert not client.kept(OTHER).is_newer() and client.write(OTHER, b"2") == [client.config]
    # Without a restart there is no gate.
    assert client.write(OTHER, b"2", restart_on_change=False) == [] and not client.kept().exists()
    client.write(ONE, b"3")
    client.write(OTHER, b"4", client.start)
    assert client.kept(OTHER).outdated() == [client.start], "what the other one has read goes"
    assert client.write("14 boot 950", b"5") == [client.config]


def test_what_is_outdated_stays_kept_without_a_restart(client):
    client.write(ONE, b"2")
    assert client.write(ONE, b"2", restart_on_change=False) == [client.config]


def test_an_upgrade_has_loaded_the_configuration_and_not_the_scripts(client):
    # A client with a static emulator has a copy of the configuration of its release.
    copy = client.directory + "/releases/sys.config"
    client.write("", b"1", copy)
    client.write(ONE, b"2", copy)
    client.write(ONE, b"2")
    client.write(ONE, b"new", client.start)
    assert client.kept(release="SECOND").outdated() == [client.start]
    second = client.directory + "/releases/SECOND/sys.config"
    os.makedirs(os.path.dirname(second))
    client.write("", b"1", second)
    assert client.write(ONE, b"2", second, release="SECOND") == [client.start, second]
    client.kept(release="SECOND").put_back()
    assert client.text(second) == b"1" and client.text() == b"2"


def test_on_the_host_of_a_client_without_a_disk_only_its_bin_counts(client):
    kept = KeptOfClient(client.directory + "/bin", ONE)
    for text in (b"1", b"2"):
        kept.ensure(client.start, text, mode=0o755, owner=Owner(-1, -1), changes=Changes())
    assert kept.outdated() == [client.start] and os.path.isdir(client.directory + "/bin/.previous/start"), "it did not exist"
    kept.put_back()
    assert not os.path.exists(client.start)
