# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages laid out as relx (rebar3 tar) and mix lay them out."""

from __future__ import annotations

import stat
import typing as t
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._info.target import read_target
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._terms.etf_decoder import encode
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.tree import Tree
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.release_packages import Content, release_members, tree, write_package


def without(members: dict[str, Content], *beginnings: str) -> dict[str, Content]:
    return {name: content for name, content in members.items() if not name.startswith(beginnings)}


def relx_members() -> dict[str, Content]:
    """With RELEASES of its own, and bin in its own way."""
    members = without(release_members(), "bin/", "log")
    entry = b'[{release,"SYSTEM","FIRST","13.1.5",[{kernel,"8.5.3","./lib/kernel-8.5.3"}],permanent}].\n'
    scripts = {f"bin/{name}": b"#!/bin/sh\n" for name in ("system", "system-FIRST", "install_upgrade.escript", "nodetool")}
    files = {f"releases/FIRST/{name}": b"" for name in ("start_clean.boot", "no_dot_erlang.boot", "vm.args")}
    return {**members, **scripts, **files, "releases/RELEASES": entry}


def mix_members() -> dict[str, Content]:
    """Without RELEASES and releases/NAME.rel; the cookie in the package; $RELEASE_LIB for what is not of OTP."""
    members = without(release_members(), "bin/", "log", "releases/system.rel")
    triples = '[{kernel,"8.5.3",permanent},{stdlib,"4.2",permanent},{pea,"1.0",permanent}]'
    members["releases/FIRST/system.rel"] = f'{{release,{{"SYSTEM","FIRST"}},{{erts,"13.1.5"}},{triples}}}.\n'.encode()
    paths = ["$ROOT/lib/kernel-8.5.3/ebin", "$ROOT/lib/stdlib-4.2/ebin", "$RELEASE_LIB/pea-1.0/ebin"]
    members["releases/FIRST/start.boot"] = encode((Atom("script"), ("SYSTEM", "FIRST"), [(Atom("path"), paths)]))
    files = {f"releases/FIRST/{name}": b"" for name in ("env.sh", "elixir", "iex", "vm.args", "start_clean.boot", "consolidated/x.beam")}
    return {**members, **files, "bin/system": b"#!/bin/sh\n", "releases/COOKIE": b"secret"}


LAYOUTS = [relx_members, mix_members]


def install(directory: Path, members: dict[str, Content], **keywords: t.Any) -> list[str]:
    changes = Changes()
    package = write_package(directory / "package.tar.gz", members)
    install_release(root=str(directory / "root"), package=package, changes=changes, flush=False, **keywords)
    return changes.actions


@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_is_installed(tmp_path: Path, layout: t.Callable[[], dict[str, Content]]) -> None:
    root = tmp_path / "root"
    install(tmp_path, layout())
    ((entry),) = Tree(str(root)).releases() or []
    assert entry.status == "permanent"
    assert [library.directory for library in entry.libraries] == ["lib/kernel-8.5.3", "lib/stdlib-4.2", "lib/pea-1.0"]
    assert {"erl", "start", "start_erl", "epmd", "run_erl", "to_erl", "start.boot", "system"} <= {path.name for path in (root / "bin").iterdir()}
    assert read_target(str(root)).disagreements == ()
    assert install(tmp_path, layout()) == []


def test_variable_of_mix_given_as_well(tmp_path: Path) -> None:
    install(tmp_path, mix_members(), variables={"RELEASE_LIB": str(tmp_path / "root/lib")})
    assert read_target(str(tmp_path / "root")).disagreements == ()


def test_cookie_of_mix_is_for_the_owner_alone(tmp_path: Path) -> None:
    install(tmp_path, mix_members())
    assert stat.S_IMODE((tmp_path / "root/releases/COOKIE").stat().st_mode) == 0o600


@pytest.mark.parametrize("layout, message", list(zip(LAYOUTS, ["(relx: {include_erts, true})", "(mix: include_erts: true)"])))
def test_without_its_emulator(tmp_path: Path, layout: t.Callable[[], dict[str, Content]], message: str) -> None:
    with pytest.raises(OtpError, match="needs erts-13.1.5, and neither the package nor .* build the package with its emulator") as error:
        install(tmp_path, without(layout(), "erts-"))
    assert message in str(error.value)
    assert tree(tmp_path / "root") == {}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_packed_along_with_its_directory(tmp_path: Path, layout: t.Callable[[], dict[str, Content]]) -> None:
    with pytest.raises(OtpError, match="all of it is below system. Pack the content of that directory, as tar -C system -czf PACKAGE . does"):
        install(tmp_path, {f"system/{name}": content for name, content in layout().items()})
    assert tree(tmp_path / "root") == {}
