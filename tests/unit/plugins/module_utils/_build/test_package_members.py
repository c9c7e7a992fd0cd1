# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which members a package has.

Rules: boot script and package agree on each place; what cannot be packed, a circle of links, a path that leads outside and two members of one name
are errors.
"""

from __future__ import annotations

import os
import socket

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build.applications import Found
from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp
from ansible_collections.erlang.otp.plugins.module_utils._build.package_members import (
    Group,
    Place,
    application_group,
    check_names,
    erts_group,
    extra_group,
    place,
    release_group,
    tree,
)
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.resource import Application
from ansible_collections.erlang.otp.plugins.module_utils._formats.tar_writer import DIRECTORY, FILE, LINK, PackageMember


def found(ebin: str, *modules: str) -> Found:
    return Found(Application("pea", "1.0", "", modules, (), (), (), ()), b"app", ebin, False)


PLACES = [
    # ebin directory, variables, where it goes
    ("/lib/pea/ebin", [], Place("", "lib/pea-1.0")),
    ("/second/pea/ebin", [("SECOND", "/second")], Place("SECOND", "pea-1.0")),
    ("/second/pea-1.0/ebin", [("SECOND", "/second")], Place("SECOND", "pea-1.0")),
    ("/second/a/b/pea/ebin", [("SECOND", "/second")], Place("SECOND", "a/b/pea-1.0")),
    ("/second/a/pea", [("SECOND", "/second/")], Place("SECOND", "a/pea-1.0")),
    ("/seconds/pea/ebin", [("SECOND", "/second")], Place("", "lib/pea-1.0")),
    ("/second/pea/ebin", [("A", "/first"), ("B", "/second"), ("C", "/")], Place("B", "pea-1.0")),
]


@pytest.mark.parametrize(("ebin", "variables", "expected"), PLACES)
def test_place(ebin, variables, expected):
    assert place(found(ebin), variables) == expected


@pytest.mark.parametrize(("ebin", "prefix"), [("/second/bean/ebin", "/second"), ("/second/pea/ebin", "/second/pea"), ("/second/ebin", "/second/ebin")])
def test_systools_would_have_the_boot_script_look_where_nothing_is(ebin, prefix):
    with pytest.raises(OtpError, match="in a directory called pea-1.0 or pea"):
        place(found(ebin), [("SECOND", prefix)])


def test_release_group():
    group = release_group("V", "13", {"R.rel": b"rel", "start.boot": b"boot"}, "R.rel")
    assert [(member.name, member.content) for member in group.members] == [
        ("releases/R.rel", b"rel"),
        ("releases/V/R.rel", b"rel"),
        ("releases/V/start.boot", b"boot"),
        ("releases/start_erl.data", b"13 V\n"),
    ]


def test_erts_group(tmp_path):
    otp = Otp(str(tmp_path), "13", "25")
    os.makedirs(otp.erts_bin)
    for name in ("beam.smp", "epmd", "erl", "erl.src", "erlc", "run_erl", "start", "start.src", "start_erl", "typer"):
        (tmp_path / "erts-13" / "bin" / name).write_text("")
    with pytest.raises(OtpError, match="lacks to_erl: this ERTS is not complete"):
        erts_group(otp)
    (tmp_path / "erts-13" / "bin" / "to_erl").write_text("")
    names = [member.name for member in erts_group(otp).members]
    assert names[:3] == ["bin/epmd", "bin/run_erl", "bin/to_erl"]
    assert names[3:] == [f"erts-13/bin/{name}" for name in ("beam.smp", "epmd", "erl.src", "run_erl", "start.src", "start_erl", "to_erl")]


@pytest.fixture
def pea(tmp_path):
    ebin = tmp_path / "pea" / "ebin"
    ebin.mkdir(parents=True)
    for name in ("pea.beam", "pea_sup.beam", "leftover.beam", "pea.app"):
        (ebin / name).write_text("")
    return ebin


def names(group: Group) -> list[str]:
    return [member.name for member in group.members]


def test_application_group(pea):
    assert names(application_group(found(str(pea), "pea_sup", "pea"), "lib/pea-1.0", [])) == [
        "lib/pea-1.0/ebin/pea.app",
        "lib/pea-1.0/ebin/pea.beam",
        "lib/pea-1.0/ebin/pea_sup.beam",
    ]
    (pea / "pea.appup").write_text("")
    (pea.parent / "priv").mkdir()
    (pea.parent / "priv" / "data").write_text("")
    (pea.parent / "src").mkdir()
    (pea.parent / "src" / "pea.erl").write_text("")
    assert names(application_group(found(str(pea), "pea"), "lib/pea-1.0", ["src", "ebin", "c_src"])) == [
        "lib/pea-1.0/ebin/pea.app",
        "lib/pea-1.0/ebin/pea.appup",
        "lib/pea-1.0/ebin/pea.beam",
        "lib/pea-1.0/priv/data",
        "lib/pea-1.0/src/pea.erl",
    ]


def test_a_module_that_is_not_there(pea):
    with pytest.raises(OtpError, match=r"ebin lacks bean\.beam, listed in pea\.app\. Compile the application"):
        application_group(found(str(pea), "pea", "bean"), "lib/pea-1.0", [])


def test_tree(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("")
    priv = tmp_path / "priv"
    (priv / "bin").mkdir(parents=True)
    (priv / "empty").mkdir()
    (priv / "bin" / "program").write_text("")
    (priv / "bin" / "program").chmod(0o777)
    (priv / "bin" / "same").symlink_to("program")
    (priv / "up").symlink_to("bin/../bin")
    (priv / "out").symlink_to("../outside")
    (priv / "absolute").symlink_to(priv / "bin" / "program")
    (priv / "through").symlink_to("out/file")
    assert [(member.name, member.kind, member.mode, member.target) for member in tree(str(priv), "p")] == [
        ("p/absolute", FILE, 0o755, ""),
        ("p/bin/program", FILE, 0o755, ""),
        ("p/bin/same", LINK, 0o777, "program"),
        ("p/empty", DIRECTORY, 0o755, ""),
        ("p/out/file", FILE, 0o644, ""),
        ("p/through", FILE, 0o644, ""),
        ("p/up", LINK, 0o777, "bin/../bin"),
    ]


def set_user_id(path):
    path.write_text("")
    path.chmod(0o4755)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))


BAD_FILES = [
    (os.mkfifo, "is a device, socket or pipe. Remove it"),
    (make_socket, "is a device, socket or pipe. Remove it"),
    (set_user_id, "has the set-user-id or set-group-id bit"),
    (lambda path: path.symlink_to("nowhere"), "is a link to nowhere, which does not exist"),
    (lambda path: path.symlink_to("/dev/null"), "is a device, socket or pipe. Remove it"),
]


@pytest.mark.parametrize(("make", "message"), BAD_FILES)
def test_files_that_can_not_be_packed(tmp_path, make, message):
    make(tmp_path / "bad")
    with pytest.raises(OtpError, match=f"/bad {message}"):
        tree(str(tmp_path), "p")


def test_a_circle_of_links(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path)
    with pytest.raises(OtpError, match="b/up is a link to a directory that contains it"):
        tree(str(tmp_path), "p")


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../up", "a/../b", "a//b", "a/", ".", "a\0b"])
def test_extra_files_that_lead_outside(tmp_path, name):
    with pytest.raises(OtpError, match="is not a path in the package"):
        extra_group([(str(tmp_path), name)])


def test_include_that_leads_outside(pea):
    with pytest.raises(OtpError, match="include: '../other' is not a path in the package"):
        application_group(found(str(pea), "pea"), "lib/pea-1.0", ["../other"])


def test_extra_files_that_are_missing(tmp_path):
    with pytest.raises(OtpError, match=r"otp_release_extra_files \(option extra_files\): .*/gone does not exist"):
        extra_group([(str(tmp_path / "gone"), "gone")])
    (tmp_path / "gone").touch()
    assert [member.name for member in extra_group([(str(tmp_path / "gone"), "gone")]).members] == ["gone"]


def test_two_members_of_one_name():
    group = Group("g", [PackageMember("a")])
    check_names([group, Group("h", [PackageMember("b")])])
    with pytest.raises(OtpError, match="Two members of the package have the name a. Check otp_release_extra_files"):
        check_names([group, group])
