# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Client nodes by their files on the master.

Rules: names of nodes and machine types lead to no other directory; the configuration gets the section of a client, and the rest of it stays as
text; clients are found by their directories.
"""

from __future__ import annotations

import re

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom, consult_bytes
from ansible_collections.erlang.otp.plugins.module_utils._tree.client_tree import ClientTree, Section, find_clients, read_section, section_of, with_section

SECTION = Section(("m@10.0.0.1",), "/srv/m/clients/c1@h", "/srv/m/clients/c1@h/bin/start", False)
TERMS = [(Atom("masters"), [Atom("m@10.0.0.1")]), (Atom("client_directory"), "/srv/m/clients/c1@h"), (Atom("start_prg"), "/srv/m/clients/c1@h/bin/start")]


def test_paths() -> None:
    tree = ClientTree("/srv/m", "c1@h")
    assert tree.path("releases", "1", "sys.config") == "/srv/m/clients/c1@h/releases/1/sys.config"
    assert (tree.path("lib", "a-1"), tree.path("erts-1/bin"), tree.path("bin", "start")) == (
        "/srv/m/lib/a-1",
        "/srv/m/erts-1/bin",
        "/srv/m/clients/c1@h/bin/start",
    )
    typed = ClientTree("/srv/m", "c1@h", "arm64")
    assert typed.root == "/srv/m/clients/arm64" and typed.path("lib") == "/srv/m/clients/arm64/lib"
    assert typed.path("releases") == "/srv/m/clients/arm64/c1@h/releases"


@pytest.mark.parametrize("name", ["c1", "a.b@h", "../c@h", "c@../h", "c/d@h", "", "c@h@i", "c@h\n", ".@h", "c d@h", "a" * 255 + "@h"])
def test_what_is_no_node(name: str) -> None:
    with pytest.raises(OtpError, match="is not the name of a node: NAME@HOST"):
        ClientTree("/srv/m", name)


@pytest.mark.parametrize("name", ["..", ".", "a/b", "-x", "a@b", "a\n"])
def test_what_is_no_type(name: str) -> None:
    with pytest.raises(OtpError, match="is not a machine type"):
        ClientTree("/srv/m", "c@h", name)


@pytest.mark.parametrize(
    ("given", "more"),
    [
        (b"[].\n", []),
        (b"[{sasl, []}].\n", []),
        (b"[{sasl, [{masters, [old@h]}, {static_emulator, true}, {sasl_error_logger, false}]}].\n", [(Atom("sasl_error_logger"), Atom("false"))]),
    ],
)
def test_a_section_is_put_into_sasl(given: bytes, more: list) -> None:
    made = with_section(given, SECTION, source="x")
    assert consult_bytes(made, filename="x") == [[(Atom("sasl"), more + TERMS)]]
    assert with_section(made, SECTION, source="x") == made


def test_all_else_of_the_configuration_stays() -> None:
    given = b'[{kernel, [{logger_level, info}]}, {sasl, [{start_prg, "/old"}]}, "more.config"].\n'
    (made,) = consult_bytes(with_section(given, SECTION, source="x"), filename="x")
    assert made == [(Atom("sasl"), TERMS), (Atom("kernel"), [(Atom("logger_level"), Atom("info"))]), "more.config"]


def test_what_is_right_keeps_its_text() -> None:
    text = (
        b"%% mine\n[{sasl,\n [{static_emulator, false}, {start_prg, \"/srv/m/clients/c1@h/bin/start\"},\n  {masters, ['m@10.0.0.1']},"
        b' {client_directory, "/srv/m/clients/c1@h"}]}].\n'
    )
    assert with_section(text, SECTION, source="x", strict=True) == text


def test_static() -> None:
    made = with_section(b"[].\n", SECTION._replace(static_emulator=True), source="x")
    assert read_section(made, source="x")["static_emulator"] == Atom("true")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[{sasl, [{masters, [other@h]}]}].", "x: the parameter masters of sasl is not what client /srv/m/clients/c1@h needs"),
        (b"[{sasl, [{static_emulator, true}]}].", "x: the parameter static_emulator of sasl is not what"),
        (b"[{sasl, [}].", "x, line 1, column 10: is not Erlang terms"),
        (b"{sasl, []}.", "x: sys.config must be one list"),
    ],
)
def test_a_configuration_that_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(OtpError, match=re.escape(message)):
        with_section(text, SECTION, source="x", strict=True)


def test_a_section_needs_masters() -> None:
    tree = ClientTree("/srv/m", "c1@h")
    assert section_of(tree, ["m@10.0.0.1"], static_emulator=False) == SECTION
    for masters, message in (([], "masters is empty"), (["m"], "masters: 'm' is not the name of a node")):
        with pytest.raises(OtpError, match=message):
            section_of(tree, masters, static_emulator=False)


def test_clients_are_found(tmp_path) -> None:
    for home in ("clients/c1@h", "clients/arm/b1@h", "clients/arm", "clients/not-one/x", "clients/no type/b1@h"):
        (tmp_path / home / "releases").mkdir(parents=True)
        (tmp_path / home / "releases/RELEASES").write_text("[].\n")
    (tmp_path / "clients/arm/lib").mkdir()
    found = find_clients(str(tmp_path))
    assert [(tree.machine_type, tree.client) for tree in found] == [("", "c1@h"), ("arm", "b1@h")]
    # Asked of a type's own root directory, they are not taken for clients of a master there.
    assert find_clients(f"{tmp_path}/clients/arm") == []
