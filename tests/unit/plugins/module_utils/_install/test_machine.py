# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages for another machine type, and mixed ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import Otp
from ansible_collections.erlang.otp.plugins.module_utils._build.package_members import Group, PackageMember, check_machines
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats import gzip_reader as _inflate
from ansible_collections.erlang.otp.plugins.module_utils._formats.elf import read_program
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils._formats.test_elf import elf
from ansible_collections.erlang.otp.tests.unit.plugins.module_utils.install_host import Host

BEAM = "erts-13.1.5/bin/beam.smp"
NIF = "lib/pea-1.0/priv/pea.so"
HERE = read_program(sys.executable)
# Of no machine that there is.
OTHER = elf(machine=4711)


def here(*, interpreter: str = "") -> bytes:
    return elf(bits=HERE.bits, order=HERE.order, machine=HERE.machine, interpreter=interpreter)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("check", [False, True])
def test_another_machine_is_refused(host: Host, check: bool) -> None:
    package = host.package(more={BEAM: OTHER, NIF: OTHER})
    host.refuses(package, f"{BEAM} was made for machine 4711, 64 bits, and this host runs", check=check)
    host.refuses(host.package(more={BEAM: here(interpreter="/lib/ld-none.so")}), f"{BEAM} needs /lib/ld-none.so, which this host does not have", check=check)


def test_wherever_the_stream_breaks_off(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_inflate, "_PIECE", 40)
    host.refuses(host.package(more={BEAM: OTHER}), f"{BEAM} was made for machine 4711")
    host.refuses(host.package(more={BEAM: here(interpreter="/lib/ld-none.so")}), f"{BEAM} needs /lib/ld-none.so")
    host.refuses(host.package(more={BEAM: here(), NIF: OTHER}), f"{NIF} was made for machine 4711")
    assert host.run(host.package(more={BEAM: here(), NIF: here()}))["status"] == "permanent"


def test_headers_that_are_not_at_the_beginning(host: Host) -> None:
    """As a tool that edits programs may leave them."""
    beam = here()[: 64 if HERE.bits == 64 else 52]
    assert host.run(host.package(more={BEAM: beam}))["status"] == "permanent"


def test_what_is_for_this_host(host: Host) -> None:
    assert host.run(host.package(more={BEAM: here(), NIF: here(), "lib/pea-1.0/priv/data": OTHER[4:]}))["status"] == "permanent"


def test_an_image_is_for_another_host(host: Host, tmp_path: Path) -> None:
    assert host.run(host.package(more={BEAM: OTHER, NIF: OTHER}), destdir=str(tmp_path / "image"))["status"] == "permanent"
    with pytest.raises(OtpError, match=f"{NIF} was made for .*, and the emulator is for machine 4711, 64 bits"):
        host.run(host.package(more={BEAM: OTHER, NIF: here()}), destdir=str(tmp_path / "other"))


def test_clients_of_a_machine_type_are_other_hosts(host: Host) -> None:
    host.run(host.package(more={BEAM: here()}))
    package = host.package(more={BEAM: OTHER, NIF: OTHER})
    assert install_release(root=f"{host.root}/clients/other", package=package, changes=Changes(), flush=False)["status"] == "permanent"
    with pytest.raises(OtpError, match=f"{BEAM} was made for machine 4711"):
        install_release(root=f"{host.root}-of-none/clients/other", package=package, changes=Changes(), flush=False)


def test_mixed_with_the_emulator_that_is_there(host: Host) -> None:
    host.run(host.package(more={BEAM: here()}))
    second = host.package("SECOND", app_version="2.0", without=["erts-"], more={"lib/pea-2.0/priv/pea.so": OTHER})
    host.refuses(second, "lib/pea-2.0/priv/pea.so was made for machine 4711, 64 bits, and the emulator is for")


def test_built_from_one_machine(tmp_path: Path) -> None:
    home = tmp_path / "erts-13.1.5/bin"
    home.mkdir(parents=True)
    (home / "beam.smp").write_bytes(OTHER)
    for name, content in (("ours.so", OTHER), ("theirs.so", here()), ("notes", b"text")):
        (tmp_path / name).write_bytes(content)

    def group(*names: str) -> list[Group]:
        return [Group("lib", [PackageMember(f"lib/pea-1.0/priv/{name}", source=str(tmp_path / name)) for name in names])]

    otp = Otp(str(tmp_path), "13.1.5", "25")
    check_machines(group("ours.so", "notes"), otp)
    with pytest.raises(OtpError, match=r"theirs.so was made for .*, and the emulator is for machine 4711, 64 bits. Give libraries"):
        check_machines(group("ours.so", "theirs.so"), otp)
    # Without an emulator in the package, what is in it must fit together.
    check_machines(group("theirs.so"), None)
    with pytest.raises(OtpError, match="theirs.so was made for"):
        check_machines(group("ours.so", "theirs.so"), None)
