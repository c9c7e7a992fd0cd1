# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Target systems for other machine types: built here, laid out as an image, and run by QEMU."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import nodes
import pytest
from release_workshop import MINIMAL, Workshop
from waiting import wait_until

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp
from ansible_collections.erlang.otp.plugins.module_utils._core.changes import Changes
from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._formats.elf import machine_of, read_program
from ansible_collections.erlang.otp.plugins.module_utils._install.install import install_release
from ansible_collections.erlang.otp.plugins.module_utils._terms.parser import Atom

# What .ci/setup has unpacked.
MACHINES = Path(__file__).parents[2] / "build/machines"
ROOT = "/opt/system"


class Machine(t.NamedTuple):
    """A machine type: Debian's name, QEMU's, what a node says, and an ELF header's bits."""

    name: str
    qemu: str
    architecture: str
    bits: int

    @property
    def files(self) -> Path:
        """The root of its Debian."""
        assert (MACHINES / self.name).is_dir(), "there is no Erlang/OTP for other machine types: run .ci/setup"
        return MACHINES / self.name

    @property
    def tree(self) -> str:
        """Its Erlang/OTP."""
        return str(self.files / "usr/lib/erlang")


ARM64 = Machine("arm64", "qemu-aarch64", "aarch64-unknown-linux-gnu", 64)
ARMHF = Machine("armhf", "qemu-arm", "arm-unknown-linux-gnueabihf", 32)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop"), find_otp(None))


def build(workshop: Workshop, machine: Machine, **options: t.Any) -> str:
    rel = workshop.rel(*MINIMAL, "crypto")
    chosen = {"rel": rel, "erts": machine.tree, "sys_config": "[].\n", "output_dir": str(workshop.directory / machine.name), **options}
    return workshop.build(**chosen)["package"]


def emulate(directory: Path, machine: Machine) -> None:
    """In the place of each program of ERTS, have a script that has QEMU run it, as the kernel of a host with binfmt_misc would."""
    (directory.parent / "programs").mkdir()
    # Of its places for libraries the C library for armhf looks into those alone that this host has, too.
    (libraries,) = machine.files.glob("usr/lib/*-linux-gnu*")
    for path in list(directory.iterdir()):
        if machine_of(path.read_bytes()[:64]) is None:
            continue
        program = path.rename(directory.parent / "programs" / path.name)
        path.write_text(f'#!/bin/sh\nexec {MACHINES / machine.qemu} -L {machine.files} -E LD_LIBRARY_PATH={libraries} {program} "$@"\n')
        path.chmod(0o755)


@pytest.mark.parametrize("machine", [ARM64, ARMHF], ids=lambda machine: machine.name)
def test_built_here_and_run_there(workshop: Workshop, machine: Machine, tmp_path: Path, record_property: t.Callable[[str, object], None]) -> None:
    package = build(workshop, machine)
    # This host is another one.
    here = read_program(sys.executable).kind
    with pytest.raises(OtpError, match=rf"erts-[\d.]+/bin/beam.smp was made for {machine.qemu[5:]}, {machine.bits} bits, and this host runs {here}"):
        install_release(root=str(tmp_path / "root"), package=package, changes=Changes())
    if machine is ARM64:
        # The way out, for this host.
        ours = workshop.build(rel=workshop.rel(*MINIMAL, "crypto"), sys_config="[].\n", output_dir=str(workshop.directory / "here"))["package"]
        assert install_release(root=str(tmp_path / "root"), package=ours, changes=Changes(), state="permanent")["status"] == "permanent"
    install_release(root=ROOT, destdir=str(tmp_path), package=package, changes=Changes(), flush=False)
    root = Path(f"{tmp_path}{ROOT}")
    erts = root / f"erts-{workshop.otp.erts_version}/bin"
    emulate(erts, machine)
    with nodes.Site(nodes.otp_of("erl")) as site:
        environment = {**site.environment, "ROOTDIR": str(root), "BINDIR": str(erts), "EMU": "beam", "PROGNAME": "erl"}
        flags = ["-boot", root / "releases/FIRST/start", "-config", root / "releases/FIRST/sys.config", "-sname", "box@localhost"]
        with open(tmp_path / "log", "wb") as log:
            site.processes.append(subprocess.Popen([erts / "erlexec", "-noinput", *flags], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        with site.connect_when_up("box@localhost", site.processes[-1]) as node:
            wait_until(lambda: node.call("init", "get_status", [])[0] == Atom("started"), "the node has booted")
            said = node.call("erlang", "system_info", [Atom("system_architecture")])
            version = node.call("erlang", "system_info", [Atom("version")])
            assert (said, version) == (machine.architecture, workshop.otp.erts_version)
            ((_name, release, _libraries, status),) = node.call("release_handler", "which_releases", [])
            assert (release, status.name) == ("FIRST", "permanent")
            # Native code of its own machine type.
            assert len(node.call("crypto", "hash", [Atom("sha256"), b"box"])) == 32
            record_property("figure", f"{machine.name}: ERTS {version} on {said} runs release {release}")


def test_mixed_machine_types_are_refused(workshop: Workshop, tmp_path: Path) -> None:
    """Where the tree of the box lacks an application with native code, that of the build host would come along."""
    tree = tmp_path / "erlang"
    (tree / "lib").mkdir(parents=True)
    for name in os.listdir(ARM64.tree):
        if name != "lib":
            (tree / name).symlink_to(f"{ARM64.tree}/{name}")
    for name in os.listdir(f"{ARM64.tree}/lib"):
        if not name.startswith("crypto-"):
            (tree / "lib" / name).symlink_to(f"{ARM64.tree}/lib/{name}")
    with pytest.raises(OtpError, match=r"/crypto-[\d.]+/priv/lib/crypto\w*.so was made for .*, and the emulator is for aarch64, 64 bits. Give libraries"):
        build(workshop, ARM64, erts=str(tree), output_dir=str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    (crypto,) = Path(ARM64.tree, "lib").glob("crypto-*")
    (tree / "lib" / crypto.name).symlink_to(crypto)
    assert os.path.exists(build(workshop, ARM64, erts=str(tree), output_dir=str(tmp_path / "out")))
