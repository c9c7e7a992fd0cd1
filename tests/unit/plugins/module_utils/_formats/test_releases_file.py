# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RELEASES and start_erl.data.

Rules: what release_handler writes is read; a version that leads out of the tree, or that the file cannot hold, is refused with the file's name.
"""

from __future__ import annotations

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.releases_file import (
    InstalledRelease,
    Library,
    StartErlData,
    describe,
    format_releases,
    format_start_erl_data,
    parse_releases,
    parse_start_erl_data,
)

RELEASES = [
    InstalledRelease("MY αβ", "SECOND", "15.2", (Library("kernel", "10.2", "lib/kernel-10.2"),), "unpacked"),
    InstalledRelease("MY αβ", "FIRST", "13.1", (Library("kernel", "8.5", "/opt/αβ/lib/kernel-8.5"),), "permanent"),
    InstalledRelease("MY αβ", "__new_emulator__FIRST", "15.2", (), "tmp_current"),
]


def test_releases():
    content = format_releases(RELEASES)
    assert content.startswith(b"%% coding: utf-8\n[{release,")
    assert content.endswith(b".\n")
    assert parse_releases(content, filename="RELEASES") == RELEASES
    assert parse_releases(b"[].", filename="RELEASES") == []


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "^RELEASES: has no term"),
        ("{release}.", "is not a list"),
        ('[{release,"a","1","2",[]}].', r"is not \{release,Name,Vsn,ErtsVsn"),
        ('[{release,"a","1","2",[],gone}].', "^RELEASES: gone is not one of the statuses unpacked, current, permanent, old, tmp_current"),
        ('[{release,"a","../..","2",[],old}].', "cannot be the version of a release"),
        ('[{release,"a","1","2",[{kernel,"8"}],old}].', r"is not \{App,Vsn,Dir\}"),
        ('[{release,"a",1,"2",[],old}].', "^RELEASES: 1 is not a string, as the version of a release has to be"),
        ('[{release,#{},"1","2",[],old}].', "^RELEASES: #{} is not a string"),
        ('[{release,"a","1","2",[{kernel,"8","/srv/x/lib/../../etc"}],old}].', "cannot be the directory of an application"),
        ('[{release,"a","1","2",[{kernel,"8",".."}],old}].', "cannot be the directory of an application"),
        ('[{release,"a","1","2",[{kernel,"8","/"}],old}].', "cannot be the directory of an application"),
        ('[{release,"a","1","2",[{kernel,"8","lib/\\e[2J"}],old}].', "cannot be the directory of an application"),
        ("{" * 250, "^RELEASES, .*deeper than 200"),
        ("[" + "[]," * (2 << 20), "^RELEASES: a file of more than 4194304 bytes is not read"),
    ],
)
def test_releases_in_a_wrong_shape(text, message):
    with pytest.raises(OtpError, match=message):
        parse_releases(text.encode(), filename="RELEASES")


@pytest.mark.parametrize("content", [b"13.1.5 FIRST\n", b"13.1.5 FIRST", b" 13.1.5\tFIRST \n\n"])
def test_start_erl_data(content):
    value = parse_start_erl_data(content, filename="start_erl.data")
    assert value == StartErlData("13.1.5", "FIRST")
    assert format_start_erl_data(value) == b"13.1.5 FIRST\n"


@pytest.mark.parametrize("content", [b"", b"13.1.5", b"1 2 3", b"13.1.5 ../x", b".. FIRST", b"\xff x"])
def test_start_erl_data_in_a_wrong_shape(content):
    with pytest.raises(OtpError, match="^start_erl.data: "):
        parse_start_erl_data(content, filename="start_erl.data")


@pytest.mark.parametrize("version", ["", "a b", "a\n"])
def test_start_erl_data_cannot_hold(version):
    with pytest.raises(OtpError, match="cannot contain the version"):
        format_start_erl_data(StartErlData("13.1.5", version))


def test_described_for_a_diff():
    assert describe(RELEASES[:2]) == "MY αβ FIRST on ERTS 13.1: permanent\n  kernel 8.5\nMY αβ SECOND on ERTS 15.2: unpacked\n  kernel 10.2\n"
